/** A demo whose times are taken: by which reader it hears, and when each thing happened. */

import { Demo } from "../harness/demo.mjs";

const LAPS_MS = 5_000;

/** Writes down what the page shows, from its very start. */
function clocked() {
  const times = (window.times = { joined: null, connected: null, transports: [], banners: [] });
  const { fetch } = window;
  window.fetch = (...given) => {
    if (String(given[0]).endsWith("/peers") && given[1]?.method === "POST") times.joined ??= performance.now();
    return fetch(...given);
  };
  const look = (/** @type {MutationRecord[]} */ changes) => {
    const { transport, connected } = document.documentElement.dataset;
    if (transport && times.transports.at(-1)?.transport !== transport) times.transports.push({ transport, at: performance.now() });
    if (Number(connected) > 0) times.connected ??= performance.now();
    for (const { target } of changes) {
      const element = /** @type {HTMLElement} */ (target);
      if (element.dataset?.testid === "banner" && !element.hidden) times.banners.push(element.innerText);
    }
  };
  new MutationObserver(look).observe(document, { attributes: true, subtree: true });
}

export class Caller extends Demo {
  /** @param {import("puppeteer-core").Browser} where */
  static async page(where) {
    const caller = /** @type {Caller} */ (await super.page(where));
    await caller.page.evaluateOnNewDocument(clocked);
    return caller;
  }

  /**
   * When it began to join, when the call was up and when each reader was taken, in milliseconds since the page's start;
   * and what it said in its banner.
   * @returns {Promise<{joined: number, connected: number, transports: {transport: string, at: number}[], banners: string[]}>}
   */
  times() {
    return this.page.evaluate(() => window.times);
  }

  /**
   * What the page told its user beside what the browser itself makes it ask for.
   * @returns {Promise<string[]>}
   */
  async warnings() {
    const { banners } = await this.times();
    return banners.filter((words) => !words.includes("until you ask for sound"));
  }

  /** The reader in use. @returns {Promise<string>} */
  transport() {
    return this.page.evaluate(() => window.meeting.room.transport);
  }

  /** From now on writes down how long each lap of that peer took to come here. @param {string} from */
  awaitLaps(from) {
    return this.page.evaluate((sender) => {
      window.laps = [];
      window.meeting.room.addEventListener("signal", ({ detail }) => detail.type === "lap" && detail.from === sender && window.laps.push(Date.now() - detail.data.at));
    }, from);
  }

  /**
   * Sends one signal after the other, each when the one before was answered.
   * @param {string} to @param {number} most
   * @returns {Promise<number>} how many; fewer than asked for where the way is slow
   */
  sendLaps(to, most) {
    return this.page.evaluate(async (peer, wanted, patience) => {
      const until = Date.now() + patience;
      let sent = 0;
      while (sent < wanted && Date.now() < until) {
        await window.meeting.room.send({ to: peer, type: "lap", data: { at: Date.now() } });
        sent += 1;
      }
      return sent;
    }, to, most, LAPS_MS);
  }

  /** @param {number} count @returns {Promise<number[]>} milliseconds */
  async laps(count) {
    await this.when((wanted) => window.laps.length >= wanted, count);
    return this.page.evaluate(() => window.laps);
  }

  /** @param {object} meta */
  setMeta(meta) {
    return this.page.evaluate((given) => window.meeting.room.setMeta(given), meta);
  }

  leave() {
    return this.page.evaluate(() => window.meeting.room.leave());
  }

  /**
   * When it last lost its reader since the notes began, and when it had one again.
   * @param {"sse"|"poll"} reader
   */
  async cut(reader) {
    if (reader === "poll") return this.#pollCut();
    const lost = await this.noted("lost");
    const back = await this.when((since) => window.notes.find(({ event, at }) => event === "found" && at >= since), lost.at);
    return { lostAt: lost.at, awayMs: back.at - lost.at };
  }

  /** A poll that is cut is asked again, of which the page is told nothing. */
  async #pollCut() {
    const isPoll = (/** @type {{url: () => string}} */ request) => request.url().includes("/poll?");
    await new Promise((resolve) => this.page.on("requestfailed", (request) => isPoll(request) && resolve(undefined)));
    const lostAt = Date.now();
    await this.page.waitForRequest(isPoll);
    return { lostAt, awayMs: Date.now() - lostAt };
  }

  /** Notes what befalls the reader, as `lost` and `found`, beside what {@link note} notes. */
  async noteReader() {
    await this.page.evaluate(() => {
      window.meeting.room.addEventListener("state", ({ detail }) => {
        window.notes.push({ event: detail.state === "open" ? "found" : "lost", detail, at: Date.now() });
      });
    });
  }
}
