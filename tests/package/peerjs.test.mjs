/** A page made for PeerJS, with PeerJS as npm has it, in browsers behind a proxy that no WebSocket gets through. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startBrowser } from "../browser/harness/browser.mjs";
import { startServer } from "../browser/harness/server.mjs";
import { DEADLINE_MS, visit } from "./harness/guest.mjs";
import { openSite } from "./harness/site.mjs";
import { openStrictProxy } from "./harness/strict-proxy.mjs";

const ROUNDS = 20;

let server, site, proxy, chromium;
before(async () => {
  server = await startServer();
  site = await openSite({ server: server.url });
  proxy = await openStrictProxy();
  chromium = await startBrowser({ proxy });
});
after(async () => {
  await chromium?.kill();
  proxy?.close();
  site?.close();
  await server?.stop();
});

/** A page whose PeerJS has said that it is open. */
async function open(t, id) {
  const guest = await visit(t, chromium.browser, `${site.url}/peerjs/${id ? `#${id}` : ""}`);
  await opened(guest, id);
  return guest;
}

async function opened(guest, id) {
  const shown = (id) => (id ? document.getElementById("id").textContent === id : document.getElementById("id").textContent !== "…");
  await guest.page.waitForFunction(shown, { timeout: DEADLINE_MS }, id);
  return guest.page.$eval("#id", (id) => id.textContent);
}

async function call(guest, other) {
  await guest.page.type("#call input", other);
  await guest.page.click("#call button");
}

test("the control: a WebSocket does not get through, and PeerJS alone cannot do without", async (t) => {
  const guest = await visit(t, chromium.browser, `${site.url}/peerjs/#control`);
  await opened(guest, "control");
  const before = proxy.refused();
  const outcome = await guest.page.evaluate(
    (url) =>
      new Promise((resolve) => {
        const socket = new WebSocket(`${url.replace("http", "ws")}/elsewhere`);
        socket.onopen = () => resolve("open");
        socket.onclose = () => resolve("closed");
      }),
    site.url,
  );
  assert.equal(outcome, "closed", "a WebSocket of another kind is a real one, and fails");
  assert.ok(proxy.refused() > before, "the proxy refused it");

  const { hostname, port } = new URL(site.url);
  const page = await guest.page.browserContext().newPage();
  await page.goto(`${site.url}/script-tag/index.html`);
  await page.addScriptTag({ url: "/node_modules/peerjs/dist/peerjs.min.js" });
  const error = await page.evaluate((options) => new Promise((resolve) => new Peer("alone", options).on("error", ({ type }) => resolve(type))), {
    host: hostname,
    port: Number(port),
    path: "/",
  });
  assert.equal(error, "network");
});

test("an unmodified PeerJS page has data and a media call in both directions", async (t) => {
  const [ada, bob] = await Promise.all([open(t, "ada"), open(t, "bob")]);
  await call(ada, "bob");
  await ada.logged("connected with bob");
  await bob.logged("connected with ada");
  await ada.say("from ada");
  await bob.logged("ada says: from ada");
  await bob.say("from bob");
  await ada.logged("bob says: from bob");
  await Promise.all([ada.sees(), bob.sees()]);
  for (const guest of [ada, bob]) assert.deepEqual(guest.errors, []);
});

test("a page that asks the server for its id gets one, and the list of the others", async (t) => {
  const ada = await open(t, "");
  const bob = await open(t, "some one");
  const id = await ada.page.$eval("#id", (id) => id.textContent);
  assert.match(id, /^[0-9a-f-]{36}$/);
  const all = () => ada.page.evaluate(() => new Promise((resolve) => peer.listAllPeers(resolve)));
  assert.deepEqual((await all()).sort(), [id, "some one"].sort());
  await call(bob, id);
  await bob.logged(`connected with ${id}`);
  await ada.logged("connected with some one");
});

test("closing a tab closes its connections on the other side", async (t) => {
  const [ada, bob] = await Promise.all([open(t, "ada-2"), open(t, "bob-2")]);
  await call(ada, "bob-2");
  await Promise.all([ada.logged("connected with bob-2"), bob.logged("connected with ada-2"), ada.sees(), bob.sees()]);
  const since = Date.now();
  await bob.leave();
  await ada.logged("bob-2 is gone");
  await ada.logged("call with bob-2 is over");
  t.diagnostic(`told after ${Date.now() - since} ms`);
});

test("disconnect keeps the connections, and reconnect brings the same id back", async (t) => {
  const [ada, bob] = await Promise.all([open(t, "ada-3"), open(t, "bob-3")]);
  await call(ada, "bob-3");
  await Promise.all([ada.logged("connected with bob-3"), bob.logged("connected with ada-3"), bob.sees()]);
  await ada.page.evaluate(() => peer.disconnect());
  await ada.logged("disconnected");
  await bob.page.waitForFunction(
    () => new Promise((resolve) => peer.listAllPeers((ids) => resolve(!ids.includes("ada-3")))),
    { timeout: DEADLINE_MS, polling: 200 },
  );
  await ada.say("still here");
  await bob.logged("ada-3 says: still here");
  await ada.page.evaluate(() => new Promise((resolve) => {
    peer.once("open", resolve);
    peer.reconnect();
  }));
  await bob.say("welcome back");
  await ada.logged("bob-3 says: welcome back");
  await call(bob, "ada-3");
  await ada.logged("connected with bob-3", 2);
  await bob.logged("connected with ada-3", 2);
  assert.ok(!(await bob.log()).some((line) => line.includes("gone")), "nothing was closed meanwhile");
});

test("a destroyed peer's connections close on the other side", async (t) => {
  const [ada, bob] = await Promise.all([open(t, "ada-4"), open(t, "bob-4")]);
  await call(ada, "bob-4");
  await Promise.all([ada.logged("connected with bob-4"), bob.logged("connected with ada-4")]);
  await ada.page.evaluate(() => peer.destroy());
  await bob.logged("ada-4 is gone");
});

test("who is not there is unavailable, and an id is given once", async (t) => {
  const ada = await open(t, "ada-5");
  await call(ada, "nobody");
  await ada.logged("error: peer-unavailable");
  const other = await visit(t, chromium.browser, `${site.url}/peerjs/#ada-5`);
  await other.logged("error: unavailable-id");
});

test("an offer waits for a page that is still on its way", async (t) => {
  const ada = await open(t, "ada-6");
  await call(ada, "bob-6");
  const bob = await open(t, "bob-6");
  await Promise.all([ada.logged("connected with bob-6"), bob.logged("connected with ada-6")]);
  assert.deepEqual((await ada.log()).filter((line) => line.startsWith("error")), []);
});

test(`peers that connect to each other at once connect without a hitch, ${ROUNDS} times of ${ROUNDS}`, async (t) => {
  const guests = [await open(t, "left"), await open(t, "right")];
  const times = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    const ids = [`left-${round}`, `right-${round}`];
    const since = Date.now();
    // Neither waits for the other to be open; each has the connection that it made and the one that it was offered.
    await Promise.all(guests.map((guest, side) => guest.page.evaluate(connectBothWays, ids[side], ids[1 - side], DEADLINE_MS)));
    times.push(Date.now() - since);
    await Promise.all(guests.map((guest) => guest.page.evaluate(() => globalThis.round.destroy())));
  }
  for (const guest of guests) assert.deepEqual(guest.errors, []);
  times.sort((a, b) => a - b);
  t.diagnostic(`data both ways on both connections after ${times[0]} to ${times.at(-1)} ms, in the middle ${times[ROUNDS / 2]} ms`);
});

/** Runs in the page: settles when a word has come on both connections, and fails on any error. */
function connectBothWays(id, other, deadlineMs) {
  return new Promise((resolve, reject) => {
    const words = new Set();
    const peer = (globalThis.round = new Peer(id));
    const use = (connection, way) => {
      // Said again each second: at times Chromium loses what is sent in the very moment in which a channel opens.
      const greet = setInterval(() => connection.open && connection.send("hello"), 1_000);
      connection.on("open", () => connection.send("hello"));
      connection.on("error", (error) => reject(new Error(`${way}: ${error.type}`)));
      connection.on("close", () => {
        clearInterval(greet);
        reject(new Error(`${way}: closed`));
      });
      connection.on("data", () => words.add(way).size === 2 && resolve());
    };
    peer.on("error", (error) => reject(new Error(error.type)));
    peer.on("connection", (connection) => use(connection, "offered"));
    peer.on("open", () => use(peer.connect(other), "made"));
    setTimeout(() => reject(new Error(`only ${[...words]} after ${deadlineMs} ms`)), deadlineMs);
  });
}
