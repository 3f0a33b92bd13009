/** How much goes each way over one call, and how: read once a second, kept for a minute. Knows no page. */

export const SPAN_MS = 60_000;
/** Rates over less time than this say little. */
const APART_MS = 300;

/**
 * @typedef {import("../client/call.js").Call} Call
 * @typedef {import("../client/way.js").Way} Way
 *
 * @typedef {object} Sample
 * @property {number} at when, by the clock of the page
 * @property {number|null} down bits a second, on average since the sample before; null where nothing is known of that time
 * @property {number|null} up
 */

export class Meter {
  /** Those of the last minute, oldest first. @type {Sample[]} */
  samples = [];
  /** @type {Way|null} */
  way = null;
  /** The one that is read; another goes on in the same picture. */
  call;
  #readAt = -Infinity;

  /** @param {Call} call */
  constructor(call) {
    this.call = call;
  }

  async read() {
    if (performance.now() - this.#readAt < APART_MS) return;
    const before = this.way;
    const now = performance.now();
    const passed = (now - this.#readAt) / 1000;
    this.#readAt = now;
    const way = await this.call.way();
    /** @param {"sent"|"received"} what */
    const rate = (what) => (way && before && way.id === before.id && way[what] >= before[what] ? ((way[what] - before[what]) * 8) / passed : null);
    this.samples.push({ at: now, down: rate("received"), up: rate("sent") });
    this.samples = this.samples.filter(({ at }) => now - at <= SPAN_MS);
    this.way = way;
  }
}
