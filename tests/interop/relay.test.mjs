/** The relay within, used by a client of TURN that is related to neither it nor to browsers: aiortc, with aioice. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:https";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeCertificate } from "../browser/harness/certificate.mjs";
import { freePort } from "../browser/harness/coturn.mjs";
import { startServer } from "../browser/harness/server.mjs";
import { EXAMPLE, open, python } from "./harness/terminal.mjs";

const HARNESS = fileURLToPath(new URL("harness/", import.meta.url));
const { cert, key } = makeCertificate();

/** @type {Awaited<ReturnType<typeof startServer>>} */
let server;
/** @type {number} */
let port;
before(async () => {
  port = await freePort();
  server = await startServer("--tls-cert", cert, "--tls-key", key, "--turn-listen", `127.0.0.1:${port}`, "--turn-ports", "20000-20999");
});
after(() => server?.stop());

/**
 * A script of the harness, which trusts the server's certificate and finds the example's modules.
 * @param {import("node:test").TestContext} t
 * @param {string} script
 * @param {...string} given
 */
const run = (t, script, ...given) => open(t, "env", `SSL_CERT_FILE=${cert}`, `PYTHONPATH=${EXAMPLE}`, python(), HARNESS + script, ...given);

for (const ways of [["udp", "udp"], ["tcp", "tcp"], ["tls", "tls"], ["udp", "tls"]]) {
  test(`two peers in Python talk through relays alone, one by ${ways[0]} and the other by ${ways[1]}`, async (t) => {
    const peers = [];
    for (const [place, way] of ways.entries()) {
      const peer = run(t, "relayed.py", server.url, `relayed-${ways.join("-")}`, ["ada", "bob"][place], way);
      peers.push(peer);
      await peer.prints(/^here$/);
    }
    for (const peer of peers) await peer.prints(/^heard all, by relay$/);
    for (const peer of peers) peer.type("");
    for (const peer of peers) assert.equal(await peer.ended, 0, peer.lines.join("\n"));
  });
}

for (const way of ["udp", "tcp"]) {
  test(`a peer that the relay does not send to is refused with 403, by ${way}`, async (t) => {
    const joined = await join();
    const here = new URL(server.url).host;
    const denied = [here, `127.0.0.1:${port}`, "10.0.0.1:80", "169.254.169.254:80", "192.168.1.1:5060"];
    const asks = run(t, "denied.py", String(port), joined.username, joined.password, way, "own", ...denied);
    assert.equal(await asks.ended, 0, asks.lines.join("\n"));
    assert.deepEqual(asks.lines, ["own: permission 0, channel 0", ...denied.map((peer) => `${peer}: permission 403, channel 403`)]);
  });
}

/** What a join says. @returns {Promise<{username: string, password: string}>} */
async function join() {
  const asked = request(`${server.url}/rooms/denied/peers`, { method: "POST", rejectUnauthorized: false, agent: false }).end("{}");
  const [answer] = await once(asked, "response");
  let text = "";
  for await (const piece of answer.setEncoding("utf8")) text += piece;
  return JSON.parse(text);
}
