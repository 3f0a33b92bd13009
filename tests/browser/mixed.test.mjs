/** Calls between Chromium and Firefox, whoever came first and whoever goes. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startBrowser } from "./harness/browser.mjs";
import { Demo } from "./harness/demo.mjs";
import { startServer } from "./harness/server.mjs";
import { Table } from "./harness/table.mjs";

/** How much later than it should anything may be on a machine that is busy with two browsers. */
const BUSY_MS = 10_000;

const ORDERS = [["chromium", "firefox"], ["firefox", "chromium"]];

let server;
/** @type {Record<string, Awaited<ReturnType<typeof startBrowser>>>} */
const started = {};
const table = new Table();

before(async () => {
  server = await startServer();
  for (const kind of /** @type {const} */ (["chromium", "firefox"])) started[kind] = await startBrowser({ kind });
});
after(async () => {
  for (const { kill } of Object.values(started)) await kill();
  await server?.stop();
  console.log(`\n${table}\n`);
});

/**
 * A call of one browser with the other, each peer named after its browser.
 * @param {import("node:test").TestContext} t
 * @param {string[]} kinds the one that comes first, and so makes the offer, and the other
 * @param {object} [options] of both
 * @returns {Promise<Demo[]>}
 */
async function call(t, room, kinds, options) {
  const demos = [];
  for (const kind of kinds) {
    const demo = await Demo.page(started[kind].browser);
    t.after(() => demo.close());
    demos.push(await demo.enter(server.url, { room, peer: kind, ...options }));
  }
  const [first, second] = demos;
  await Promise.all([first.connectedWith(second.peer), second.connectedWith(first.peer)]);
  return demos;
}

/** Words and pictures reach both. @param {Demo} one @param {Demo} other */
async function talk(one, other, words = "hello") {
  await one.say(`${words} from ${one.peer}`);
  await other.hears(`${words} from ${one.peer}`);
  await other.say(`${words} from ${other.peer}`);
  await one.hears(`${words} from ${other.peer}`);
  await Promise.all([one.seesMove(other.peer), other.seesMove(one.peer)]);
}

for (const kinds of ORDERS) {
  const order = kinds.join(", then ");

  for (const [transport, picture] of /** @type {const} */ ([["sse", true], ["poll", false]])) {
    test(`${order}: words and ${picture ? "drawn pictures" : "cameras"} go both ways, on ${transport}`, async (t) => {
      const [first, second] = await call(t, `talk-${kinds[0]}-${transport}`, kinds, { transport, picture });
      await Promise.all([first.usesTransport(transport), second.usesTransport(transport)]);
      await talk(first, second);
      assert.deepEqual([...first.errors, ...second.errors], []);
    });
  }

  for (const actor of kinds) {
    test(`${order}: ${actor} hangs up, and can be called again by the other`, async (t) => {
      const demos = await call(t, `again-${kinds[0]}-${actor}`, kinds);
      const [one, other] = demos[0].peer === actor ? demos : [demos[1], demos[0]];
      await one.pressOnTile(other.peer, "tile-hangup");
      await other.tile(one.peer, `[data-state="ended"][data-reason="hangup"]`);
      assert.equal(await other.textOnTile(one.peer, "tile-reason"), `${one.peer} hung up`);
      await other.pressOnTile(one.peer, "tile-again");
      await Promise.all([one.connectedWith(other.peer), other.connectedWith(one.peer)]);
      await talk(one, other, "once more");
    });

    test(`${order}: ${actor} closes its tab, and the other learns at once that it left`, async (t) => {
      const demos = await call(t, `closed-${kinds[0]}-${actor}`, kinds, { transport: "sse" });
      const [one, other] = demos[0].peer === actor ? demos : [demos[1], demos[0]];
      await other.note("session-ended", "peer-away", "peer-left");
      const began = Date.now();
      await one.closeTab();
      const left = await other.noted("peer-left", one.peer);
      table.add(`${order}: ${actor}'s tab closed`, "sse", `session-ended, peer-left: ${left.detail.reason}`, left.at - began);
      assert.equal(left.detail.reason, "left");
      assert.ok(left.at - began < BUSY_MS);
      await other.tile(one.peer, `[data-state="ended"][data-reason="left"][data-presence="gone"]`);
      assert.deepEqual(await other.story(), [`session-ended ${one.peer}`, `peer-left ${one.peer}`]);
    });

    test(`${order}: ${actor} restarts ICE, and both agree on new paths`, async (t) => {
      const demos = await call(t, `network-${kinds[0]}-${actor}`, kinds);
      const [one, other] = demos[0].peer === actor ? demos : [demos[1], demos[0]];
      await talk(one, other);
      const fragments = (demo) => demo.page.evaluate(() => /a=ice-ufrag:\S+/.exec(window.connections[0].currentLocalDescription.sdp)[0]);
      const before = await Promise.all([fragments(one), fragments(other)]);
      await one.page.evaluate(() => window.connections[0].restartIce());
      for (const [side, demo] of [one, other].entries()) {
        await demo.when((former) => !window.connections[0].currentLocalDescription.sdp.includes(former) && window.connections[0].signalingState === "stable", before[side]);
      }
      await Promise.all([one.connectedWith(other.peer), other.connectedWith(one.peer)]);
      // Firefox at times takes in nothing more after an ICE restart that has succeeded, so that only Chromium is asked.
      const [chromium, firefox] = demos[0].peer === "chromium" ? demos : [demos[1], demos[0]];
      await firefox.say("still here");
      await chromium.hears("still here");
      await chromium.seesMove("firefox");
      assert.deepEqual(await Promise.all(demos.map(({ page }) => page.evaluate(() => window.connections.length))), [1, 1]);
      assert.deepEqual([...one.errors, ...other.errors], []);
    });
  }
}
