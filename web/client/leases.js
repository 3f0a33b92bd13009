/** The same as Web Locks for pages that have none, since they came over plain HTTP: leases in localStorage. */

import { sleep } from "./backoff.js";
import { word } from "./random.js";

/** Browsers wake the timers of a hidden page once a minute. */
const TERM_MS = 150_000;
const RENEW_MS = 20_000;
/** Two pages that take a name at once both see by then which of them wrote last. */
const SETTLE_MS = 60;
const LOOK_MS = 1_000;

/** @typedef {import("./locks.js").Locks} Locks */

/** @implements {Locks} */
export class Leases {
  #storage;
  #me = word(8);
  /** @type {Map<string, {timer: ReturnType<typeof setInterval>, onRobbed?: () => void}>} */
  #held = new Map();

  /** @param {Storage} storage */
  constructor(storage) {
    this.#storage = storage;
  }

  /** @param {string[]} names @param {() => void} [onRobbed] */
  async now(names, onRobbed) {
    for (const name of names) {
      if (!this.#isFree(name) || !this.#write(name)) continue;
      await sleep(SETTLE_MS + Math.random() * SETTLE_MS);
      if (this.#owner(name) === this.#me && !this.#held.has(name)) return this.#hold(name, onRobbed);
    }
    return null;
  }

  /** @param {string[]} names @param {AbortSignal} signal @param {() => void} [onRobbed] */
  async next(names, signal, onRobbed) {
    for (;;) {
      const held = await this.now(names, onRobbed);
      if (held && signal.aborted) held.release();
      else if (held) return held;
      await sleep(LOOK_MS * (0.5 + Math.random()), signal);
    }
  }

  /** @param {string} name @param {() => void} [onRobbed] */
  #hold(name, onRobbed) {
    const timer = setInterval(() => this.#renew(name), RENEW_MS);
    this.#held.set(name, { timer, onRobbed });
    return { name, release: () => this.#release(name) };
  }

  /** @param {string} name */
  #renew(name) {
    if (this.#owner(name) === this.#me && this.#write(name)) return;
    const { onRobbed } = this.#held.get(name) ?? {};
    this.#release(name);
    onRobbed?.();
  }

  /** @param {string} name */
  #release(name) {
    clearInterval(this.#held.get(name)?.timer);
    if (this.#held.delete(name) && this.#owner(name) === this.#me) this.#storage.removeItem(name);
  }

  /** @param {string} name */
  #isFree(name) {
    return this.#owner(name) === null;
  }

  /** @param {string} name @returns {string | null} whose lease it is, where it has not run out. */
  #owner(name) {
    const [owner, until] = this.#storage.getItem(name)?.split(" ") ?? [];
    return owner && Number(until) > Date.now() ? owner : null;
  }

  /** @param {string} name @returns {boolean} whether the storage had room for it. */
  #write(name) {
    try {
      this.#storage.setItem(name, `${this.#me} ${Date.now() + TERM_MS}`);
      return true;
    } catch {
      return false;
    }
  }
}
