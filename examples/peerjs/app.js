/* A page made for PeerJS and its server: nothing here knows of another transport. */

const log = (line) => document.getElementById("log").append(`${line}\n`);
const camera = () => navigator.mediaDevices.getUserMedia({ video: true, audio: true });

const wanted = decodeURIComponent(location.hash.slice(1));
const peer = wanted ? new Peer(wanted) : new Peer();
const connections = new Set();

peer.on("open", (id) => (document.getElementById("id").textContent = id));
peer.on("error", (error) => log(`error: ${error.type}`));
peer.on("disconnected", () => log("disconnected"));
peer.on("connection", attach);
peer.on("call", async (call) => {
  show(call);
  call.answer(await camera());
});

function attach(connection) {
  connection.on("open", () => {
    connections.add(connection);
    log(`connected with ${connection.peer}`);
  });
  connection.on("data", (data) => log(`${connection.peer} says: ${data}`));
  connection.on("close", () => {
    connections.delete(connection);
    log(`${connection.peer} is gone`);
  });
}

function show(call) {
  call.on("stream", (stream) => (document.getElementById("theirs").srcObject = stream));
  call.on("close", () => log(`call with ${call.peer} is over`));
}

document.getElementById("call").addEventListener("submit", async (event) => {
  event.preventDefault();
  const other = event.target.other.value;
  attach(peer.connect(other));
  show(peer.call(other, await camera()));
});
document.getElementById("say").addEventListener("submit", (event) => {
  event.preventDefault();
  for (const connection of connections) connection.send(event.target.text.value);
  event.target.reset();
});
