/** Both join at the same moment: one offers, the other answers, and no offer is thrown away. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { openSite } from "../browser/harness/member.mjs";
import { useStage } from "../browser/harness/stage.mjs";
import { Racer } from "./harness/racer.mjs";
import { open, python } from "./harness/terminal.mjs";

const AT_ONCE = fileURLToPath(new URL("harness/at_once.py", import.meta.url));

const stage = useStage();

/** What a page complains of, but for candidates that cross the goodbye of the other side: that call is over (410). @param {Racer[]} pages */
const complaints = (...pages) => pages.flatMap(({ errors }) => errors).filter((error) => !(error.includes(" 410 ") && error.includes("/signals")));

/** @param {import("node:test").TestContext} t */
async function blank(t) {
  const site = await openSite();
  t.after(() => site.close());
  return site.url;
}

test("two pages that join at once are connected, 20 times of 20, by one offer and one answer", async (t) => {
  const site = await blank(t);
  const [ada, bob] = await Promise.all([1, 2].map(async () => (await stage.page(t, Racer)).load(site, stage.url)));
  for (let round = 1; round <= 20; round += 1) {
    const room = `at-once-${round}`;
    const at = Date.now() + 100;
    const races = await Promise.all([ada.race(stage.url, room, "ada", at), bob.race(stage.url, room, "bob", at)]);
    const met = await Promise.all(races.map((race) => race.met()));
    const sum = (field) => met[0][field] + met[1][field];
    assert.deepEqual({ round, offers: sum("offers"), answers: sum("answers"), hitches: met.flatMap(({ hitches }) => hitches) }, { round, offers: 1, answers: 1, hitches: [] });
    assert.notEqual(met[0].initiator, met[1].initiator);
    stage.table.add(`page and page join at once, ${round}`, "auto", `connected, ${met[0].initiator ? "ada" : "bob"} offered`, Math.max(met[0].ms, met[1].ms));
    await Promise.all([ada.leave(), bob.leave()]);
  }
  assert.deepEqual(complaints(ada, bob), []);
});

test("a page and Python that join at once are connected, 6 times of 6", async (t) => {
  const site = await blank(t);
  const ada = await (await stage.page(t, Racer)).load(site, stage.url);
  for (let round = 1; round <= 6; round += 1) {
    const room = `at-once-python-${round}`;
    const py = open(t, python(), AT_ONCE, stage.url, room, "--peer", "py");
    await py.prints(/^loaded$/);
    const at = Date.now() + 400;
    // Python takes longer over its first request: a start before the page's, so that either may be the first.
    setTimeout(() => py.type("now"), at - round * 60 - Date.now());
    const race = await ada.race(stage.url, room, "ada", at);
    await py.prints(/^ada: channel open$/);
    py.type("here I am");
    const met = await race.met();
    await py.prints(/^ada says ada is here$/);
    assert.deepEqual(met.hitches, []);
    assert.equal(met.offers + py.lines.filter((line) => line.includes(`"type": "offer"`)).length, 1, py.lines.join("\n"));
    stage.table.add(`page and Python join at once, ${round}`, "auto", `connected, ${met.initiator ? "ada" : "py"} offered`, met.ms);
    assert.equal(await py.interrupt(), 0);
    await ada.leave();
  }
  assert.deepEqual(complaints(ada), []);
});
