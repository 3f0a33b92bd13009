/**
 * A call that began direct loses its direct path and goes on through the relay within, by an ICE restart under
 * credentials that came in its middle. Each browser is a machine of its own in a small internet of network namespaces.
 *
 * Chromium alone, as in netchange.test.mjs.
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startBrowser } from "./harness/browser.mjs";
import { Caller } from "./harness/caller.mjs";
import { Internet } from "./harness/netns.mjs";
import { binary, startServer } from "./harness/server.mjs";
import { Table } from "./harness/table.mjs";
import { Talk } from "./harness/talk.mjs";

const PATIENCE_MS = 120_000;
const HUB = "10.213.0.1";

const table = new Table();
after(() => table.empty || console.log(`\n${table}\n`));

// Says so where the binary is not that of this tree.
before(async () => (await startServer()).stop());

test("the direct path is lost: the call goes on through the relay, under credentials that came meanwhile", async (t) => {
  const internet = new Internet();
  t.after(() => internet.close());
  const machines = { ada: internet.machine("ada"), bob: internet.machine("bob") };
  const ways = { ada: machines.ada.plug(), bob: machines.bob.plug() };
  for (const peer of ["ada", "bob"]) machines[peer].connect(ways[peer]);
  const relay = ["--turn-listen", `${HUB}:3478`, "--turn-allow-peer", "10.213.0.0/16", "--turn-ttl", "10s"];
  const stop = await internet.serve(binary(), "--heartbeat", "1s", "--grace", "60s", ...relay);
  t.after(stop);
  const [ada, bob] = await Promise.all(["ada", "bob"].map(async (peer) => {
    const { browser, kill } = await startBrowser({ kind: "chromium", within: { namespace: machines[peer].namespace, origin: internet.url } });
    t.after(kill);
    const page = await Caller.page(browser);
    await page.enter(`${internet.url}/livez?`, internet.url, { room: "fallback", peer });
    // The call is to begin without a relay: what comes later is what it falls back on.
    await page.page.evaluate(() => (window.meeting.room.iceServers = []));
    return page;
  }));
  const talk = await Talk.begin(ada, bob, { patience: PATIENCE_MS });
  assert.equal((await ada.way()).remote.address, ways.bob.address);
  await Promise.all([ada, bob].map((side) => side.when(() => window.meeting.room.iceServers.length > 0)));

  internet.part(ways.ada, ways.bob);
  internet.part(ways.bob, ways.ada);
  const gone = Date.now();
  const said = await talk.said();
  await talk.lost();
  const flows = await talk.flows(said);

  await talk.wasRestarted();
  for (const side of [ada, bob]) {
    const { local, remote } = await side.way();
    assert.ok([local, remote].some(({ candidateType, address }) => candidateType === "relay" && address === HUB), JSON.stringify({ local, remote }));
  }
  table.add("the direct path is lost", "relay", "noticed: disconnected", await talk.noticedAfter(gone));
  table.add("the direct path is lost", "relay", `flows again: ${await talk.wasOne()}`, flows - gone);
});
