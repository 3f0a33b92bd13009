/** A page that the browser has frozen, as it does with tabs in the background, and that wakes again. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { LONG } from "./harness/browser.mjs";
import { openGate } from "./harness/gate.mjs";
import { Member, openSite } from "./harness/member.mjs";
import { startServer } from "./harness/server.mjs";
import { putToSleep } from "./harness/sleep.mjs";
import { useStage } from "./harness/stage.mjs";

/** Three heartbeats of the server below, after which a reader that hears nothing counts as dead. */
const NAP = 60;
/** The server waits 90 s for a proof of life. */
const SILENT_MS = 180_000;

const stage = useStage("--heartbeat", "1s", "--away-after", "1s", "--grace", "60s");

/**
 * Ada, who is to sleep, and bob, who looks on and sends her numbers.
 * @param {import("node:test").TestContext} t
 * @param {string} room @param {string} transport
 * @param {{url?: string, every?: number}} [ways] url: by which ada reaches the server
 */
async function twoMembers(t, room, transport, { url = stage.url, every } = {}) {
  const site = await openSite();
  t.after(() => site.close());
  const ada = await (await stage.sleeper(t, Member)).enter(site.url, url, { room, peer: "ada", transport });
  const bob = await (await stage.page(t, Member)).enter(site.url, stage.url, { room, peer: "bob" });
  await ada.when(() => window.meeting.room.peers.has("bob"));
  await ada.note("gap", "rejoined", "end", "peer-joined", "peer-left");
  await bob.note("peer-away", "peer-back", "peer-left", "peer-joined");
  await ada.expect("bob");
  const count = await bob.counts("ada", every);
  await ada.hasCounted("bob", 1);
  return { ada, bob, count };
}

/**
 * Ada, who is to sleep, and bob, in a call.
 * @param {import("node:test").TestContext} t
 * @param {{room: string, transport: string}} common
 */
async function inCall(t, common, url = stage.url) {
  const ada = await (await stage.sleeper(t)).enter(url, { ...common, peer: "ada" });
  const bob = await stage.join(t, { ...common, peer: "bob" }, url);
  await Promise.all([ada.connectedWith("bob"), bob.connectedWith("ada")]);
  return [ada, bob];
}

/** Ada wakes: everything is there, and nobody was told anything that is not so. */
async function wakesWell(sleep, { ada, bob, count }) {
  const slept = await sleep.slept();
  const missed = await count.sent();
  const woke = await sleep.wake();
  await ada.hasCounted("bob", missed);
  const seen = Date.now() - woke;
  // The flow goes on after what had piled up.
  await count.reaches(missed + 2);
  const { sent, refused } = await count.stop();
  assert.deepEqual(refused, []);
  await ada.hasAll("bob", sent);
  assert.deepEqual(await ada.story(), []);
  await bob.when(() => window.meeting.room.peers.get("ada")?.state === "live");
  return { sent, seen, seconds: Math.round(slept / 1000) };
}

for (const transport of ["sse", "poll"]) {
  test(`a page that was asleep for seconds has missed nothing, on ${transport}`, async (t) => {
    const { ada, bob, count } = await twoMembers(t, `nap-${transport}`, transport);
    await ada.hasCounted("bob", 10);
    const sleep = await putToSleep(ada);
    // A stream stays open while its page sleeps, so that only who polls is seen to be away.
    if (transport === "poll") await bob.noted("peer-away", "ada");
    await count.reaches((await count.sent()) + NAP);
    const { sent, seen, seconds } = await wakesWell(sleep, { ada, bob, count });
    stage.table.add(`page asleep for ${seconds} s`, transport, `${sent} signals, each once, in order`, seen);
    await bob.sawAway("ada", transport === "poll" ? 1 : 0);
  });

  test(`a page that lost its network in its sleep is away and comes back, on ${transport}`, async (t) => {
    const gate = await openGate(stage.url);
    t.after(() => gate.close());
    const { ada, bob, count } = await twoMembers(t, `lid-${transport}`, transport, { url: gate.url });
    const sleep = await putToSleep(ada);
    gate.cut();
    await bob.noted("peer-away", "ada");
    await count.reaches((await count.sent()) + NAP);
    gate.mend();
    const { sent, seen, seconds } = await wakesWell(sleep, { ada, bob, count });
    stage.table.add(`asleep for ${seconds} s, connections cut`, transport, `${sent} signals, each once, in order`, seen);
    await bob.sawAway("ada", 1);
  });

  test(`a page in a call sleeps and wakes, and the call goes on, on ${transport}`, async (t) => {
    const [ada, bob] = await inCall(t, { room: `call-${transport}`, transport });
    await ada.note("gap", "rejoined", "end", "session-ended", "peer-left", "peer-joined");
    await bob.note("peer-away", "peer-back", "session-ended", "peer-left", "peer-joined");
    await ada.expect("bob");
    const count = await bob.counts("ada");
    await ada.hasCounted("bob", 10);
    const sleep = await putToSleep(ada);
    if (transport === "poll") await bob.noted("peer-away", "ada");
    await bob.say("are you asleep?");
    await count.reaches((await count.sent()) + NAP);
    const call = await bob.page.evaluate(() => window.connections[0].connectionState);
    const { sent, seen, seconds } = await wakesWell(sleep, { ada, bob, count });
    await ada.hears("are you asleep?");
    await ada.say("not any more");
    await bob.hears("not any more");
    await Promise.all([ada.connectedWith("bob"), bob.connectedWith("ada")]);
    await Promise.all([ada.seesMove("bob"), bob.seesMove("ada")]);
    stage.table.add(`asleep for ${seconds} s in a call`, transport, `${sent} signals once; call ${call} all along`, seen);
    await bob.sawAway("ada", transport === "poll" ? 1 : 0);
    assert.equal(await ada.page.evaluate(() => window.connections.length), 1);
  });
}

test("what a stream brought while its page slept is not thrown away when it wakes", async (t) => {
  const { ada, bob, count } = await twoMembers(t, "much", "sse", { every: 5 });
  const sleep = await putToSleep(ada);
  // More than the server keeps of what it has written.
  await count.reaches((await count.sent()) + 600);
  const { sent, seen, seconds } = await wakesWell(sleep, { ada, bob, count });
  stage.table.add(`asleep for ${seconds} s, much to read`, "sse", `${sent} signals, each once, in order`, seen);
  await bob.sawAway("ada", 0);
});

test("a stream whose page gives no proof of life is closed, and the page catches up when it wakes", { skip: LONG }, async (t) => {
  const { ada, bob, count } = await twoMembers(t, "silent", "sse", { every: 1_000 });
  bob.page.setDefaultTimeout(SILENT_MS);
  // The library does the same with the first event after 30 s without a request.
  await ada.page.evaluate(async () => {
    const { url, name, peer } = window.meeting.room;
    const key = Object.keys(sessionStorage).find((each) => each.startsWith("switchboard:peer:"));
    const { token } = JSON.parse(sessionStorage.getItem(key));
    await fetch(`${url}/rooms/${name}/peers/${peer}/alive`, { method: "POST", headers: { authorization: `Bearer ${token}` } });
  });
  const sleep = await putToSleep(ada);
  const away = await bob.noted("peer-away", "ada");
  const { sent, seen, seconds } = await wakesWell(sleep, { ada, bob, count });
  stage.table.add(`asleep for ${seconds} s without proof of life`, "sse", `${sent} signals, each once, in order`, seen);
  assert.equal(away.detail.grace_ms, 60_000);
  await bob.sawAway("ada", 1);
});

test("a page that slept for longer than its grace is told so, and can join again", async (t) => {
  const strict = await startServer("--away-after", "1s", "--grace", "3s");
  t.after(() => strict.stop());
  const [ada, bob] = await inCall(t, { room: "strict", transport: "poll" }, strict.url);
  await bob.note("session-ended", "peer-left", "peer-joined");
  const sleep = await putToSleep(ada);
  // Its poll is answered by this; the next one it can't make.
  await bob.page.evaluate(() => window.meeting.room.send({ to: "ada", type: "wake-up" }));
  const left = await bob.noted("peer-left", "ada");
  assert.equal(left.detail.reason, "timeout");
  await bob.tile("ada", `[data-state="ended"][data-reason="timeout"][data-presence="gone"]`);
  const slept = await sleep.slept();
  const woke = await sleep.wake();
  await ada.until(`html[data-signaling="ended"]`);
  stage.table.add(`asleep for ${(slept / 1000).toFixed(0)} s, the grace was 3 s`, "poll", "told that it timed out", Date.now() - woke);
  assert.match(await ada.text("banner"), /heard nothing from this page for too long\. Join again to go on/);
  await ada.press("banner-action");
  await Promise.all([ada.connectedWith("bob"), bob.connectedWith("ada")]);
  assert.deepEqual(await bob.story(), ["session-ended ada", "peer-left ada", "peer-joined ada"]);
});
