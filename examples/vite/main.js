import { connect, join } from "switchboard-client";

const log = (line) => document.getElementById("log").append(`${line}\n`);
const stream = await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
const room = await join("http://127.0.0.1:8080", location.hash.slice(1) || "vite");

function call(id) {
  const call = connect(room, id, { stream });
  call.addEventListener("track", ({ detail }) => (document.getElementById("theirs").srcObject = detail.streams[0]));
  call.addEventListener("channel", ({ detail }) => detail.channel.send("hello"));
  call.addEventListener("message", ({ detail }) => log(`they say: ${detail.data}`));
  call.addEventListener("ended", ({ detail }) => log(`ended: ${detail.reason}`));
}
for (const id of room.peers.keys()) call(id);
room.addEventListener("peer-joined", ({ detail }) => call(detail.peer));
