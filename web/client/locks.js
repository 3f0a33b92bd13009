/**
 * Names that one page of a browser holds at a time: Web Locks, which a page that ends loses by itself.
 *
 * @typedef {object} Held
 * @property {string} name
 * @property {() => void} release
 *
 * @typedef {object} Locks
 * @property {(names: string[], onRobbed?: () => void) => Promise<Held | null>} now One of the names, where one is free.
 * @property {(names: string[], signal: AbortSignal, onRobbed?: () => void) => Promise<Held>} next One of the names, once one is free.
 */

/** @implements {Locks} */
export class WebLocks {
  #manager;

  /** @param {LockManager} manager */
  constructor(manager) {
    this.#manager = manager;
  }

  /** @param {string[]} names @param {() => void} [onRobbed] */
  async now(names, onRobbed) {
    for (const name of names) {
      const held = await this.#request(name, { ifAvailable: true }, onRobbed);
      if (held) return held;
    }
    return null;
  }

  /** @param {string[]} names @param {AbortSignal} signal @param {() => void} [onRobbed] @returns {Promise<Held>} */
  next(names, signal, onRobbed) {
    const asking = new AbortController();
    const giveUp = () => asking.abort(signal.reason);
    if (signal.aborted) return Promise.reject(signal.reason);
    signal.addEventListener("abort", giveUp, { once: true });
    return new Promise((resolve, reject) => {
      let settled = false;
      const settle = (/** @type {() => void} */ tell) => {
        settled = true;
        signal.removeEventListener("abort", giveUp);
        asking.abort();
        tell();
      };
      for (const name of names) {
        this.#request(name, { signal: asking.signal }, onRobbed).then(
          (held) => {
            if (settled || signal.aborted) held?.release();
            if (!settled) settle(() => (signal.aborted ? reject(signal.reason) : resolve(/** @type {Held} */ (held))));
          },
          (thrown) => !settled && settle(() => reject(thrown)),
        );
      }
    });
  }

  /** The name, whoever holds it. @param {string} name @param {() => void} [onRobbed] */
  async rob(name, onRobbed) {
    return /** @type {Held} */ (await this.#request(name, { steal: true }, onRobbed));
  }

  /** How many pages wait for it. @param {string} name */
  async waiting(name) {
    const { pending } = await this.#manager.query();
    return pending?.filter((lock) => lock.name === name).length ?? 0;
  }

  /**
   * @param {string} name
   * @param {LockOptions} options
   * @param {() => void} [onRobbed]
   * @returns {Promise<Held | null>}
   */
  #request(name, options, onRobbed) {
    return new Promise((resolve, reject) => {
      let held = false;
      const letGo = this.#manager.request(name, options, (lock) => {
        if (!lock) return resolve(null);
        held = true;
        return new Promise((release) => resolve({ name, release: () => release(undefined) }));
      });
      letGo.catch((thrown) => (held ? onRobbed?.() : reject(thrown)));
    });
  }
}
