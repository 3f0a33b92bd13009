/**
 * A page in a call loses its network and has another: the candidates that it told of are withdrawn. Each browser is a
 * machine of its own in a small internet of network namespaces.
 *
 * Chromium alone: in Firefox nothing comes any more once its address was withdrawn, although ICE finds new paths.
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

const table = new Table();
after(() => table.empty || console.log(`\n${table}\n`));

// Says so where the binary is not that of this tree.
before(async () => (await startServer()).stop());

/**
 * Ada and bob on networks of their own, in a call.
 * @param {import("node:test").TestContext} t
 * @param {{aside?: boolean}} [how] aside: ada's signaling has a way of its own, by which bob is not reached
 */
async function apart(t, { aside = false } = {}) {
  const internet = new Internet();
  t.after(() => internet.close());
  const machines = { ada: internet.machine("ada"), bob: internet.machine("bob") };
  const ways = { ada: machines.ada.plug(), bob: machines.bob.plug(), other: machines.ada.plug(), aside: machines.ada.plug() };
  machines.ada.connect(ways.ada);
  machines.bob.connect(ways.bob);
  internet.part(ways.aside, ways.bob);
  internet.part(ways.bob, ways.aside);
  if (aside) machines.ada.connect(ways.aside, { serverOnly: true });
  const stop = await internet.serve(binary(), "--heartbeat", "1s", "--grace", "60s");
  t.after(stop);
  const [ada, bob] = await Promise.all(["ada", "bob"].map(async (peer) => {
    const { browser, kill } = await startBrowser({ kind: "chromium", within: { namespace: machines[peer].namespace, origin: internet.url } });
    t.after(kill);
    return Caller.page(browser);
  }));
  // A page of the server's with nothing on it.
  const site = `${internet.url}/livez?`;
  await ada.enter(site, internet.url, { room: "moved", peer: "ada" });
  await bob.enter(site, internet.url, { room: "moved", peer: "bob" });
  const talk = await Talk.begin(ada, bob, { patience: PATIENCE_MS });
  assert.equal((await bob.way()).remote.address, ways.ada.address);
  return { internet, machine: machines.ada, ways, ada, bob, talk };
}

for (const { name, aside } of [
  { name: "the only network is lost and another is found" },
  { name: "the network of the media is lost and another is found, while signaling has its own", aside: true },
]) {
  test(`${name}: the call goes on there, without a new join`, async (t) => {
    const { machine, ways, bob, talk } = await apart(t, { aside });

    machine.disconnect(ways.ada);
    const gone = Date.now();
    const said = await talk.said();
    await talk.lost();
    // Where the two can talk about it, they do, in vain.
    if (aside) await talk.restarting();
    machine.connect(ways.other);
    const found = Date.now();
    const flows = await talk.flows(said);

    await talk.wasRestarted();
    assert.equal((await bob.way()).remote.address, ways.other.address);
    table.add(name, "-", "noticed: disconnected", await talk.noticedAfter(gone));
    table.add(name, "-", "there is another network", found - gone);
    table.add(name, "-", `flows again: ${await talk.wasOne()}`, flows - gone);
  });
}

test("the path goes dark and nobody is told, until it is light again: the call goes on", async (t) => {
  const { internet, ways, talk } = await apart(t, { aside: true });

  internet.part(ways.ada, ways.bob);
  const gone = Date.now();
  const said = await talk.said();
  await talk.lost();
  // The first offer, and restarts in vain.
  await talk.sides[0].when(() => window.path.offers >= 4);
  internet.join(ways.ada, ways.bob);
  const light = Date.now();
  const flows = await talk.flows(said);

  await talk.wasRestarted();
  table.add("the path goes dark", "-", "noticed: disconnected", await talk.noticedAfter(gone));
  table.add("the path goes dark", "-", "after three restarts in vain it is light again", light - gone);
  table.add("the path goes dark", "-", `flows again: ${await talk.wasOne()}`, flows - gone);
});
