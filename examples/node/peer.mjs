/** A peer in Node, without WebRTC: greets whoever comes, and tells what is said and who goes. Ends at Ctrl-C. */

import { join } from "switchboard-client";

const [name = "someone", url = "http://127.0.0.1:8080"] = process.argv.slice(2);

const room = await join(url, "node", { meta: { name } });
console.log(`joined, with ${[...room.peers.values()].map(({ meta }) => meta.name).join(", ") || "nobody"}`);
const log = (error) => console.error(error.message);
room.addEventListener("peer-joined", ({ detail }) => room.send({ to: detail.peer, type: "hello", data: `I am ${name}` }).catch(log));
room.addEventListener("signal", ({ detail }) => console.log(`${detail.type}: ${detail.data}`));
room.addEventListener("peer-left", ({ detail }) => console.log(`gone: ${detail.reason}`));
process.once("SIGINT", () => room.leave().catch(log));
