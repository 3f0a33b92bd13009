/** A page that is left and gone back to: out of the back/forward cache, or loaded anew where it was not kept. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KIND } from "./harness/browser.mjs";
import { Member, openSite } from "./harness/member.mjs";
import { Scripted } from "./harness/scripted.mjs";
import { startServer } from "./harness/server.mjs";
import { useStage } from "./harness/stage.mjs";

const stage = useStage("--heartbeat", "1s", "--away-after", "1s", "--grace", "60s");
/** Why the tests of pages that are kept are not run here, if they are not. */
const NEVER_KEPT = KIND === "firefox" && "Firefox keeps no page that has a request open or holds a lock, as every page in a room does";
const PRESENCE = ["session-ended", "peer-away", "peer-back", "peer-left", "peer-joined"];

/**
 * @param {import("node:test").TestContext} t
 * @param {string} room @param {string} transport
 */
async function twoMembers(t, room, transport, url = stage.url) {
  const site = await openSite();
  t.after(() => site.close());
  const ada = await (await stage.page(t, Member)).enter(site.url, url, { room, peer: "ada", transport });
  const bob = await (await stage.page(t, Member)).enter(site.url, url, { room, peer: "bob" });
  await ada.when(() => window.meeting.room.peers.has("bob"));
  await bob.note(...PRESENCE);
  const leave = () => ada.page.goto(`${site.url}/elsewhere`);
  return { ada, bob, leave };
}

/** The page as it was, and not one that was loaded anew. */
async function cameFromCache(ada) {
  await ada.when(() => window.shows?.at(-1)?.startsWith("pageshow"));
  assert.deepEqual(await ada.shows(), ["pagehide persisted", "pageshow persisted"]);
}

for (const transport of ["sse", "poll"]) {
  test(`a page that is gone back to has missed nothing and is who it was, on ${transport}`, { skip: NEVER_KEPT }, async (t) => {
    const { ada, bob, leave } = await twoMembers(t, `back-${transport}`, transport);
    const order = await ada.page.evaluate(() => window.meeting.room.order);
    await ada.note("gap", "rejoined", "end", ...PRESENCE);
    await ada.expect("bob");
    const count = await bob.counts("ada");
    await ada.hasCounted("bob", 5);
    // Some of these are under way as the page goes.
    await bob.expect("ada");
    const own = await ada.counts("bob");
    await own.reaches(5);

    await leave();
    await bob.noted("peer-away", "ada");
    const missed = (await count.sent()) + 20;
    await count.reaches(missed);
    const back = Date.now();
    await ada.page.goBack();
    await cameFromCache(ada);
    await ada.hasCounted("bob", missed);
    const seen = Date.now() - back;
    const [{ sent, refused }, ofAda] = [await count.stop(), await own.stop()];
    assert.deepEqual([...refused, ...ofAda.refused], []);
    await ada.hasAll("bob", sent);
    await bob.hasAll("ada", ofAda.sent);
    await bob.noted("peer-back", "ada");
    assert.deepEqual(await ada.story(), []);
    await bob.sawAway("ada", 1);
    assert.equal(await ada.page.evaluate(() => window.meeting.room.order), order);
    stage.table.add("left and gone back to", transport, `from the cache; ${sent} signals, each once, in order`, seen);
  });

  test(`a page that is gone back to after its grace is told that it timed out, on ${transport}`, { skip: NEVER_KEPT }, async (t) => {
    const strict = await startServer("--away-after", "1s", "--grace", "4s");
    t.after(() => strict.stop());
    const { ada, bob, leave } = await twoMembers(t, `late-${transport}`, transport, strict.url);
    await ada.note("end", "rejoined");
    await leave();
    const left = await bob.noted("peer-left", "ada");
    assert.equal(left.detail.reason, "timeout");
    const back = Date.now();
    await ada.page.goBack();
    await cameFromCache(ada);
    await ada.noted("end");
    stage.table.add("gone back to after its grace", transport, "from the cache; told that it timed out", Date.now() - back);
    assert.deepEqual(await ada.story(), ["end timeout"]);
    assert.equal(await ada.page.evaluate(() => window.meeting.room.state), "ended");
  });
}

test("a call that was hung up does not keep its page out of the cache", { skip: NEVER_KEPT }, async (t) => {
  const { ada, bob, leave } = await twoMembers(t, "hung-up", "sse");
  await Promise.all([ada.calls("bob"), bob.calls("ada")]);
  await Promise.all([ada, bob].map((member) => member.when(() => window.call.channels.get("data").readyState === "open")));
  await ada.page.evaluate(() => window.call.hangup());
  await bob.noted("session-ended", "ada");
  await leave();
  await bob.noted("peer-away", "ada");
  const back = Date.now();
  await ada.page.goBack();
  await cameFromCache(ada);
  await bob.noted("peer-back", "ada");
  stage.table.add("gone back to after a hang-up", "sse", "from the cache; same membership", Date.now() - back);
  assert.deepEqual((await bob.story()).slice(0, 3), ["session-ended ada", "peer-away ada", "peer-back ada"]);
});

test("a page whose call was never answered is kept although it said goodbye, and joins again when gone back to", { skip: NEVER_KEPT }, async (t) => {
  const site = await openSite();
  t.after(() => site.close());
  const ada = await (await stage.page(t, Member)).enter(site.url, stage.url, { room: "unanswered", peer: "ada" });
  // Somebody who is there and answers nothing.
  await Scripted.join(stage.url, "unanswered", "mute");
  const bob = await (await stage.page(t, Member)).enter(site.url, stage.url, { room: "unanswered", peer: "bob" });
  await bob.note(...PRESENCE);
  await ada.when(() => window.meeting.room.peers.has("mute"));
  await ada.note("end", "rejoined");
  await ada.calls("mute");
  await ada.when(() => window.call.pc.signalingState === "have-local-offer");
  await ada.page.goto(`${site.url}/elsewhere`);
  assert.equal((await bob.noted("peer-left", "ada")).detail.reason, "left");
  const back = Date.now();
  await ada.page.goBack();
  await cameFromCache(ada);
  await bob.noted("peer-joined", "ada");
  stage.table.add("gone back to, call never answered", "sse", "from the cache; joined again", Date.now() - back);
  await ada.when(() => window.meeting.room.state === "open" && window.call.state === "ended");
  assert.deepEqual(await ada.story(), ["rejoined"]);
  await ada.expect("bob");
  const count = await bob.counts("ada");
  await ada.hasCounted("bob", 5);
  await ada.hasAll("bob", (await count.stop()).sent);
});

for (const transport of ["sse", "poll"]) {
  test(`a page that is not kept has left at once, and its tab is the same peer when it joins again, on ${transport}`, { skip: !NEVER_KEPT && "Chromium keeps these pages" }, async (t) => {
    const { ada, bob, leave } = await twoMembers(t, `anew-${transport}`, transport);
    const went = Date.now();
    await leave();
    const left = await bob.noted("peer-left", "ada");
    stage.table.add("left, and not kept", transport, `peer-left: ${left.detail.reason}`, left.at - went);
    assert.equal(left.detail.reason, "left");
    await ada.page.goBack();
    assert.equal(await ada.shows(), null);
    await ada.enter(new URL(ada.page.url()).origin, stage.url, { room: `anew-${transport}`, peer: "ada", transport });
    await bob.noted("peer-joined", "ada");
    await ada.expect("bob");
    const count = await bob.counts("ada");
    await ada.hasCounted("bob", 5);
    await ada.hasAll("bob", (await count.stop()).sent);
    assert.deepEqual(await bob.story(), ["peer-left ada", "peer-joined ada"]);
  });

  test(`a page in a call leaves when it is left, and is called again when it is gone back to, on ${transport}`, async (t) => {
    const [ada, bob] = await stage.call(t, { room: `call-${transport}`, transport });
    await bob.note(...PRESENCE);
    await ada.page.evaluate(() => (window.former = true));
    const went = Date.now();
    await ada.page.goto("about:blank");
    const left = await bob.noted("peer-left", "ada");
    stage.table.add("in a call and left", transport, `peer-left: ${left.detail.reason}`, left.at - went);
    assert.equal(left.detail.reason, "left");
    await bob.tile("ada", `[data-state="ended"][data-reason="left"][data-presence="gone"]`);
    const back = Date.now();
    await ada.page.goBack();
    await Promise.all([ada.connectedWith("bob"), bob.connectedWith("ada")]);
    stage.table.add("in a call, left and gone back to", transport, "loaded anew and called again", Date.now() - back);
    assert.equal(await ada.page.evaluate(() => window.former), undefined);
    await ada.say("sorry, wrong button");
    await bob.hears("sorry, wrong button");
    const story = (await bob.story()).filter((word) => !/^peer-(away|back) /.test(word));
    assert.deepEqual(story, ["session-ended ada", "peer-left ada", "peer-joined ada"]);
  });
}
