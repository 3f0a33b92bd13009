/** Many tabs of one browser over HTTP/1.1, which opens six connections to a server for all of them together. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Member, openSite } from "./harness/member.mjs";
import { useStage } from "./harness/stage.mjs";

const TABS = 8;
/** How many of them may keep a connection waiting. */
const PLACES = 3;
const ROUNDS = 10;
/** What hangs, hangs until somebody closes a tab; this is far from it, on a machine that is busy. */
const PROMPT_MS = 8_000;
const CONTROL_MS = 4_000;

const stage = useStage();

class Tab extends Member {
  /** Goes to another page, as its visitor does. Drivers may close a tab without the events that a visitor's closing has. */
  async leave() {
    await this.page.goto("about:blank");
  }
}

/**
 * Tabs of one profile, each in the room of its pair.
 * @param {import("node:test").TestContext} t
 * @param {string} room
 * @param {{count?: number, transport?: string, pairs?: boolean, prepare?: () => void}} [how]
 */
async function openTabs(t, room, { count = TABS, transport, pairs = true, prepare } = {}) {
  const site = await openSite();
  t.after(() => site.close());
  const context = await stage.browser.createBrowserContext();
  t.after(() => context.close());
  const tabs = [];
  for (let n = 0; n < count; n += 1) {
    const tab = /** @type {any} */ (await Tab.page(context));
    if (prepare) await tab.page.evaluateOnNewDocument(prepare);
    const began = performance.now();
    await tab.enter(site.url, stage.url, { room: pairs ? `${room}-${n >> 1}` : room, peer: `tab-${n}`, transport });
    tab.joinedMs = performance.now() - began;
    await tab.note("signal", "peer-away", "peer-left", "gap", "end", "transport");
    tabs.push(tab);
  }
  return tabs;
}

const transports = (tabs) => Promise.all(tabs.map((tab) => tab.page.evaluate(() => window.meeting.room.transport)));

/** Waits until so many of these tabs are read for by a stream. */
async function haveStreams(tabs, count) {
  let now = [];
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await new Promise((resolve) => setTimeout(resolve, 100))) {
    now = await transports(tabs);
    if (now.filter((transport) => transport === "sse").length === count && now.every(Boolean)) return now;
  }
  throw new Error(`not ${count} streams but ${now}`);
}

/** Every tab posts numbers to its partner; how long each took to be answered, and to arrive. */
async function talk(tabs, partners, rounds = ROUNDS) {
  const answered = await Promise.all(
    tabs.map((tab, n) =>
      tab.page.evaluate(
        async (to, count) => {
          const took = [];
          for (let round = 0; round < count; round += 1) {
            const began = Date.now();
            await window.meeting.room.send({ to, type: "timed", data: { at: began, round } });
            took.push(Date.now() - began);
            // Not at once, so that each signal is told by itself.
            await new Promise((resolve) => setTimeout(resolve, 700 * Math.random()));
          }
          return took;
        },
        partners[n].peer,
        rounds,
      ),
    ),
  );
  const arrived = await Promise.all(
    partners.map(async (partner, n) => {
      const timed = (from) => window.notes.filter(({ event, detail }) => event === "signal" && detail.type === "timed" && detail.from === from);
      await partner.when((from, count) => window.notes.filter(({ event, detail }) => event === "signal" && detail.type === "timed" && detail.from === from).length >= count, tabs[n].peer, rounds);
      const notes = await partner.page.evaluate(timed, tabs[n].peer);
      assert.deepEqual(notes.map(({ detail }) => detail.data.round), Array.from({ length: rounds }, (_, round) => round), `${tabs[n].peer} to ${partner.peer}`);
      await partner.page.evaluate(() => void (window.notes = []));
      return notes.map(({ detail, at }) => at - detail.data.at);
    }),
  );
  return { answered, arrived };
}

const partnersOf = (tabs) => tabs.map((_, n) => tabs[n ^ 1]);
const middle = (values) => values.slice().sort((a, b) => a - b)[values.length >> 1];

/** @param {string} what @param {Awaited<ReturnType<typeof talk>>} times @param {(string|null)[]} used by the one who hears */
function note(what, { answered, arrived }, used) {
  const posts = answered.flat();
  assert.ok(Math.max(...posts) < PROMPT_MS, `a POST took ${Math.max(...posts)} ms`);
  stage.table.add(what, "all", `POST answered, worst of ${posts.length}: ${Math.max(...posts)} ms, median`, middle(posts));
  for (const transport of ["sse", "poll"]) {
    const times = arrived.filter((_, n) => used[n] === transport).flat();
    if (times.length === 0) continue;
    assert.ok(Math.max(...times) < 2 * PROMPT_MS, `by ${transport} a signal took ${Math.max(...times)} ms`);
    stage.table.add(what, transport, `signal to event, worst of ${times.length}: ${Math.max(...times)} ms, median`, middle(times));
  }
}

const nothingBad = async (tabs) => {
  for (const tab of tabs) {
    const bad = (await tab.notes()).filter(({ event }) => event === "gap" || event === "end" || event === "peer-left");
    assert.deepEqual(bad, [], tab.peer);
  }
};

test("six streams in six tabs leave no connection for a POST, which is what this is about", async (t) => {
  const tabs = await openTabs(t, "control", { count: 6, transport: "sse", pairs: false });
  const post = () =>
    tabs[0].page.evaluate(async (patience) => {
      const began = Date.now();
      const answered = await Promise.race([window.meeting.room.send({ type: "hello", data: 1 }).then(() => true), new Promise((resolve) => setTimeout(resolve, patience, false))]);
      return { answered, tookMs: Date.now() - began };
    }, CONTROL_MS);
  assert.equal((await post()).answered, false);
  stage.table.add("six tabs made to use streams", "sse", "POST not answered", CONTROL_MS);
  await tabs[5].page.close();
  await tabs[0].when(() => window.meeting.room.send({ type: "hello", data: 2 }).then(() => true));
});

test("eight tabs in four calls: each is connected, each POST is answered, and who goes makes room", async (t) => {
  const tabs = await openTabs(t, "pairs");
  const used = await haveStreams(tabs, PLACES);
  stage.table.add("eight tabs of four rooms", "all", `${used.join(" ")}; the last one in`, tabs.at(-1).joinedMs);

  for (const [n, tab] of tabs.entries()) await tab.calls(`tab-${n ^ 1}`);
  for (const tab of tabs) await tab.when(() => window.call.state === "connected");
  note("eight tabs of four rooms", await talk(tabs, partnersOf(tabs)), partnersOf(used));
  await nothingBad(tabs);

  // A whole pair goes, and one of another.
  const going = tabs.filter((_, n) => used[n] === "sse");
  const staying = tabs.filter((_, n) => used[n] !== "sse");
  for (const tab of staying) await tab.page.evaluate(() => void (window.notes = []));
  const began = performance.now();
  for (const tab of going) await tab.leave();
  await haveStreams(staying, PLACES);
  stage.table.add("the three with streams close", "sse", "three others have theirs", performance.now() - began);
  for (const [n, tab] of tabs.entries()) {
    if (!staying.includes(tab) || staying.includes(tabs[n ^ 1])) continue;
    assert.deepEqual((await tab.noted("peer-left")).detail, { peer: `tab-${n ^ 1}`, reason: "left" });
  }
});

test("eight tabs in one room, where there are no Web Locks", async (t) => {
  const prepare = () => Object.defineProperty(Navigator.prototype, "locks", { value: undefined });
  const tabs = await openTabs(t, "lockless", { pairs: false, prepare });
  const used = await haveStreams(tabs, PLACES);
  note("eight tabs of one room, no Web Locks", await talk(tabs, partnersOf(tabs)), partnersOf(used));
  await nothingBad(tabs);
  const going = tabs.find((_, n) => used[n] === "sse");
  const staying = tabs.filter((tab) => tab !== going);
  const began = performance.now();
  await going.leave();
  await haveStreams(staying, PLACES);
  stage.table.add("one with a stream closes", "sse", "another has one", performance.now() - began);
});
