/** Events as an async iterator, beside their dispatch. */

/** What is kept for a first iterator that comes late. */
const KEPT = 256;

/** @template T */
export class Feed {
  /** @type {T[]} */
  #kept = [];
  #taken = false;
  #over = false;
  /** @type {Set<Iteration<T>>} */
  #open = new Set();

  /** @param {T} value */
  push(value) {
    if (this.#over) return;
    for (const iteration of this.#open) iteration.push(value);
    if (this.#taken) return;
    this.#kept.push(value);
    if (this.#kept.length > KEPT) this.#kept.shift();
  }

  end() {
    this.#over = true;
    for (const iteration of this.#open) iteration.end();
    this.#open.clear();
  }

  /** The first iterator begins with what came before it, later ones with what comes next. @returns {AsyncIterableIterator<T>} */
  iterate() {
    const iteration = new Iteration(this.#taken ? [] : this.#kept, () => this.#open.delete(iteration));
    this.#taken = true;
    this.#kept = [];
    if (this.#over) iteration.end();
    else this.#open.add(iteration);
    return iteration;
  }
}

/** @template T @implements {AsyncIterableIterator<T>} */
class Iteration {
  /** @type {T[]} */
  #values;
  #onReturn;
  #over = false;
  /** @type {((result: IteratorResult<T, undefined>) => void)[]} */
  #waiting = [];

  /** @param {T[]} values @param {() => void} onReturn */
  constructor(values, onReturn) {
    this.#values = values;
    this.#onReturn = onReturn;
  }

  /** @param {T} value */
  push(value) {
    const waiting = this.#waiting.shift();
    if (waiting) waiting({ done: false, value });
    else this.#values.push(value);
  }

  end() {
    this.#over = true;
    for (const waiting of this.#waiting.splice(0)) waiting({ done: true, value: undefined });
  }

  /** @returns {Promise<IteratorResult<T, undefined>>} */
  next() {
    if (this.#values.length > 0) return Promise.resolve({ done: false, value: /** @type {T} */ (this.#values.shift()) });
    if (this.#over) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** @returns {Promise<IteratorResult<T, undefined>>} */
  return() {
    this.#values = [];
    this.end();
    this.#onReturn();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator]() {
    return this;
  }
}
