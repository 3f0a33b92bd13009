/** A trystero peer for Node: says hello to whoever comes, and tells who came and went. Ends at the end of its input. */

import { createTopicStrategy } from "@trystero-p2p/core";
import { RTCPeerConnection } from "node-datachannel/polyfill";
import { trysteroTransport } from "switchboard-client/trystero";

const [name = "someone", url = "http://127.0.0.1:8080"] = process.argv.slice(2);

const transport = trysteroTransport({ url, room: "lobby" });
const joinRoom = createTopicStrategy(transport);
const room = joinRoom({ appId: "switchboard-example", password: "open sesame", rtcPolyfill: RTCPeerConnection, rtcConfig: { iceServers: [] } }, "hall");

const hello = room.makeAction("hello", { onMessage: (text, { peerId }) => console.log(`said ${peerId} ${text}`) });
room.onPeerJoin = (peerId) => {
  console.log(`joined ${peerId}`);
  void hello.send(`I am ${name}`, { target: peerId });
};
room.onPeerLeave = (peerId) => console.log(`left ${peerId}`);

process.stdin.resume();
process.stdin.once("end", async () => {
  await room.leave();
  await transport.left();
  process.exit();
});
