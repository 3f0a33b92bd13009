/** Puts a page to sleep as a browser does with its tabs in the background, and wakes it. */

import assert from "node:assert/strict";

/** Timers that have gone off in the page since it was first put to sleep. @param {import("./visitor.mjs").Visitor} visitor @returns {Promise<number>} */
const ticks = ({ page }) => page.evaluate(() => window.ticks);

/**
 * @param {import("./visitor.mjs").Visitor} visitor
 * @returns {Promise<{slept: () => Promise<number>, wake: () => Promise<number>}>}
 *   `slept` says for how many milliseconds and makes sure that it was sleep; `wake` when it woke up
 */
export async function putToSleep(visitor) {
  const { page } = visitor;
  await page.evaluate(() => {
    window.ticks = 0;
    setInterval(() => window.ticks++, 20);
  });
  // Timers run now, so that their standing still later on means something.
  await visitor.when(() => window.ticks > 2);
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
