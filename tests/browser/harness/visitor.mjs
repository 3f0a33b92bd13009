/** A page that is in a room: what it is told there, and what it counts. */

import assert from "node:assert/strict";

/** Long enough for a busy machine with two cores; what is quick is measured, not waited for. */
export const DEADLINE_MS = 30_000;

/** A page in the background draws no frames, so conditions are looked at by the clock. */
const POLLING = { polling: 50 };

const COUNT_EVERY_MS = 50;

export class Visitor {
  /** What went wrong in the page's own eyes. @type {string[]} */
  errors = [];
  /** Every address that was asked for. @type {string[]} */
  requests = [];
  /** @type {string|undefined} */
  peer;

  /** @param {import("puppeteer-core").Page} page */
  constructor(page) {
    this.page = page;
    page.setDefaultTimeout(DEADLINE_MS);
    page.on("console", (message) => message.type() === "error" && this.errors.push(`console: ${message.text()} ${message.location().url ?? ""}`));
    page.on("pageerror", (error) => this.errors.push(`uncaught: ${error.message}`));
    page.on("request", (request) => this.requests.push(request.url()));
  }

  /**
   * A page of its own, in a profile of its own unless a context is given.
   * @param {import("puppeteer-core").Browser|import("puppeteer-core").BrowserContext} where
   */
  static async page(where) {
    const context = "createBrowserContext" in where ? await where.createBrowserContext() : where;
    // A window and not a tab, for one tab of a window puts the others into the background.
    return new this(await context.newPage({ type: "window" }));
  }

  /** As its user does: the page is asked before. */
  closeTab() {
    return this.page.close({ runBeforeUnload: true });
  }

  /** Closes the page with all that it left behind. */
  close() {
    return this.page.browserContext().close();
  }

  /** Waits until the page says yes. @param {(...given: any[]) => unknown} condition @param {...unknown} given */
  async when(condition, ...given) {
    try {
      const handle = await this.page.waitForFunction(condition, POLLING, ...given);
      return /** @type {any} */ (await handle.jsonValue());
    } catch (error) {
      throw new Error(`${this.peer ?? "the page"} waited in vain for ${condition} of ${given}; it has ${await this.account()}`, { cause: error });
    }
  }

  /** What there is to say of the page when something did not happen in it. */
  async account() {
    const now = await this.page.evaluate(() => {
      const { room } = window.meeting ?? {};
      const came = Object.entries(window.numbers ?? {}).map(([from, numbers]) => `${numbers.length} from ${from}`);
      return { state: room?.state, transport: room?.transport, peers: [...(room?.peers.values() ?? [])], came, counts: window.counts, notes: window.notes, ...document.documentElement.dataset, log: document.getElementById("log")?.innerText };
    });
    return `${JSON.stringify(now)}; ${this.errors.join("; ")}`;
  }

  /**
   * From now on notes what the room tells, with the time.
   * @param {...string} events
   */
  note(...events) {
    return this.page.evaluate((names) => {
      window.notes = [];
      for (const event of names) window.meeting.room.addEventListener(event, ({ detail }) => window.notes.push({ event, detail, at: Date.now() }));
    }, events);
  }

  notes() {
    return this.page.evaluate(() => window.notes);
  }

  /**
   * Notes in a word each, such as `peer-away bob`; but for ends of readers that come back at once.
   * @returns {Promise<string[]>}
   */
  async story() {
    const notes = (await this.notes()).filter(({ event, detail }) => event !== "end" || detail.retry !== "now");
    return notes.map(({ event, detail }) => [event, detail.peer ?? detail.reason].filter(Boolean).join(" "));
  }

  /**
   * What this page was told is that the peer was away and came back, and nothing else.
   * @param {string} peer @param {number} least how often, at least; a busy machine may add to it
   */
  async sawAway(peer, least) {
    const story = await this.story();
    const pairs = Array.from({ length: Math.max(least, Math.ceil(story.length / 2)) }, () => [`peer-away ${peer}`, `peer-back ${peer}`]);
    assert.deepEqual(story, pairs.flat());
  }

  /**
   * Waits for the first note of that event, about that peer if one is named.
   * @param {string} event @param {string} [peer]
   * @returns {Promise<{event: string, detail: any, at: number}>}
   */
  noted(event, peer) {
    return this.when((name, about) => window.notes.find((note) => note.event === name && (about === null || note.detail.peer === about)), event, peer ?? null);
  }

  /** From now on writes down the numbers that a peer sends. @param {string} from */
  expect(from) {
    return this.page.evaluate((sender) => {
      /** @type {number[]} */
      const numbers = ((window.numbers ??= {})[sender] = []);
      window.meeting.room.addEventListener("signal", ({ detail }) => detail.type === "count" && detail.from === sender && numbers.push(detail.data.n));
    }, from);
  }

  /** @param {string} from @returns {Promise<number[]>} */
  numbers(from) {
    return this.page.evaluate((sender) => window.numbers[sender], from);
  }

  /** Waits until that many numbers of that peer have come. @param {string} from @param {number} count */
  hasCounted(from, count) {
    return this.when((sender, wanted) => window.numbers[sender].length >= wanted, from, count);
  }

  /**
   * Of the numbers up to that count each came once, and in order.
   * @param {string} from @param {number} count
   */
  async hasAll(from, count) {
    await this.when((sender, last) => window.numbers[sender].includes(last), from, count - 1);
    const numbers = await this.numbers(from);
    const wrong = numbers.findIndex((n, place) => n !== place);
    assert.ok(wrong < 0, `${from}'s number ${wrong} came to ${this.peer} as ${numbers.slice(Math.max(0, wrong - 2), wrong + 3)}, of ${numbers.length}`);
    assert.equal(numbers.length, count);
  }

  /**
   * Sends one number after the other to a peer, about twenty a second.
   * @param {string} to
   * @param {number} [every] milliseconds
   * @returns {Promise<{sent: () => Promise<number>, reaches: (count: number) => Promise<unknown>, stop: () => Promise<{sent: number, refused: string[]}>}>}
   *   `stop` waits until each has been answered
   */
  async counts(to, every = COUNT_EVERY_MS) {
    await this.page.evaluate((peer, interval) => {
      const count = { sent: 0, answered: 0, refused: [], timer: 0 };
      count.timer = setInterval(() => {
        const n = count.sent++;
        window.meeting.room.send({ to: peer, type: "count", data: { n } }).then(
          () => count.answered++,
          ({ slug }) => count.refused.push(`${n} ${slug}`),
        );
      }, interval);
      (window.counts ??= {})[peer] = count;
    }, to, every);
    return {
      sent: () => this.page.evaluate((peer) => window.counts[peer].sent, to),
      reaches: (count) => this.when((peer, wanted) => window.counts[peer].sent >= wanted, to, count),
      stop: async () => {
        await this.page.evaluate((peer) => clearInterval(window.counts[peer].timer), to);
        await this.when((peer) => window.counts[peer].answered + window.counts[peer].refused.length === window.counts[peer].sent, to);
        return this.page.evaluate((peer) => ({ sent: window.counts[peer].sent, refused: window.counts[peer].refused }), to);
      },
    };
  }
}
