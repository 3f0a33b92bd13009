/**
 * Calls through relays: the one that the server is itself, by UDP, TCP and TLS, the last on the port that HTTPS is on;
 * and a coturn that shares a secret with the server.
 */

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, test } from "node:test";
import { startBrowser } from "./harness/browser.mjs";
import { makeCertificate } from "./harness/certificate.mjs";
import { freePort, startRelay } from "./harness/coturn.mjs";
import { openSite } from "./harness/member.mjs";
import { Relayed } from "./harness/relayed.mjs";
import { startServer } from "./harness/server.mjs";
import { Table } from "./harness/table.mjs";

const SECRET = "a secret that is shared with relays";
const FRAMES = 20;

const table = new Table();
const certificate = makeCertificate();
const tls = ["--tls-cert", certificate.cert, "--tls-key", certificate.key];
/** @type {Awaited<ReturnType<typeof startBrowser>>} */
let started;
/** @type {Awaited<ReturnType<typeof openSite>>} */
let site;
before(async () => {
  site = await openSite();
  started = await startBrowser({ insecure: true });
});
after(async () => {
  await started?.kill();
  site?.close();
  if (!table.empty) console.log(`\n${table}\n`);
});

/** The server as a relay of its own. */
async function ownRelay() {
  const port = await freePort();
  const server = await startServer(...tls, "--turn-listen", `127.0.0.1:${port}`, "--turn-allow-peer", "127.0.0.0/8", "--turn-secret", SECRET);
  return { server, close: () => server.stop() };
}

/** The server, and a coturn beside it. */
async function coturn() {
  const [port, secure] = [await freePort(), await freePort()];
  const relay = await startRelay(port, { secret: SECRET, tls: { ...certificate, port: secure } });
  const urls = [`turn:127.0.0.1:${port}?transport=udp`, `turn:127.0.0.1:${port}?transport=tcp`, `turns:127.0.0.1:${secure}?transport=tcp`];
  const server = await startServer(...tls, "--ice-server", urls.join(","), "--turn-secret", SECRET);
  return { server, close: async () => (await server.stop(), await relay.kill()) };
}

/** Which way each side takes; none: no relay at all. */
const WAYS = [
  ["udp", "udp"],
  ["tcp", "tcp"],
  ["tls", "tls"],
  ["udp", null],
  ["udp", "tcp"],
];

for (const [whose, start] of /** @type {const} */ ([["its own relay", ownRelay], ["a coturn", coturn]])) {
  test(`words and pictures go through ${whose}`, async (t) => {
    const { server, close } = await start();
    t.after(close);
    for (const [first, second] of WAYS) {
      const name = `${first} to ${second ?? "no relay"}`;
      await t.test(name, async (t) => {
        const room = name.replaceAll(" ", "-");
        const [ada, bob] = await Promise.all([first, second].map(async (way, place) => {
          const page = await Relayed.page(started.browser);
          t.after(() => page.close());
          return page.enter(site.url, server.url, { room, peer: ["ada", "bob"][place] });
        }));
        const began = Date.now();
        await Promise.all([ada.callsBy("bob", first), bob.callsBy("ada", second)]);
        await Promise.all([ada.connected(), bob.connected()]);
        const connected = Date.now() - began;
        await Promise.all([ada.talks(), bob.talks()]);
        await Promise.all([ada.hasHeard(10), bob.hasHeard(10), ada.hasSeen(FRAMES), bob.hasSeen(FRAMES)]);
        for (const [side, way] of /** @type {const} */ ([[ada, first], [bob, second]])) {
          const { local } = await side.way();
          assert.equal(local.candidateType === "relay", way !== null, `${side.peer} has ${JSON.stringify(local)}`);
          if (way) assert.equal(local.relayProtocol, way);
        }
        assert.deepEqual([...ada.errors, ...bob.errors], []);
        table.add(`${whose}: ${name}`, "relay", "connected", connected);
      });
    }
  });
}

test("a credential that has run out, is forged or of another secret is told as 401", async (t) => {
  const { server, close } = await ownRelay();
  t.after(close);
  const page = await Relayed.page(started.browser);
  t.after(() => page.close());
  await page.enter(site.url, server.url, { room: "errors", peer: "ada" });
  const sign = (secret, username) => createHmac("sha1", secret).update(username).digest("base64");
  const later = Math.floor(Date.now() / 1000) + 3600;
  const [past, future] = ["1000000000:ada", `${later}:ada`];
  for (const [what, username, credential] of [
    ["run out", past, sign(SECRET, past)],
    ["forged", future, "not the password"],
    ["of another secret", future, sign("another secret", future)],
  ]) {
    for (const transport of ["udp", "tcp", "tls"]) {
      const { codes, candidates } = await page.gathers(transport, { username, credential });
      assert.ok(codes.includes(401), `${what}, ${transport}: ${codes}`);
      assert.equal(candidates, 0, `${what}, ${transport}`);
    }
  }
  const good = await page.gathers("tls", { username: future, credential: sign(SECRET, future) });
  assert.ok(good.candidates > 0, `${good.codes}`);
});
