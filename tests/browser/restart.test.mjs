/** The server goes and comes back under two pages in a call, while numbers flow both ways. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startServer, startServerAt } from "./harness/server.mjs";
import { useStage } from "./harness/stage.mjs";

const stage = useStage();
const TOLD = ["session-ended", "peer-left", "peer-joined", "gap", "rejoined", "end"];

/**
 * Ada and bob in a call at that server, each sending numbers to the other.
 * @param {import("node:test").TestContext} t
 */
async function counting(t, server, room, transport) {
  const [ada, bob] = await stage.call(t, { room, transport }, ["ada", "bob"], server.url);
  await Promise.all([ada.note(...TOLD), bob.note(...TOLD)]);
  await Promise.all([ada.expect("bob"), bob.expect("ada")]);
  const counts = await Promise.all([ada.counts("bob"), bob.counts("ada")]);
  await Promise.all([ada.hasCounted("bob", 20), bob.hasCounted("ada", 20)]);
  return { ada, bob, counts };
}

for (const transport of ["sse", "poll"]) {
  test(`a restart with a state file is not noticed but for a pause, on ${transport}`, async (t) => {
    const home = mkdtempSync(join(tmpdir(), "switchboard-state-"));
    t.after(() => rmSync(home, { recursive: true, force: true }));
    const options = ["--state-file", join(home, "state"), "--drain", "1s", "--away-after", "5s"];
    const first = await startServer(...options);
    t.after(() => first.stop());
    const { ada, bob, counts } = await counting(t, first, "kept", transport);

    const began = Date.now();
    assert.equal(await first.close(), 0);
    const gone = Date.now();
    await ada.say("the server is gone, we are not");
    await bob.hears("the server is gone, we are not");
    const second = await startServerAt(new URL(first.url).host, ...options);
    t.after(() => second.stop());
    const up = Date.now();

    const before = await Promise.all(counts.map((count) => count.sent()));
    await Promise.all([ada.hasCounted("bob", before[1] + 20), bob.hasCounted("ada", before[0] + 20)]);
    const seen = Date.now() - up;
    const [ofAda, ofBob] = await Promise.all(counts.map((count) => count.stop()));
    assert.deepEqual([...ofAda.refused, ...ofBob.refused], []);
    await Promise.all([ada.hasAll("bob", ofBob.sent), bob.hasAll("ada", ofAda.sent)]);
    stage.table.add("SIGTERM, with a state file", transport, "the server has ended", gone - began);
    stage.table.add("started again", transport, `${ofAda.sent} and ${ofBob.sent} signals, each once, in order`, seen);

    assert.deepEqual([await ada.story(), await bob.story()], [[], []]);
    await Promise.all([ada, bob].map((demo) => demo.until(`[data-signaling="open"]`)));
    await Promise.all([ada.seesMove("bob"), bob.seesMove("ada")]);
    assert.deepEqual(await Promise.all([ada, bob].map(({ page }) => page.evaluate(() => window.connections.length))), [1, 1]);
  });

  test(`after a crash without a state file both join again by themselves and are called again, on ${transport}`, async (t) => {
    const first = await startServer();
    t.after(() => first.stop());
    const { ada, bob, counts } = await counting(t, first, "forgotten", transport);

    await first.stop();
    await Promise.all([ada, bob].map((demo) => demo.until(`[data-signaling="reconnecting"]`)));
    await ada.say("the server is gone, we are not");
    await bob.hears("the server is gone, we are not");
    const second = await startServerAt(new URL(first.url).host);
    t.after(() => second.stop());
    const up = Date.now();
    const [told] = await Promise.all([ada.noted("rejoined"), bob.noted("rejoined")]);
    await Promise.all([ada.noted("peer-joined", "bob"), bob.noted("peer-joined", "ada")]);
    await Promise.all([ada, bob].map((demo) => demo.until(`[data-signaling="open"]`)));
    await Promise.all([ada.connectedWith("bob"), bob.connectedWith("ada")]);
    const seen = Date.now() - up;
    await bob.say("here again");
    await ada.hears("here again");
    await Promise.all([ada.seesMove("bob"), bob.seesMove("ada")]);

    // What was answered with 202 has gone with the server, what was under way may have come although its sender was
    // told that it did not; but nothing comes twice or out of order, and signals flow again.
    const before = await Promise.all([ada.numbers("bob"), bob.numbers("ada")].map(async (numbers) => (await numbers).length));
    await Promise.all([ada.hasCounted("bob", before[0] + 10), bob.hasCounted("ada", before[1] + 10)]);
    const stopped = await Promise.all(counts.map((count) => count.stop()));
    for (const [side, { refused }] of stopped.entries()) {
      const came = side === 0 ? await bob.numbers("ada") : await ada.numbers("bob");
      assert.deepEqual(came, [...new Set(came)].sort((a, b) => a - b));
      assert.deepEqual(refused.filter((each) => !/ (ended|unknown-peer|unknown-room)$/.test(each)), []);
    }
    stage.table.add("killed, started again without memory", transport, "told that it rejoined", told.at - up);
    stage.table.add("killed, started again without memory", transport, `called again; ${stopped.map(({ refused }) => refused.length).join(" and ")} signals refused`, seen);
    for (const demo of [ada, bob]) {
      const other = demo === ada ? "bob" : "ada";
      const story = await demo.story();
      assert.deepEqual(story.slice(0, 3), [`session-ended ${other}`, `peer-left ${other}`, "rejoined"]);
      assert.equal(story.at(-1), `peer-joined ${other}`);
      assert.match(await demo.text("log"), /The way to the server is interrupted\. Calls go on\.[^]*The server had forgotten this call\. Joined again\.[^]*Connected with/);
      assert.equal(await demo.page.$$eval(`[data-testid="tile"]`, (tiles) => tiles.length), 1);
    }
  });
}
