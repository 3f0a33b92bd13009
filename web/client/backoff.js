/** Waiting between tries, with full jitter: a crowd that lost its server together does not come back together. */

import { asError } from "./error.js";

const BASE_MS = 500;
const CAP_MS = 30_000;

export class Backoff {
  #tries = 0;

  /** @param {{baseMs?: number, capMs?: number}} [bounds] */
  constructor({ baseMs = BASE_MS, capMs = CAP_MS } = {}) {
    this.baseMs = baseMs;
    this.capMs = capMs;
  }

  /**
   * The next wait in milliseconds: anywhere between nothing and a ceiling that doubles with each try.
   *
   * @param {number} [leastMs] What the other side asked for (`Retry-After`); the jitter comes on top of it.
   */
  next(leastMs = 0) {
    const ceiling = Math.min(this.capMs, this.baseMs * 2 ** this.#tries);
    this.#tries = Math.min(this.#tries + 1, 16);
    return leastMs + Math.random() * ceiling;
  }

  get tries() {
    return this.#tries;
  }

  reset() {
    this.#tries = 0;
  }
}

/**
 * @param {number} ms
 * @param {AbortSignal} [signal] Rejects with its reason as soon as it is aborted.
 * @returns {Promise<void>}
 */
export function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/**
 * Repeats a small request over passing faults.
 *
 * @template T
 * @param {() => Promise<T>} work
 * @param {AbortSignal} [signal]
 * @param {number} [tries]
 * @returns {Promise<T>}
 */
export async function persist(work, signal, tries = 4) {
  const backoff = new Backoff();
  for (;;) {
    try {
      return await work();
    } catch (thrown) {
      const error = asError(thrown);
      if (!error.passing || backoff.tries + 1 >= tries) throw error;
      await sleep(backoff.next(error.retryAfterMs), signal);
    }
  }
}
