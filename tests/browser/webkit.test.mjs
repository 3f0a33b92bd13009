/** The library in WebKitGTK: both transports, without calls, since Debian builds it without WebRTC. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openGate } from "./harness/gate.mjs";
import { Member, openSite } from "./harness/member.mjs";
import { startServer } from "./harness/server.mjs";
import { WebKitPage, startDisplay } from "./harness/webkit.mjs";

const PRESENCE = ["peer-away", "peer-back", "peer-left", "peer-joined"];
const FAULTS = ["gap", "rejoined", "end"];
/** The stream has to show within this time that it is not held back. */
const PROOF_MS = 5_000;
/** How much later than it should anything may be on a busy machine. */
const BUSY_MS = 15_000;

let server, site, display;

before(async () => {
  [server, site, display] = await Promise.all([startServer("--heartbeat", "1s", "--away-after", "1s", "--grace", "60s"), openSite(), startDisplay()]);
});
after(async () => {
  site?.close();
  await Promise.all([display?.close(), server?.stop()]);
});

/**
 * @param {import("node:test").TestContext} t
 * @param {{room: string, peer: string, transport?: string}} membership
 */
async function enter(t, membership, url = server.url) {
  const page = await WebKitPage.open(display);
  t.after(() => page.kill());
  return new Member(/** @type {any} */ (page)).enter(site.url, url, membership);
}

/** Ada, on the transport to be tried, and bob; each knows of the other and sends it numbers. */
async function twoCount(t, room, transport, url) {
  const [ada, bob] = await Promise.all([enter(t, { room, peer: "ada", transport }, url), enter(t, { room, peer: "bob" })]);
  await ada.when(() => window.meeting.room.peers.has("bob"));
  await bob.when(() => window.meeting.room.peers.has("ada"));
  await Promise.all([ada.note(...FAULTS, ...PRESENCE, "transport"), bob.note(...FAULTS, ...PRESENCE, "transport")]);
  await Promise.all([ada.expect("bob"), bob.expect("ada")]);
  const counts = await Promise.all([ada.counts("bob"), bob.counts("ada")]);
  await Promise.all([ada.hasCounted("bob", 5), bob.hasCounted("ada", 5)]);
  return { ada, bob, counts };
}

/** Each number has come once and in order, both ways. */
async function allCame({ ada, bob, counts }) {
  const [ofAda, ofBob] = await Promise.all(counts.map((count) => count.stop()));
  assert.deepEqual([...ofAda.refused, ...ofBob.refused], []);
  await Promise.all([ada.hasAll("bob", ofBob.sent), bob.hasAll("ada", ofAda.sent)]);
}

test("the browser is one without WebRTC, and its events come by the stream all the same", async (t) => {
  const { ada, bob, counts } = await twoCount(t, "auto", "auto");
  t.diagnostic(`WebKitGTK ${ada.page.version}; RTCPeerConnection is ${await ada.page.evaluate(() => typeof RTCPeerConnection)}`);
  const began = Date.now();
  // By then a stream that had not shown that it passes would have been given up.
  await counts[1].reaches(Math.ceil((2 * PROOF_MS) / 50));
  assert.ok(Date.now() - began > PROOF_MS);
  await allCame({ ada, bob, counts });
  assert.deepEqual(await Promise.all([ada, bob].map(({ page }) => page.evaluate(() => window.meeting.room.transport))), ["sse", "sse"]);
  assert.deepEqual([await ada.story(), await bob.story()], [[], []]);
});

for (const transport of ["sse", "poll"]) {
  test(`a page that loses the network is away, comes back and has missed nothing, on ${transport}`, async (t) => {
    const gate = await openGate(server.url);
    t.after(() => gate.close());
    const { ada, bob, counts } = await twoCount(t, `cut-${transport}`, transport, gate.url);
    assert.equal(await ada.page.evaluate(() => window.meeting.room.transport), transport);
    gate.cut();
    await bob.noted("peer-away", "ada");
    await counts[1].reaches((await counts[1].sent()) + 20);
    gate.mend();
    await bob.noted("peer-back", "ada");
    await allCame({ ada, bob, counts });
    assert.deepEqual((await ada.story()).filter((word) => word !== "transport"), []);
    await bob.sawAway("ada", 1);
  });

  for (const [what, act] of /** @type {[string, (page: WebKitPage) => Promise<unknown>][]} */ ([
    ["closes its tab", (page) => page.close()],
    ["leaves the room", (page) => page.evaluate(() => window.meeting.room.leave())],
  ])) {
    test(`whoever ${what} has left at once, on ${transport}`, async (t) => {
      const room = `${what.replaceAll(" ", "-")}-${transport}`;
      const [ada, bob] = await Promise.all([enter(t, { room, peer: "ada" }), enter(t, { room, peer: "bob", transport })]);
      await ada.when(() => window.meeting.room.peers.has("bob"));
      await ada.note(...PRESENCE);
      const began = Date.now();
      await act(/** @type {any} */ (bob.page));
      const left = await ada.noted("peer-left", "bob");
      t.diagnostic(`peer-left after ${left.at - began} ms`);
      assert.equal(left.detail.reason, "left");
      assert.ok(left.at - began < BUSY_MS);
      assert.deepEqual(await ada.story(), ["peer-left bob"]);
    });
  }

  test(`a page that is gone back to is told of everything it missed, on ${transport}`, async (t) => {
    const { ada, bob, counts } = await twoCount(t, `back-${transport}`, transport);
    await counts[0].stop();
    await ada.page.goto(`${site.url}/elsewhere`);
    await bob.noted("peer-away", "ada");
    await counts[1].reaches((await counts[1].sent()) + 20);
    await ada.page.goBack();
    await ada.when(() => window.shows?.at(-1)?.startsWith("pageshow"));
    assert.deepEqual(await ada.shows(), ["pagehide persisted", "pageshow persisted"]);
    await bob.noted("peer-back", "ada");
    await allCame({ ada, bob, counts });
    await bob.sawAway("ada", 1);
  });
}

test("changing the transport loses nothing, doubles nothing and keeps the order", async (t) => {
  const { ada, bob, counts } = await twoCount(t, "switching", "sse");
  const changes = ["poll", "sse", "poll", "sse"];
  for (const transport of changes) {
    await ada.page.evaluate((mode) => window.meeting.room.setTransport(mode), transport);
    await ada.when((mode) => window.meeting.room.transport === mode, transport);
    await counts[1].reaches((await counts[1].sent()) + 5);
  }
  await allCame({ ada, bob, counts });
  const notes = await ada.notes();
  assert.deepEqual(notes.map(({ event, detail }) => [event, detail.transport]), changes.map((transport) => ["transport", transport]));
  assert.deepEqual(await bob.story(), []);
});
