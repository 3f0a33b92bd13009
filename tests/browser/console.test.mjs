/** The operators' console against calls that are made meanwhile: what it draws is what was sent, and what it says of a call is so. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Hoarder } from "../client/harness/server.mjs";
import { LONG } from "./harness/browser.mjs";
import { Caller } from "./harness/caller.mjs";
import { Console, EXPECTED, OPERATOR } from "./harness/console.mjs";
import { startServer, startServerAt } from "./harness/server.mjs";
import { useStage } from "./harness/stage.mjs";
import { Wire } from "./harness/wire.mjs";

const MANNER = ["--operator-token", OPERATOR, "--away-after", "300ms", "--grace", "2s"];

const stage = useStage(...MANNER);

/** @param {import("node:test").TestContext} t @param {string} [url] */
async function operate(t, url = stage.url) {
  const page = await stage.page(t, Console);
  return page.open(url);
}

/** Two peers of a room, and what they have sent. @param {string} room @param {string} [url] */
async function pair(room, url = stage.url) {
  /** @type {import("./harness/wire.mjs").Sent[]} */
  const sent = [];
  const ada = await Wire.join(url, room, "ada", sent);
  const bob = await Wire.join(url, room, "bob", sent);
  return { ada, bob, sent };
}

/** An ordinary call. @param {Wire} ada @param {Wire} bob @param {string} session */
async function call(ada, bob, session) {
  await ada.say("bob", "offer", session);
  await ada.candidates("bob", session, 3);
  await bob.say("ada", "answer", session);
  // In turns, so that the arrows of both are folded at once.
  for (let n = 0; n < 2; n += 1) {
    await bob.candidates("ada", session, 1);
    await ada.candidates("bob", session, 1);
  }
}

const text = ({ from, to = "all", type, session = "" }) => `${from} ${to} ${type} ${session}`;

/**
 * The arrows are what was sent: in order for each sender, and in order among all that is no candidate, since those of a side are one arrow.
 * @param {Console} page @param {import("./harness/wire.mjs").Sent[]} sent
 */
async function drawsAll(page, sent) {
  const last = sent[sent.length - 1];
  await page.when((count) => Array.from(document.querySelectorAll("#ladder [data-kind=arrow]"), (row) => Number(/** @type {SVGElement} */ (row).dataset.count)).reduce((sum, one) => sum + one, 0) >= count, sent.length);
  const arrows = await page.arrows();
  for (const peer of new Set(sent.map(({ from }) => from))) {
    const of = (all) => all.filter(({ from }) => from === peer).map(text);
    assert.deepEqual(of(arrows), of(sent), `what ${peer} sent, up to ${text(last)}`);
  }
  const apart = (all) => all.filter(({ type }) => type !== "candidate").map(text);
  assert.deepEqual(apart(arrows), apart(sent));
}

test("ten calls are drawn as they were made, and what became of each is told", { skip: LONG }, async (t) => {
  const page = await operate(t);
  await page.reads("live");
  /** @type {Map<string, {sent: import("./harness/wire.mjs").Sent[], verdict: RegExp}>} */
  const rooms = new Map();

  const pages = async (/** @type {string} */ room) => {
    const sides = await Promise.all(["ada", "bob"].map(async (peer) => (await stage.page(t, Caller)).enter(`${stage.url}/livez?`, stage.url, { room, peer })));
    /** @type {import("./harness/wire.mjs").Sent[]} */
    const sent = [];
    for (const side of sides) {
      side.page.on("request", (request) => {
        if (!request.url().endsWith("/signals") || request.method() !== "POST") return;
        const signals = [JSON.parse(request.postData() ?? "[]")].flat();
        for (const { to, type, session } of signals) sent.push({ from: /** @type {string} */ (side.peer), ...(to && { to }), type, session });
      });
    }
    // Both tell by which way they are connected, once they know.
    const told = sides.map((side) => side.page.waitForRequest((request) => /\/reports$/.test(request.url()) && /"way"/.test(request.postData() ?? "")));
    await Promise.all(sides.map((side, n) => side.calls(["bob", "ada"][n])));
    await Promise.all([...sides.map((side) => side.connected()), ...told]);
    await sides[1].page.evaluate(() => window.call.hangup());
    await sides[0].when(() => window.call.state === "ended");
    rooms.set(room, { sent, verdict: /^connected after [\d.]+ m?s, directly; (ada|bob) hung up after / });
  };
  await Promise.all(["pages-1", "pages-2"].map(pages));

  for (const n of [1, 2, 3]) {
    const room = `plain-${n}`;
    const { ada, bob, sent } = await pair(room);
    assert.equal(ada.reports, true);
    await call(ada, bob, `s${n}`);
    await ada.say("", "chat");
    await bob.say("ada", "chat", `s${n}`);
    await (n === 1 ? ada : bob).say(n === 1 ? "bob" : "ada", "bye", `s${n}`);
    await ada.isRefused("bob", "candidate", `s${n}`, 410);
    rooms.set(room, { sent, verdict: n === 1 ? /^answered after .+; ada hung up after / : /^answered after .+; bob hung up after / });
  }

  for (const [way, words] of [["relay-tls", "through the relay by TLS"], ["relay-udp", "through the relay"]]) {
    const room = `reported-${way}`;
    const { ada, bob, sent } = await pair(room);
    await call(ada, bob, "s");
    await ada.report({ session: "s", ice: "connected", way });
    await bob.report({ session: "s", ice: "connected" });
    await bob.leave();
    rooms.set(room, { sent, verdict: new RegExp(`^connected after .+, ${words}; bob left after `) });
  }

  const unanswered = await pair("unanswered");
  await unanswered.ada.say("bob", "offer", "s");
  await unanswered.ada.candidates("bob", "s", 2);
  await unanswered.ada.say("bob", "bye", "s");
  rooms.set("unanswered", { sent: unanswered.sent, verdict: /^offered, never answered(: bob had no reader open)?; ada hung up after / });

  const silent = await pair("no-candidate");
  await silent.ada.say("bob", "offer", "s");
  await silent.ada.candidates("bob", "s", 4);
  await silent.bob.say("ada", "answer", "s");
  await silent.ada.report({ session: "s", ice: "failed" });
  rooms.set("no-candidate", { sent: silent.sent, verdict: /^answered after .+, no candidate from bob; ICE failed at ada after / });

  const lost = await pair("lost-peer");
  await Promise.all([lost.ada.reads(), lost.bob.reads()]);
  await call(lost.ada, lost.bob, "s");
  await lost.ada.report({ session: "s", ice: "connected", way: "direct" });
  lost.bob.drops();
  rooms.set("lost-peer", { sent: lost.sent, verdict: /^connected after .+, directly; bob lost \(timeout\) after / });

  assert.equal(rooms.size, 10);
  for (const [room, { sent, verdict }] of rooms) {
    await page.room(room);
    await page.verdict(verdict);
    await drawsAll(page, sent);
    assert.equal((await page.verdicts()).length, 1, room);
  }

  // What is no signal is told too.
  await page.room("lost-peer");
  assert.match((await page.row({ kind: "left", peer: "bob" })).words, /bob lost \(timeout\)/);
  const kinds = (await page.rows()).filter(({ peer, kind }) => peer === "bob" && kind !== "arrow").map(({ kind }) => kind);
  assert.deepEqual(kinds, ["joined", "away", "left"]);
  assert.match((await page.row({ kind: "ended" })).words, /ended \(timeout\): bob lost \(timeout\) after/);
  await page.room("plain-2");
  assert.equal((await page.row({ kind: "refused" })).slug, "session-over");
  await page.room("no-candidate");
  assert.equal((await page.row({ kind: "ice", peer: "ada" })).ice, "failed");

  // Whom somebody called and did not reach is marked; so it is for who looks for nothing else.
  await page.lists(/^no-candidate: 2 peers.*, 1 failed$/);
  await page.lists(/^lost-peer: .*, 1 failed$/);
  await page.lists(/^plain-1: 2 peers.*, $/);
  await page.overview();
  await page.page.click("#which label:last-child");
  await page.when(() => document.querySelectorAll("#rooms li").length === 3);
  assert.deepEqual((await page.rooms()).map((line) => line.split(":")[0]).sort(), ["lost-peer", "no-candidate", "unanswered"]);
  await page.when(() => Number(document.querySelector("#figures-now div:last-child dd")?.textContent) === 3);
  assert.match(await page.when(() => /^\d+ answers? since/.test(document.getElementById("setup-word")?.textContent ?? "") && document.getElementById("setup-word")?.textContent), /half within/);
  await page.when(() => /^\d+ ends? since the server started/.test(document.getElementById("ends-word")?.textContent ?? ""));
  await page.when(() => document.querySelectorAll("#readers .area").length > 0);
  lost.ada.drops();
  assert.deepEqual(page.errors, []);
});

test("one session alone, the newest line and who scrolls away from it, and the ladder as text", { skip: LONG }, async (t) => {
  const page = await operate(t);
  const { ada, bob, sent } = await pair("closer");
  await Promise.all([ada.reads(), bob.reads()]);
  await call(ada, bob, "one");
  await ada.say("bob", "offer", "two");
  await page.room("closer");
  await page.row({ kind: "arrow", type: "offer", session: "two" });

  const all = (await page.rows()).length;
  await page.page.click(`#sessions [data-session="one"] button`);
  await page.when(() => !document.querySelector(`#ladder [data-session="two"]`));
  assert.ok((await page.arrows()).every(({ session }) => session === "one"));
  assert.equal(await page.page.$eval(`#sessions [data-session="one"] button`, (button) => button.getAttribute("aria-pressed")), "true");
  await page.page.click("#sessions li:first-child button");
  await page.when((count) => document.querySelectorAll("#ladder [data-kind]").length >= count, all);
  await drawsAll(page, sent);

  const scroll = () => page.page.$eval("#ladder-scroll", ({ scrollTop, scrollHeight, clientHeight }) => ({ left: scrollHeight - clientHeight - scrollTop, scrollTop, over: scrollHeight > clientHeight }));
  for (let n = 0; n < 30; n += 1) await ada.say("bob", "chat", undefined, n);
  await drawsAll(page, sent);
  const end = await scroll();
  assert.ok(end.over && end.left < 2, JSON.stringify(end));
  await page.page.$eval("#ladder-scroll", (box) => (box.scrollTop = 40));
  await page.when(() => !document.getElementById("newest")?.hidden);
  await bob.say("ada", "chat", undefined, "more");
  assert.equal(await page.when(() => /1 new line/.test(document.getElementById("newest")?.textContent ?? "") && document.getElementById("newest")?.textContent), "1 new line below");
  assert.equal((await scroll()).scrollTop, 40);
  await page.page.click("#newest");
  assert.ok((await scroll()).left < 2);

  await page.page.evaluate(() => Object.defineProperty(navigator, "clipboard", { value: { writeText: async (copied) => void (window.copied = copied) } }));
  await page.page.click("#copy");
  const copied = await page.when(() => window.copied);
  for (const part of ["Room closer at", "[one] ada -> bob", "ada -> bob: candidate ×3 [one]", "bob -> ada: answer", "bob joined (order 1)", "ada -> bob: chat, "]) assert.ok(copied.includes(part), `${part} in ${copied}`);
  for (const secret of [OPERATOR, "candidate:", "\"a\":1"]) assert.ok(!copied.includes(secret), secret);
  for (const wire of [ada, bob]) wire.drops();
  assert.deepEqual(page.errors, []);
});

test("a peer is kicked and a room closed, and they are told why", { skip: LONG }, async (t) => {
  const page = await operate(t);
  const { ada, bob } = await pair("operated");
  await call(ada, bob, "s");
  await page.room("operated");
  await page.verdict(/^answered/);
  const told = [bob.ended(), ada.ended()];
  await page.page.click(`[data-testid="kick-bob"]`);
  await page.confirm("too loud, ünd so on");
  assert.deepEqual(await told[0], { reason: "kicked", retry: "never", detail: "too loud, ünd so on" });
  assert.equal((await page.row({ kind: "left", peer: "bob" })).reason, "kicked");
  await page.verdict(/; bob kicked after /);
  await page.when(() => document.querySelector(`#peers [data-peer="bob"]`)?.getAttribute("data-state") === "gone");

  await page.page.click("#close");
  // Whoever changes his mind has done nothing.
  await page.page.waitForSelector("#dialog[open]");
  await page.page.keyboard.press("Escape");
  await page.when(() => !document.querySelector("#dialog[open]"));
  await page.page.click("#close");
  await page.confirm("maintenance");
  assert.deepEqual(await told[1], { reason: "room-closed", retry: "never", detail: "maintenance" });
  assert.equal((await page.row({ kind: "left", peer: "ada" })).reason, "room-closed");
  await page.lists(/^operated: over/);
  assert.deepEqual(page.errors, []);
});

test("the way by which each peer reads is on its line of time, with why it ended", { skip: LONG }, async (t) => {
  const page = await operate(t);
  const { ada, bob } = await pair("reading");
  await page.room("reading");
  await bob.reads();
  await page.when(() => /reads by event stream/.test(document.querySelector(`#peers [data-peer="bob"] .peer-word`)?.textContent ?? ""));
  await bob.reads();
  const spoken = await page.when(() => {
    const words = document.querySelector(`#peers [data-peer="bob"] svg`)?.getAttribute("aria-label") ?? "";
    return /newer one/.test(words) && words;
  });
  assert.match(spoken, /^bob: event stream from .+: a newer one took its place; event stream from /);
  bob.drops();
  await page.when(() => /^away/.test(document.querySelector(`#peers [data-peer="bob"] .peer-word`)?.textContent ?? ""));
  await page.when(() => document.querySelectorAll(`#peers [data-peer="bob"] .away`).length === 1);
  await page.page.click("#with-readers");
  await page.row({ kind: "reader", peer: "bob" });
  await ada.leave();
  assert.deepEqual(page.errors, []);
});

test("behind a way that holds responses the console reads by long-poll, and misses nothing", { skip: LONG }, async (t) => {
  const scanner = await Hoarder.start(stage.url);
  t.after(() => scanner.stop());
  const page = await operate(t, scanner.url);
  await page.reads("poll");
  const { ada, bob, sent } = await pair("scanned");
  await call(ada, bob, "s");
  await page.room("scanned");
  await drawsAll(page, sent);
  await bob.say("ada", "bye", "s");
  await page.verdict(/^answered .*; bob hung up after/);
  await drawsAll(page, sent);
  assert.equal(await page.page.$eval("#feed", ({ textContent }) => textContent), "By long-poll");
  const cursors = page.requests.filter((url) => url.includes("/history"));
  assert.ok(cursors.length > 2 && cursors.every((url) => /\/history(\?wait=\d+)?$/.test(url)), cursors.join(" "));
});

test("a server that goes and comes back is read on, with a mark where lines are missing", { skip: LONG }, async (t) => {
  const first = await startServer(...MANNER);
  let running = first;
  t.after(() => running.stop());
  const page = await operate(t, first.url);
  await page.reads("live");
  const before = await pair("restarted", first.url);
  await before.ada.say("bob", "chat");
  await page.room("restarted");
  await drawsAll(page, before.sent);
  await first.stop();
  await page.reads("reconnecting");
  running = await startServerAt(new URL(first.url).host, ...MANNER);
  await page.reads("live");
  await page.row({ kind: "gap" });
  await page.lists(/^restarted: over/);
  const after = await pair("restarted", first.url);
  await after.ada.say("bob", "offer", "s");
  await page.row({ kind: "arrow", type: "offer" });
  const kinds = (await page.rows()).map(({ kind, type }) => type ?? kind).filter((kind) => kind !== "pause");
  assert.deepEqual(kinds, ["joined", "joined", "chat", "gap", "joined", "joined", "offer"]);
  await page.lists(/^restarted: 2 peers/);
  assert.deepEqual(page.errors.filter((error) => !EXPECTED.test(error)), []);
});

test("the door says what is wrong with a token, and where there is no operator; the tab keeps it and forgets it", async (t) => {
  const page = await stage.page(t, Console);
  const said = () => page.when(() => !document.getElementById("door-error")?.hidden && document.getElementById("door-error")?.textContent);
  const kept = () => page.page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }, document.cookie, location.href]));
  await page.page.goto(`${stage.url}/console`);
  await page.enter("somebody-elses-word");
  assert.match(await said(), /not this server’s operator’s/);
  assert.ok(!(await kept()).includes("somebody-elses-word"));
  await page.enter(OPERATOR);
  await page.isIn("overview");
  assert.equal((await kept()).split(OPERATOR).length, 2, "in one place");
  await page.page.reload();
  await page.isIn("overview");
  await page.page.click("#forget");
  await page.isIn("door");
  assert.ok(!(await kept()).includes(OPERATOR));
  assert.deepEqual(page.errors.filter((error) => !EXPECTED.test(error)), []);

  const open = await startServer();
  t.after(() => open.stop());
  await page.page.goto(`${open.url}/console`);
  await page.enter(OPERATOR);
  assert.match(await said(), /^No operator is configured on this server/);
});
