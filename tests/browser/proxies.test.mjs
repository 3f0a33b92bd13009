/**
 * Through what stands between browsers and servers: real proxies and what a small one of our own does to them.
 * LAB picks rows by a part of their name, BROWSER one of the browsers.
 */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startBrowser } from "./harness/browser.mjs";
import { load, startServer } from "./harness/server.mjs";
import { openEcho } from "./lab/echo.mjs";
import { Findings } from "./lab/report.mjs";
import { go } from "./lab/row.mjs";
import { isCut, ROWS } from "./lab/rows.mjs";

/** Longer than any proxy here bears silence. */
const QUIET = "60s";
const ROW_MS = 120_000;

const { LAB = "", BROWSER } = process.env;
const findings = new Findings();
/** @type {Awaited<ReturnType<typeof openServer>>} */
let usual;
/** @type {Awaited<ReturnType<typeof openServer>>} */
let quiet;
/** @type {Awaited<ReturnType<typeof openEcho>>} */
let echo;

/** @param {...string} options */
async function openServer(...options) {
  const { url, stop } = await startServer(...options);
  const holds = async (/** @type {string} */ room, /** @type {string} */ peer) => {
    const response = await fetch(`${url}/rooms/${room}/peers`);
    return (await response.json()).peers.some((/** @type {{peer: string}} */ each) => each.peer === peer);
  };
  return { url, stop, holds, address: new URL(url).host };
}

before(async () => {
  // One after the other, so that what has started is known by its name when the next one fails.
  usual = await openServer();
  quiet = await openServer("--heartbeat", QUIET);
  echo = await openEcho();
});

after(async () => {
  console.log(`\n${findings}\n`);
  echo?.close();
  await Promise.all([usual?.stop(), quiet?.stop()]);
});

for (const kind of /** @type {const} */ (["chromium", "firefox"])) {
  if (BROWSER && BROWSER !== kind) continue;
  describe(`in ${kind}`, () => {
    /** Shared by all rows but those that are the browser's own proxy. @type {Awaited<ReturnType<typeof startBrowser>>|undefined} */
    let shared;
    after(() => shared?.kill());

    for (const [number, row] of ROWS.entries()) {
      if (!row.name.includes(LAB)) continue;
      test(`${row.name}: two pages get their call, by ${row.reader}`, { timeout: ROW_MS }, async (t) => {
        const server = isCut(row) ? quiet : usual;
        const { browser, way } = row.between ? await between(t, kind, row.between, server) : await ahead(t, row, server);
        const seen = {};
        const line = { name: row.name, kind, idle: row.idle };
        try {
          const opened = browser ?? (shared ??= await startBrowser({ kind, insecure: true })).browser;
          await go({ browser: opened, way, server, room: `row-${number}-${kind}`, expected: { reader: row.reader, websocket: row.websocket, cut: isCut(row) } }, seen);
          findings.add({ ...line, ...seen });
        } catch (error) {
          findings.add({ ...line, ...seen, failed: true });
          throw error;
        }
      });
    }
  });
}

for (const row of ROWS.filter(({ name }) => name.includes("by the recipe") && name.includes(LAB))) {
  test(`${row.name}: the page of commands has the address and the port that were asked for`, async (t) => {
    const { way } = await ahead(t, row, usual);
    assert.ok((await load(`${way.url}/`)).includes(`curl -s ${way.url}/livez\n`));
  });
}

/**
 * One before the server and one before the echo, for a browser that knows of neither.
 * @param {import("node:test").TestContext} t
 * @param {import("./lab/rows.mjs").Row} row
 * @param {{address: string}} server
 */
async function ahead(t, row, server) {
  const start = /** @type {import("./lab/reverse.mjs").Reverse} */ (row.before);
  const scheme = row.secure ? "https" : "http";
  const proxies = await Promise.all([server.address, echo.address].map(async (address) => {
    const proxy = await start(address);
    t.after(() => proxy.stop());
    return `${scheme}://127.0.0.1:${proxy.port}`;
  }));
  return { browser: undefined, way: { url: proxies[0], echo: proxies[1] } };
}

/**
 * A browser of its own, which has been told of the proxy.
 * @param {import("node:test").TestContext} t
 * @param {import("./harness/browser.mjs").Kind} kind
 * @param {import("./lab/forward.mjs").Forward} start
 * @param {{url: string}} server
 */
async function between(t, kind, start, server) {
  const proxy = await start();
  t.after(() => proxy.stop());
  const { browser, kill } = await startBrowser({ kind, insecure: true, proxy: { host: "127.0.0.1", port: proxy.port } });
  t.after(kill);
  return { browser, way: { url: server.url, echo: `http://${echo.address}` } };
}
