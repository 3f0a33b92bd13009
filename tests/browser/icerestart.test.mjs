/** The relay that a call goes through dies in its middle; another carries it on, in the same session. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Caller } from "./harness/caller.mjs";
import { freePort, relayAt, startRelay } from "./harness/coturn.mjs";
import { openGate } from "./harness/gate.mjs";
import { openSite } from "./harness/member.mjs";
import { useStage } from "./harness/stage.mjs";

/** A browser takes up to half a minute to notice, and a restart over signaling that was cut comes after that. */
const PATIENCE_MS = 120_000;
const TOLD = ["session-ended", "peer-left", "peer-joined", "gap", "rejoined"];

const stage = useStage("--heartbeat", "1s", "--grace", "60s");
let site;
before(async () => (site = await openSite()));
after(() => site?.close());

/**
 * Ada and bob in a call through relays alone, numbers flowing both ways over its channel and over signaling.
 * @param {import("node:test").TestContext} t
 * @param {string} room
 * @param {RTCIceServer[]} iceServers
 * @param {string} [bobsWay] by which bob reaches the server
 */
async function counting(t, room, iceServers, bobsWay = stage.url) {
  const [ada, bob] = await Promise.all([stage.page(t, Caller), stage.page(t, Caller)]);
  for (const { page } of [ada, bob]) page.setDefaultTimeout(PATIENCE_MS);
  await ada.enter(site.url, stage.url, { room, peer: "ada" });
  await bob.enter(site.url, bobsWay, { room, peer: "bob" });
  await ada.when(() => window.meeting.room.peers.has("bob"));
  await Promise.all([ada.note(...TOLD), bob.note(...TOLD)]);
  await Promise.all([ada.calls("bob", { iceServers, iceTransportPolicy: "relay" }), bob.calls("ada", { iceServers, iceTransportPolicy: "relay" })]);
  await Promise.all([ada.connected(), bob.connected()]);
  await Promise.all([ada.expect("bob"), bob.expect("ada")]);
  const counts = await Promise.all([ada.counts("bob", 100), bob.counts("ada", 100)]);
  await Promise.all([ada.talks(), bob.talks()]);
  await Promise.all([ada.hasCounted("bob", 5), bob.hasCounted("ada", 5), ada.hasHeard(10), bob.hasHeard(10)]);
  return { ada, bob, counts };
}

/**
 * Waits until numbers sent after that moment come through on both sides.
 * @param {{ada: Caller, bob: Caller}} call @param {[number, number]} said @param {number} since
 * @returns {Promise<number>} milliseconds
 */
async function flowsAgain({ ada, bob }, said, since) {
  const came = await Promise.all([ada.hasHeard(said[1]), bob.hasHeard(said[0])]);
  return Math.max(...came) - since;
}

/** Nothing was lost, doubled or begun anew. */
async function wasOneCall({ ada, bob, counts }) {
  const [ofAda, ofBob] = await Promise.all(counts.map((count) => count.stop()));
  const said = await Promise.all([ada.falls(), bob.falls()]);
  assert.deepEqual([...ofAda.refused, ...ofBob.refused], []);
  await Promise.all([ada.hasAll("bob", ofBob.sent), bob.hasAll("ada", ofAda.sent)]);
  await Promise.all([ada.hasHeardAll(said[1]), bob.hasHeardAll(said[0])]);
  assert.deepEqual([await ada.story(), await bob.story()], [[], []]);
  const sessions = await Promise.all([ada.isSame(), bob.isSame()]);
  assert.equal(sessions[0], sessions[1]);
  const paths = await Promise.all([ada.path(), bob.path()]);
  assert.deepEqual(paths.flatMap(({ errors }) => errors), []);
  return { signals: ofAda.sent + ofBob.sent, words: said[0] + said[1], offers: paths.map(({ offers }) => offers) };
}

for (const { name, cut } of [{ name: "the relay dies" }, { name: "the relay dies and signaling is cut with it", cut: true }]) {
  test(`${name}: a restart finds the relay that has come up since, without a new join`, async (t) => {
    const [first, port] = [await startRelay(), await freePort()];
    t.after(() => first.kill());
    const gate = await openGate(stage.url);
    t.after(() => gate.close());
    const call = await counting(t, cut ? "relay-and-signaling" : "relay", [first.server, relayAt(port)], gate.url);
    const { ada, bob } = call;
    const before = await Promise.all([ada.fragment(), bob.fragment()]);

    if (cut) gate.dark();
    await first.kill();
    const gone = Date.now();
    const said = await Promise.all([ada.said(), bob.said()]);
    const second = await startRelay(port);
    t.after(() => second.kill());
    if (cut) {
      // Both have noticed before the first of them can say so.
      await Promise.all([ada, bob].map((side) => side.when(() => ["disconnected", "failed"].includes(window.call.state))));
      gate.mend({ forgetful: true });
    }
    const mended = Date.now();
    const seen = await flowsAgain(call, said, gone);

    await Promise.all([ada.connected(), bob.connected()]);
    assert.equal((await ada.way()).local.candidateType, "relay");
    const now = await Promise.all([ada.fragment(), bob.fragment()]);
    assert.ok(now[0] !== before[0] && now[1] !== before[1], "ICE was restarted on both sides");
    const { states } = await ada.path();
    const noticed = states.find(({ state, at }) => state === "disconnected" && at >= gone);
    const { signals, words, offers } = await wasOneCall(call);
    stage.table.add(`${name}: noticed`, "relay", `ada is disconnected`, (noticed?.at ?? gone) - gone);
    if (cut) stage.table.add(`${name}: signaling mended`, "relay", `bob reaches the server`, mended - gone);
    stage.table.add(`${name}: data flow again`, "relay", `${signals} signals and ${words} numbers, each once, in order; offers ${offers}`, seen);
  });
}
