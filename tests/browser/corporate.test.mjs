/**
 * Browsers behind a proxy that lets nothing through but CONNECT to port 443, as many companies have it: signaling, and
 * the call through the relay within TLS on the same port. Chromium alone, which takes TURN through such a proxy.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { startBrowser } from "./harness/browser.mjs";
import { makeCertificate } from "./harness/certificate.mjs";
import { freePort } from "./harness/coturn.mjs";
import { Relayed } from "./harness/relayed.mjs";
import { startServer } from "./harness/server.mjs";
import { Table } from "./harness/table.mjs";

const OUTSIDE = "https://127.0.0.1";
const FRAMES = 20;

const table = new Table();
after(() => table.empty || console.log(`\n${table}\n`));

/** @type {Awaited<ReturnType<typeof startServer>>} */
let server;
/** @type {Awaited<ReturnType<typeof startProxy>>} */
let proxy;
before(async () => {
  const { cert, key } = makeCertificate();
  const port = await freePort();
  server = await startServer("--tls-cert", cert, "--tls-key", key, "--turn-listen", `127.0.0.1:${port}`, "--turn-allow-peer", "127.0.0.0/8");
  proxy = await startProxy(Number(new URL(server.url).port));
});
after(async () => {
  proxy?.close();
  await server?.stop();
});

/**
 * A proxy by which nothing is reached but port 443 of one host, which here is another port.
 * @param {number} target
 */
async function startProxy(target) {
  /** @type {Set<import("node:net").Socket>} */
  const open = new Set();
  const refused = new Set();
  const listener = createServer((request, response) => {
    refused.add(`${request.method} ${request.url}`);
    response.writeHead(403).end();
  });
  listener.on("connect", (request, /** @type {import("node:net").Socket} */ client, head) => {
    client.on("error", () => {});
    if (request.url !== "127.0.0.1:443") {
      refused.add(`CONNECT ${request.url}`);
      client.end("HTTP/1.1 403 Forbidden\r\n\r\n");
      return;
    }
    const way = connect(target, "127.0.0.1", () => {
      client.write("HTTP/1.1 200 OK\r\n\r\n");
      way.write(head);
      client.pipe(way).pipe(client);
    });
    for (const socket of [client, way]) {
      open.add(socket);
      socket.on("error", () => [client, way].forEach((one) => one.destroy()));
      socket.on("close", () => open.delete(socket));
    }
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (listener.address());
  const close = () => {
    listener.close();
    for (const socket of open) socket.destroy();
  };
  return { host: "127.0.0.1", port, refused, close };
}

test("from behind a proxy that allows port 443 alone two browsers talk, by TURN within TLS", async (t) => {
  const flags = ["--webrtc-ip-handling-policy=disable_non_proxied_udp"];
  const { browser, kill } = await startBrowser({ kind: "chromium", insecure: true, proxy, flags });
  t.after(kill);
  const [ada, bob] = await Promise.all(["ada", "bob"].map(async (peer) => {
    const page = await Relayed.page(browser);
    return page.enter(`${OUTSIDE}/livez?`, OUTSIDE, { room: "office", peer });
  }));
  const began = Date.now();
  // All that the server tells of, as whoever is there is told: the port that it is reached by is the proxy's affair.
  await Promise.all([ada, bob].map((side) => side.page.evaluate(() => {
    const { room } = window.meeting;
    const outside = (url) => (url.startsWith("turns:") ? url.replace(/:\d+\?/, ":443?") : url);
    room.iceServers = room.iceServers.map((server) => ({ ...server, urls: server.urls.map(outside) }));
  })));
  await Promise.all([ada.callsBy("bob"), bob.callsBy("ada")]);
  await Promise.all([ada.connected(), bob.connected()]);
  const connected = Date.now() - began;
  await Promise.all([ada.talks(), bob.talks()]);
  await Promise.all([ada.hasHeard(10), bob.hasHeard(10), ada.hasSeen(FRAMES), bob.hasSeen(FRAMES)]);
  for (const side of [ada, bob]) {
    const { local, remote } = await side.way();
    assert.equal(local.relayProtocol, "tls", JSON.stringify(local));
    assert.equal(remote.candidateType, "relay", JSON.stringify(remote));
  }
  assert.ok([...proxy.refused].some((asked) => asked.startsWith("CONNECT 127.0.0.1:")), `other ports are closed: ${[...proxy.refused]}`);
  table.add("port 443 by CONNECT alone", "relay", "connected", connected);
});
