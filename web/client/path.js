/** What this tab has learnt about the way to one server, and keeps over reloads. */

import { forget, recall, remember } from "./memory.js";

/** The longest hold of a poll in seconds, and the shortest that is worth its requests. */
const LONGEST = 25;
const SHORTEST = 1;
/** A poll that died sooner than this died of something else than of its hold. */
const SOONEST_CUT_MS = 1_500;
/** Cuts at the same age to within this come from a clock on the way. */
const SAME_AGE = 0.2;
/** The share of the age at which the path cuts that a hold may take. */
const MARGIN = 0.7;
/** After this long without a cut a longer hold is tried again; the next time after twice as long. */
const GROW_MS = 600_000;
const GROW_LAST_MS = 4 * GROW_MS;

/** A stream that lasts less costs more in reconnects than the long-poll does in requests. */
const LASTING_MS = 60_000;
/** So many strikes and streams are left alone. One that goes silent, with what was sent in it, weighs more than one that breaks. */
const STRIKES = 3;
const STRIKE_SILENT = 2;

/**
 * Why streams are left alone: `unproved`, what is written to them does not come through as it is written;
 * `cut`, they come through but never last.
 *
 * @typedef {"unproved" | "cut"} Fault
 */

export class Path {
  /** @type {Fault | null} */
  #fault = null;
  #everProved = false;
  #provedAt = 0;
  #strikes = 0;
  #hold = LONGEST;
  /** Whether the hold is short for a reason that stays. */
  #clocked = false;
  #byPost = false;
  #memory;
  /** The age at which the last poll was cut. */
  #cutAgeMs = 0;
  #cutAt = 0;
  #growMs = GROW_MS;

  /** @param {string} base */
  constructor(base) {
    this.#memory = `switchboard:path:${new URL(base).origin}`;
    const { fault, hold, byPost } = recall(this.#memory) ?? {};
    if (fault === "unproved" || fault === "cut") this.#fault = fault;
    if (hold >= SHORTEST && hold < LONGEST) [this.#hold, this.#clocked] = [hold, true];
    this.#byPost = byPost === true;
    this.#cutAt = Date.now();
  }

  /** What is wrong with streams here, if anything is. */
  get fault() {
    return this.#fault;
  }

  /** @param {Fault} fault */
  blame(fault) {
    this.#fault = fault;
  }

  /** The long-poll works where streams do not. Had nothing passed at all, the stream would not be to blame. */
  confirm() {
    if (this.#isLasting()) this.#keep();
  }

  /** A stream is proved. */
  proved() {
    this.#everProved = true;
    this.#provedAt = Date.now();
    // That streams come through was not in doubt where they do not last.
    if (this.#fault === "unproved") this.#absolve();
  }

  /** A stream that was proved has broken. @returns {boolean} whether that was one too many. */
  broke() {
    const brief = Date.now() - this.#provedAt < LASTING_MS;
    return this.#strike(brief ? 1 : -this.#strikes);
  }

  /** A stream that was proved goes silent, while the page is awake. @returns {boolean} whether that was one too many. */
  silenced() {
    return this.#strike(STRIKE_SILENT);
  }

  /** The server itself was out of reach, which is nothing against streams. */
  pardon() {
    this.#strikes = 0;
  }

  /** A proved stream brought something just now. */
  lasts() {
    if (Date.now() - this.#provedAt < LASTING_MS) return;
    this.#strikes = 0;
    if (this.#fault) this.#absolve();
  }

  /** Whether the header with the cursor gets lost on the way, or answers are kept there: polls go by POST then. */
  get byPost() {
    return this.#byPost;
  }

  set byPost(byPost) {
    if (this.#byPost === byPost) return;
    this.#byPost = byPost;
    this.#keep();
  }

  /** How long a poll may be held, in seconds. */
  get holdSeconds() {
    return this.#hold;
  }

  /**
   * A held poll has got no answer.
   *
   * @param {number} ageMs
   * @param {boolean} silent No word of it: nobody knows when the connection was lost.
   * @returns {boolean} whether it can have been the hold that killed it.
   */
  cut(ageMs, silent) {
    if (ageMs < SOONEST_CUT_MS) return false;
    // One cut can be anything, a lost network say; two at the same age are a clock.
    const clock = !silent && Math.abs(ageMs - this.#cutAgeMs) <= SAME_AGE * ageMs;
    const bearable = Math.floor((ageMs * MARGIN) / 1000);
    this.#hold = Math.max(SHORTEST, clock ? Math.min(this.#hold, bearable) : Math.floor(this.#hold / 2));
    this.#cutAgeMs = silent ? 0 : ageMs;
    this.#cutAt = Date.now();
    if (clock) {
      this.#clocked = true;
      this.#keep();
    }
    return true;
  }

  /** A poll was held for its whole time. */
  held() {
    if (this.#hold === LONGEST || Date.now() - this.#cutAt < this.#growMs) return;
    this.#hold = Math.min(LONGEST, this.#hold * 2);
    this.#cutAt = Date.now();
    this.#growMs = Math.min(GROW_LAST_MS, this.#growMs * 2);
    this.#keep();
  }

  /** The network is another one: what was learnt of holds need not be so there. Streams are tried again by probe. */
  changed() {
    this.#strikes = 0;
    this.#hold = LONGEST;
    this.#clocked = false;
    this.#cutAgeMs = 0;
    this.#growMs = GROW_MS;
    this.#keep();
  }

  /** @param {number} weight */
  #strike(weight) {
    this.#strikes += weight;
    // Who fell back for this before has seen enough of it.
    return this.#strikes >= (this.#fault === "cut" ? 1 : STRIKES);
  }

  /** Where streams did come through, that one did not is no reason to begin without them. */
  #isLasting() {
    return this.#fault === "cut" || (this.#fault === "unproved" && !this.#everProved);
  }

  #absolve() {
    this.#fault = null;
    this.#keep();
  }

  #keep() {
    const learnt = {
      ...(this.#isLasting() ? { fault: this.#fault } : {}),
      ...(this.#clocked && this.#hold < LONGEST ? { hold: this.#hold } : {}),
      ...(this.#byPost ? { byPost: true } : {}),
    };
    if (Object.keys(learnt).length > 0) remember(this.#memory, learnt);
    else forget(this.#memory);
  }
}
