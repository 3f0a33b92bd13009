/** The relay that a call goes through dies in its middle; another carries it on, in the same session. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Caller } from "./harness/caller.mjs";
import { freePort, relayAt, startRelay } from "./harness/coturn.mjs";
import { Demo } from "./harness/demo.mjs";
import { openGate } from "./harness/gate.mjs";
import { openSite } from "./harness/member.mjs";
import { useStage } from "./harness/stage.mjs";
import { Talk } from "./harness/talk.mjs";

/** A browser takes up to half a minute to notice, and a restart over signaling that was cut comes after that. */
const PATIENCE_MS = 120_000;

const stage = useStage("--heartbeat", "1s", "--grace", "60s");
let site;
before(async () => (site = await openSite()));
after(() => site?.close());

for (const { name, cut } of [{ name: "the relay dies" }, { name: "the relay dies, and signaling is cut with it", cut: true }]) {
  test(`${name}: a restart finds the relay that has come up since, without a new join`, async (t) => {
    const [first, port] = [await startRelay(), await freePort()];
    t.after(() => first.kill());
    const gate = await openGate(stage.url);
    t.after(() => gate.close());
    const [ada, bob] = await Promise.all([stage.page(t, Caller), stage.page(t, Caller)]);
    const room = cut ? "relay-and-signaling" : "relay";
    await ada.enter(site.url, stage.url, { room, peer: "ada" });
    await bob.enter(site.url, gate.url, { room, peer: "bob" });
    const talk = await Talk.begin(ada, bob, { rtcConfig: { iceServers: [first.server, relayAt(port)], iceTransportPolicy: "relay" }, patience: PATIENCE_MS });

    if (cut) gate.dark();
    await first.kill();
    const gone = Date.now();
    const said = await talk.said();
    const second = await startRelay(port);
    t.after(() => second.kill());
    // Both have noticed before either can tell the other.
    if (cut) {
      await talk.lost();
      gate.mend({ forgetful: true });
    }
    const mended = Date.now();
    const flows = await talk.flows(said);

    for (const side of talk.sides) assert.equal((await side.way()).local.candidateType, "relay");
    await talk.wasRestarted();
    stage.table.add(name, "relay", "noticed: disconnected", await talk.noticedAfter(gone));
    if (cut) stage.table.add(name, "relay", "bob reaches the server again", mended - gone);
    stage.table.add(name, "relay", `flows again: ${await talk.wasOne()}`, flows - gone);
  });
}

test("two relays are known and one dies: the other carries the call on", async (t) => {
  const relays = await Promise.all([startRelay(), startRelay()]);
  t.after(() => Promise.all(relays.map((relay) => relay.kill())));
  const [ada, bob] = await Promise.all([stage.page(t, Caller), stage.page(t, Caller)]);
  await ada.enter(site.url, stage.url, { room: "two-relays", peer: "ada" });
  await bob.enter(site.url, stage.url, { room: "two-relays", peer: "bob" });
  const talk = await Talk.begin(ada, bob, { rtcConfig: { iceServers: relays.map(({ server }) => server), iceTransportPolicy: "relay" }, patience: PATIENCE_MS });

  // Whichever ada's media go through; bob's may be the other.
  const { local } = await ada.way();
  const used = relays.find(({ port }) => local.url?.includes(`:${port}`)) ?? relays[0];
  await used.kill();
  const gone = Date.now();
  const flows = await talk.flows(await talk.said());
  stage.table.add("one of two relays dies", "relay", `flows again: ${await talk.wasOne()}`, flows - gone);
});

/** What the page's peer connections are told of servers, in place of what the server of the test hands out. @param {RTCConfiguration} configuration */
function configure(configuration) {
  const Original = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Original {
    constructor(given) {
      super({ ...given, ...configuration });
    }
    setConfiguration(given) {
      super.setConfiguration({ ...given, ...configuration });
    }
  };
}

test("in the demo the picture moves on after the relay has died", async (t) => {
  const [first, port] = [await startRelay(), await freePort()];
  t.after(() => first.kill());
  const demos = await Promise.all(["ada", "bob"].map(async (peer) => {
    const demo = /** @type {Demo} */ (await stage.page(t));
    demo.page.setDefaultTimeout(PATIENCE_MS);
    await demo.page.evaluateOnNewDocument(configure, { iceServers: [first.server, relayAt(port)], iceTransportPolicy: "relay" });
    return demo.enter(stage.url, { room: "picture", peer });
  }));
  const [ada, bob] = demos;
  await Promise.all([ada.connectedWith("bob"), bob.connectedWith("ada")]);
  await Promise.all([ada.seesMove("bob"), bob.seesMove("ada")]);
  const frames = await Promise.all(demos.map((demo) => demo.framesDecoded()));

  await first.kill();
  const gone = Date.now();
  const second = await startRelay(port);
  t.after(() => second.kill());
  await Promise.all(demos.map((demo) => demo.until(`[data-testid="tile"]:not([data-state="connected"])`)));
  await Promise.all([ada.connectedWith("bob"), bob.connectedWith("ada")]);
  const back = Date.now() - gone;
  for (let more = 0; more < 5; more += 1) await Promise.all([ada.seesMove("bob"), bob.seesMove("ada")]);
  const later = await Promise.all(demos.map((demo) => demo.framesDecoded()));
  assert.ok(later.every((count, place) => count >= frames[place] + 5), `${frames} frames before, ${later} after`);
  await ada.say("there you are");
  await bob.hears("there you are");
  assert.deepEqual(await Promise.all(demos.map(({ page }) => page.evaluate(() => window.connections.length))), [1, 1]);
  stage.table.add("the relay dies, in the demo", "relay", `connected again; ${frames} frames decoded before, ${later} by now`, back);
});
