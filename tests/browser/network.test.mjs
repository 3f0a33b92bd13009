/** A page in a call loses the network and has it again, while numbers flow both ways. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { KIND, LONG } from "./harness/browser.mjs";
import { openGate } from "./harness/gate.mjs";
import { useStage } from "./harness/stage.mjs";

/** What each side has sent by the time the network is back: under what a mailbox takes of one sender. */
const OUTAGE = 60;
/** Who is not told that the network is back waits up to half a minute between two tries. */
const PATIENCE_MS = 90_000;

const stage = useStage("--heartbeat", "1s", "--away-after", "1s", "--grace", "60s");

const BOTH = ["sse", "poll"];

/**
 * Each way of losing it: how it begins and ends, on what transports the others see it, whether the browser knows, and
 * how often numbers are sent where it lasts (more than 256 written in vain would be a gap), and whether
 * its end takes long to be noticed.
 * @type {{name: string, begin: (gate: import("./harness/gate.mjs").Gate) => void, end: (gate: import("./harness/gate.mjs").Gate) => void, seen: string[], known: boolean, every?: number, long?: boolean}[]}
 */
const OUTAGES = [
  { name: "offline, connections closed", begin: (gate) => gate.cut(), end: (gate) => gate.mend(), seen: BOTH, known: true },
  { name: "connections reset, unknown to the browser", begin: (gate) => gate.cut({ reset: true }), end: (gate) => gate.mend(), seen: BOTH, known: false },
  { name: "dark, then light again", begin: (gate) => gate.dark(), end: (gate) => gate.mend(), seen: ["poll"], known: false },
  { name: "dark, then another network", begin: (gate) => gate.dark(), end: (gate) => gate.mend({ forgetful: true }), seen: ["poll"], known: true },
  { name: "dark, and the path has lost the connections", begin: (gate) => gate.dark(), end: (gate) => gate.mend({ forgetful: true, silent: true }), seen: ["poll"], known: false, every: 200, long: true },
];

for (const outage of OUTAGES) {
  for (const transport of BOTH) {
    test(`${outage.name}: nothing is lost or doubled either way, and the call goes on, on ${transport}`, { skip: outage.long && LONG }, async (t) => {
      const room = `${outage.name.replace(/\W+/g, "-")}-${transport}`;
      const gate = await openGate(stage.url);
      t.after(() => gate.close());
      const ada = await stage.join(t, { room, peer: "ada" });
      const bob = await stage.join(t, { room, peer: "bob", transport }, gate.url);
      await Promise.all([ada.connectedWith("bob"), bob.connectedWith("ada")]);
      for (const { page } of [ada, bob]) page.setDefaultTimeout(PATIENCE_MS);
      await ada.note("peer-away", "peer-back", "peer-left", "peer-joined", "session-ended", "gap", "rejoined", "end");
      await bob.note("peer-away", "peer-back", "peer-left", "peer-joined", "session-ended", "gap", "rejoined", "end", "state");
      await Promise.all([ada.expect("bob"), bob.expect("ada")]);
      const counts = await Promise.all([ada.counts("bob", outage.every), bob.counts("ada", outage.every)]);
      await Promise.all([ada.hasCounted("bob", 5), bob.hasCounted("ada", 5)]);

      const isSeen = outage.seen.includes(transport);
      outage.begin(gate);
      const before = await Promise.all(counts.map((count) => count.sent()));
      // In the dark the server holds a stream for open; a poll that it has answered is not followed by another.
      if (isSeen) await ada.noted("peer-away", "bob");
      await Promise.all(counts.map((count, side) => count.reaches(before[side] + OUTAGE)));
      // The media do not pass through the server.
      await ada.say("only the signaling is gone");
      await bob.hears("only the signaling is gone");
      // Told only now: a browser that goes offline gives up by itself what is under way.
      if (outage.known) await bob.page.setOfflineMode(true);

      const missed = await Promise.all(counts.map((count) => count.sent()));
      const mended = Date.now();
      outage.end(gate);
      if (outage.known) await bob.page.setOfflineMode(false);
      await Promise.all([ada.hasCounted("bob", missed[1]), bob.hasCounted("ada", missed[0])]);
      const seen = Date.now() - mended;
      const [ofAda, ofBob] = await Promise.all(counts.map((count) => count.stop()));
      assert.deepEqual([...ofAda.refused, ...ofBob.refused], []);
      await Promise.all([ada.hasAll("bob", ofBob.sent), bob.hasAll("ada", ofAda.sent)]);
      stage.table.add(outage.name, transport, `${ofAda.sent} and ${ofBob.sent} signals, each once, in order`, seen);

      assert.deepEqual((await bob.story()).filter((word) => word !== "state"), []);
      await bob.until(`[data-signaling="open"]`);
      await ada.tile("bob", `[data-presence="live"][data-state="connected"]`);
      await ada.sawAway("bob", isSeen ? 1 : 0);
      await bob.say("and here we are again");
      await ada.hears("and here we are again");
      // Where the browser knows of the outage, ICE is restarted, after which Firefox at times takes in nothing more.
      if (KIND === "chromium" || !outage.known) await Promise.all([ada.seesMove("bob"), bob.seesMove("ada")]);
      assert.equal(await bob.page.evaluate(() => window.connections.length), 1);
    });
  }
}
