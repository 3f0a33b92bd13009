/** One way through the network, gone by two pages: whether their call comes about, and how well. */

import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { Caller } from "./caller.mjs";
import { echoes } from "./echo.mjs";

/** From joining to the long-poll where a stream is held back. */
const SETTLE_MS = 4_000;
/** How much later than it should anything may be on a busy machine. */
const BUSY_MS = 10_000;
const LAPS = 20;
const NUMBERS = 40;
const LOOK_MS = 100;

/**
 * @typedef {object} Way
 * @property {string} url the server through it
 * @property {string} echo the echo's pages through it
 *
 * @typedef {object} Expected
 * @property {"sse"|"poll"} reader what the pages settle on
 * @property {boolean} websocket whether one passes
 * @property {boolean} [cut] whether the pages wait until their readers are cut
 *
 * @typedef {object} Seen
 * @property {boolean} [websocket]
 * @property {string} [reader]
 * @property {number} [settledMs] from joining to that reader
 * @property {number} [connectedMs] from the page's start to a call that is up
 * @property {number} [lapMs] from sending a signal to its event, half of them sooner
 * @property {string} [cut]
 * @property {number} [noticeMs] from closing a tab to the other page's knowing
 */

/**
 * @param {object} given
 * @param {import("puppeteer-core").Browser} given.browser
 * @param {Way} given.way
 * @param {{url: string, holds: (room: string, peer: string) => Promise<boolean>}} given.server the way to it without anything between
 * @param {string} given.room
 * @param {Expected} given.expected
 * @param {Seen} seen filled in step by step, so that a row that fails shows how far it came
 */
export async function go({ browser, way, server, room, expected }, seen) {
  seen.websocket = await echoes(browser, way.echo);
  const [ada, bob] = await Promise.all([Caller.page(browser), Caller.page(browser)]);
  try {
    await Promise.all([ada.enter(way.url, { room, peer: "ada" }), bob.enter(way.url, { room, peer: "bob" })]);
    await Promise.all([ada.connectedWith("bob"), bob.connectedWith("ada")]);
    if (expected.reader === "poll") await Promise.all([ada, bob].map((page) => page.when(() => window.meeting.room.transport === "poll")));

    await Promise.all([ada, bob].map((page) => page.note("peer-updated", "peer-left", "peer-away", "gap", "rejoined", "problem")));
    await bob.awaitLaps("ada");
    seen.lapMs = median(await bob.laps(await ada.sendLaps("bob", LAPS)));
    await ada.setMeta({ name: "ada", mic: true, camera: true, through: room });
    await bob.noted("peer-updated", "ada");
    if (expected.cut) seen.cut = await acrossCut(ada, bob, /** @type {any} */ (expected.reader));

    const times = await Promise.all([ada.times(), bob.times()]);
    const settled = times.map(({ joined, transports }) => transports[transports.length - 1].at - joined);
    seen.reader = [...new Set(await Promise.all([ada.transport(), bob.transport()]))].join(" and ");
    seen.settledMs = Math.max(...settled);
    seen.connectedMs = Math.max(...times.map(({ connected }) => connected));
    assert.equal(seen.reader, expected.reader, "which reader the pages settled on");
    assert.deepEqual((await Promise.all([ada.warnings(), bob.warnings()])).flat(), [], "what the pages told their users");
    assert.equal(seen.websocket, expected.websocket, "whether a WebSocket passed");
    // Of the two, since one may have been late for want of a processor.
    if (!expected.cut) assert.ok(Math.min(...settled) <= SETTLE_MS, `settled ${settled.map(Math.round)} ms after joining`);
    for (const page of [ada, bob]) {
      const story = await page.story();
      assert.deepEqual(story.filter((told) => /^(gap|rejoined|problem|peer-left)/.test(told)), [], `${page.peer} was told of a fault`);
    }

    seen.noticeMs = await noticeOfClosing(ada, bob);
    await ada.leave();
    await gone(server, room, "ada");
  } finally {
    await Promise.all([ada, bob].map((page) => page.close().catch(() => {})));
  }
}

/**
 * Both wait in silence until a reader is cut, and send each other numbers from then on.
 * @param {Caller} ada @param {Caller} bob @param {"sse"|"poll"} reader
 * @returns {Promise<string>} what became of it
 */
async function acrossCut(ada, bob, reader) {
  await Promise.all([ada.expect("bob"), bob.expect("ada")]);
  await Promise.all([ada.noteReader(), bob.noteReader()]);
  const began = Date.now();
  const cuts = [ada.cut(reader), bob.cut(reader)];
  // A poll that has something to tell is not cut.
  if (reader === "poll") await Promise.all(cuts);
  else await Promise.race([ada.noted("lost"), bob.noted("lost")]);
  const counts = await Promise.all([ada.counts("bob"), bob.counts("ada")]);
  await Promise.all(counts.map((count) => count.reaches(NUMBERS)));
  const done = await Promise.all(counts.map((count) => count.stop()));
  assert.deepEqual(done.map(({ refused }) => refused), [[], []], "numbers that were refused");
  await Promise.all([ada.hasAll("bob", done[1].sent), bob.hasAll("ada", done[0].sent)]);
  const came = await Promise.all([ada.numbers("bob"), bob.numbers("ada")]);
  const [first, second] = await Promise.all(cuts);
  const after = Math.min(first.lostAt, second.lostAt) - began;
  return `cut after ${seconds(after)}, back after ${seconds(Math.max(first.awayMs, second.awayMs))}, ${came.flat().length} of ${done[0].sent + done[1].sent} numbers in order`;
}

/** Closes bob's tab, and says how long ada takes to know, in milliseconds. @param {Caller} ada @param {Caller} bob */
async function noticeOfClosing(ada, bob) {
  await ada.note("peer-left");
  const began = Date.now();
  await bob.closeTab();
  const left = await ada.noted("peer-left", "bob");
  assert.equal(left.detail.reason, "left", "why bob went");
  return left.at - began;
}

/** Who leaves is not waited for. @param {Parameters<typeof go>[0]["server"]} server @param {string} room @param {string} peer */
async function gone(server, room, peer) {
  for (const deadline = Date.now() + BUSY_MS; await server.holds(room, peer); await delay(LOOK_MS)) {
    assert.ok(Date.now() < deadline, `${peer} left, and the server still has it`);
  }
}

/** @param {number[]} values */
const median = (values) => [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)];

/** @param {number} ms */
const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
