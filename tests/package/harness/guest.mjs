/** A page of an example, in a profile of its own, as a user sees it. */

export const DEADLINE_MS = 45_000;

/**
 * @param {import("node:test").TestContext} t
 * @param {import("puppeteer-core").Browser} browser
 * @param {string} url
 */
export async function visit(t, browser, url) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  const guest = new Guest(page);
  t.after(() => context.close().catch(() => {}));
  await page.goto(url);
  return guest;
}

export class Guest {
  /** What went wrong in the page. @type {string[]} */
  errors = [];

  /** @param {import("puppeteer-core").Page} page */
  constructor(page) {
    this.page = page;
    page.on("pageerror", (error) => this.errors.push(String(error)));
  }

  /** Waits until the page's log holds a line. @param {string} line @param {number} [times] */
  async logged(line, times = 1) {
    /** @param {string} line @param {number} times */
    const there = (line, times) => document.getElementById("log").textContent.split("\n").filter((logged) => logged === line).length >= times;
    try {
      await this.page.waitForFunction(there, { timeout: DEADLINE_MS }, line, times);
    } catch (error) {
      throw new Error(`no "${line}" in the log: ${JSON.stringify(await this.log())} ${this.errors}`, { cause: error });
    }
  }

  /** @returns {Promise<string[]>} */
  async log() {
    return (await this.page.$eval("#log", (log) => log.textContent)).split("\n").filter(Boolean);
  }

  /** Waits until the other side's picture moves. */
  async sees() {
    const moves = () => document.getElementById("theirs").videoWidth > 0 && document.getElementById("theirs").currentTime > 0;
    await this.page.waitForFunction(moves, { timeout: DEADLINE_MS });
  }

  /** @param {string} text */
  async say(text) {
    await this.page.type("#say input", text);
    // A click would miss the button where the picture above it begins, and moves it, at that very moment.
    await this.page.keyboard.press("Enter");
  }

  /** Closes the tab as a user does. */
  async leave() {
    await this.page.close({ runBeforeUnload: true });
  }
}
