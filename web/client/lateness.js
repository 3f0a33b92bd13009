/**
 * How late what a server writes arrives: whether something on the way holds each write back until the next one.
 *
 * `ready` and each `ping` say when they were written. The clocks of the two sides need not agree: what counts is how much
 * later one arrives than the promptest did.
 */

/** The pings that prove a stream: at growing distances from `ready`, so that what holds them back shows. */
const PROVING = 3;
/** A ping that is so much later than the promptest, and than the page itself, was held back. */
const LATE_MS = 450;
/** How the page's own lateness is seen: by a timer that is as busy as it. */
const BEAT_MS = 100;
/** Of those that prove, one may be late. */
const LATE_FEW = 1;
/** Later on, where only what the heartbeat tells can be seen, more than that, and twice in a row. */
const LATE_AGAIN_MS = 2_000;
const LATE_TWICE = 2;

/** @typedef {"open" | "prompt" | "held"} Verdict */

export class Lateness {
  #least = Infinity;
  /** @type {number[]} */
  #pings = [];
  #late = 0;
  /** The longest that this page was busy with something else while the stream was being proved. */
  #busyMs = 0;
  #beatAt = 0;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /** The stream begins. @param {number | undefined} sentMs */
  begin(sentMs) {
    this.end();
    this.#pings = [];
    this.#late = 0;
    this.#least = Infinity;
    this.#busyMs = 0;
    this.#beatAt = performance.now();
    if (sentMs === undefined) return;
    this.#note(sentMs);
    this.#timer = setInterval(() => this.#beat(), BEAT_MS);
  }

  end() {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /**
   * A ping has come.
   *
   * @param {number | undefined} sentMs Servers that do not say it are taken at the first ping's word.
   * @returns {Verdict}
   */
  ping(sentMs) {
    if (sentMs === undefined) return "prompt";
    const late = this.#note(sentMs);
    if (this.#pings.length < PROVING) {
      this.#beat();
      this.#pings.push(late);
      if (this.#pings.length === PROVING) this.end();
      const most = this.#least + this.#busyMs + LATE_MS;
      if (this.#pings.filter((each) => each > most).length > LATE_FEW) return "held";
      return this.#pings.length < PROVING ? "open" : "prompt";
    }
    this.#late = late - this.#least > LATE_AGAIN_MS ? this.#late + 1 : 0;
    return this.#late >= LATE_TWICE ? "held" : "prompt";
  }

  #beat() {
    const now = performance.now();
    this.#busyMs = Math.max(this.#busyMs, now - this.#beatAt - BEAT_MS);
    this.#beatAt = now;
  }

  /** @param {number} sentMs */
  #note(sentMs) {
    // A clock that nobody sets: the wall clock's being put right would look like a path that holds.
    const late = performance.now() - sentMs;
    this.#least = Math.min(this.#least, late);
    return late;
  }
}
