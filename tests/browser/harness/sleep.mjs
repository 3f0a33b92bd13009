/** Puts a page to sleep, and wakes it: Chromium's as it does with its tabs in the background, Firefox's with all of the browser. */

import assert from "node:assert/strict";
import { KIND } from "./browser.mjs";

/** How often a page that is awake looks at its clock. */
const TICK_MS = 20;

/** Timers that have gone off in the page since it was first put to sleep. @param {import("./visitor.mjs").Visitor} visitor @returns {Promise<number>} */
const ticks = ({ page }) => page.evaluate(() => window.ticks);

/**
 * @param {import("./visitor.mjs").Visitor} visitor
 * @returns {Promise<{slept: () => Promise<number>, wake: () => Promise<number>}>}
 *   `slept` says for how many milliseconds and makes sure that it was sleep; `wake` when it woke up
 */
export async function putToSleep(visitor) {
  const { page } = visitor;
  await page.evaluate((ms) => {
    window.ticks = 0;
    setInterval(() => window.ticks++, ms);
  }, TICK_MS);
  // Timers run now, so that their standing still later on means something.
  await visitor.when(() => window.ticks > 2);
  return KIND === "firefox" ? stop(visitor) : freeze(visitor);
}

/** @param {import("./visitor.mjs").Visitor} visitor */
async function freeze(visitor) {
  const { page } = visitor;
  const other = await page.browserContext().newPage();
  const session = await page.createCDPSession();
  await session.send("Page.setWebLifecycleState", { state: "frozen" });
  const stood = await ticks(visitor);
  const since = Date.now();
  const slept = async () => {
    assert.equal(await ticks(visitor), stood, "no timer went off in the page: it was frozen");
    return Date.now() - since;
  };
  const wake = async () => {
    assert.ok((await slept()) > 1_000, "the sleep was long enough for many ticks");
    const at = Date.now();
    await session.send("Page.setWebLifecycleState", { state: "active" });
    await page.bringToFront();
    await visitor.when((before) => window.ticks > before && document.visibilityState === "visible", stood);
    await Promise.all([other.close(), session.detach()]);
    return at;
  };
  return { slept, wake };
}

/**
 * As the lid of a laptop does: the browser must have no other page that is wanted meanwhile.
 * @param {import("./visitor.mjs").Visitor} visitor
 */
async function stop(visitor) {
  const group = -(/** @type {number} */ (visitor.page.browser().process()?.pid));
  const stood = await ticks(visitor);
  process.kill(group, "SIGSTOP");
  const since = Date.now();
  const slept = async () => Date.now() - since;
  const wake = async () => {
    const at = Date.now();
    assert.ok(at - since > 1_000, "the sleep was long enough for many ticks");
    process.kill(group, "SIGCONT");
    const ticked = (await ticks(visitor)) - stood;
    const could = (at - since) / TICK_MS;
    assert.ok(ticked < could / 2 + (Date.now() - at) / TICK_MS, `${ticked} timers went off in the page, of ${could} in this time: it was stopped`);
    return at;
  };
  return { slept, wake };
}
