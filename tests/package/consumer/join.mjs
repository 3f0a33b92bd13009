// What a user in Node writes, where there is no EventSource.

import { join } from "switchboard-client";
import "switchboard-client/peerjs";
import "switchboard-client/simple-peer";
import "switchboard-client/trystero";

const room = await join(process.argv[2], "node", { peer: process.argv[3], remember: false });
room.addEventListener("signal", async ({ detail }) => {
  console.log(`${room.transport} ${detail.from} ${detail.data}`);
  if (detail.data === "ping") await room.send({ to: detail.from, type: "word", data: "pong" });
  await room.leave();
});
room.addEventListener("peer-joined", ({ detail }) => room.send({ to: detail.peer, type: "word", data: "ping" }));
console.log("joined");
