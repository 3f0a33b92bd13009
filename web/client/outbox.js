/**
 * What goes out: one queue, in order, several signals to a request while one is on its way.
 *
 * Each signal has an id under which the server knows a repetition, so a request without an answer is simply
 * sent again. Only a recipient whose mailbox is full is waited for alone; the others' signals go on.
 */

import { Backoff } from "./backoff.js";
import { SwitchboardError, asError, refusal } from "./error.js";
import { word } from "./random.js";

const BATCH = 100;
/** Below the server's 256 KiB a request, with room for the brackets. */
const BATCH_BYTES = 250_000;
/** How often an answer that a proxy made up (an HTML page, say) is taken for a passing fault. */
const FOREIGN_TRIES = 8;
/** A request that is under way for so long when the way is open anew went by the old one. */
const STUCK_MS = 2_000;
/** The waits for a full mailbox: its reader may be quick. */
const FULL_MS = { baseMs: 200, capMs: 5_000 };

/**
 * @typedef {object} Group  The signals of one call to send.
 * @property {(import("./wire.js").SignalResult | null)[]} results
 * @property {number} left
 * @property {SwitchboardError | null} refused The first refusal.
 * @property {(results: import("./wire.js").SignalResult[]) => void} resolve
 * @property {(reason: any) => void} reject
 *
 * @typedef {object} Item
 * @property {import("./wire.js").Signal} signal
 * @property {string} text
 * @property {number} bytes
 * @property {"plain" | "sealing" | "ready"} stage As what it can go out; in a room without a key everything is ready.
 * @property {Group} group
 * @property {number} index
 *
 * @typedef {object} Way
 * @property {(text: string, signal: AbortSignal) => Promise<import("./request.js").Answer>} post
 * @property {(signal: import("./wire.js").Signal) => Promise<import("./wire.js").Signal>} [seal] In a room with a key.
 * @property {(signal: import("./wire.js").Signal, result: import("./wire.js").SignalResult) => void} accepted
 * @property {(reason: string) => void} over The incarnation has ended.
 */

export class Outbox {
  #way;
  /** @type {Item[]} */
  #queue = [];
  /** @type {Item[]} */
  #flying = [];
  /** The request that they are in. @type {{abort: AbortController, since: number} | null} */
  #flight = null;
  /** Recipients whose mailbox is full, and when to try again. @type {Map<string, number>} */
  #full = new Map();
  #backoff = new Backoff();
  #fullBackoff = new Backoff(FULL_MS);
  #foreign = 0;
  #limit = BATCH;
  #paused = false;
  /** Rises when everything that is under way no longer counts. */
  #generation = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #fullTimer;
  #prefix = word(6);
  #count = 0;
  /** @type {(() => void)[]} */
  #idle = [];

  /** @param {Way} way */
  constructor(way) {
    this.#way = way;
  }

  /**
   * @param {import("./wire.js").Signal[]} signals
   * @param {AbortSignal} [abort] Takes back what has not been sent yet.
   * @returns {Promise<import("./wire.js").SignalResult[]>}
   */
  send(signals, abort) {
    if (abort?.aborted) return Promise.reject(abort.reason);
    if (signals.length === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      /** @type {Group} */
      const group = { results: signals.map(() => null), left: signals.length, refused: null, resolve, reject };
      const stage = this.#way.seal ? "plain" : "ready";
      /** @type {Item[]} */
      const items = signals.map((given, index) => {
        const signal = { ...given, id: given.id ?? `${this.#prefix}-${(this.#count += 1)}` };
        const text = JSON.stringify(signal);
        return { signal, text, bytes: bytesOf(text), stage, group, index };
      });
      this.#queue.push(...items);
      abort?.addEventListener("abort", () => this.#takeBack(group, abort.reason), { once: true });
      this.#pump();
    });
  }

  pause() {
    this.#paused = true;
    clearTimeout(this.#fullTimer);
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  resume() {
    this.#paused = false;
    this.hurry();
  }

  /** Ends a wait: the way may be open again. What went by the old one is sent again, under the same ids. */
  hurry() {
    if (this.#flight && Date.now() - this.#flight.since > STUCK_MS) this.#flight.abort.abort();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#backoff.reset();
    this.#pump();
  }

  /** Refuses all that is waiting or under way. @param {SwitchboardError} error */
  clear(error) {
    this.#generation += 1;
    this.#flight = null;
    const items = [...this.#flying, ...this.#queue];
    this.#flying = [];
    this.#queue = [];
    this.#full.clear();
    clearTimeout(this.#fullTimer);
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const item of items) settle(item, null, error);
    this.#tellIdle();
  }

  /** @returns {Promise<void>} once nothing is waiting or under way. */
  idle() {
    if (this.#queue.length + this.#flying.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** @param {Group} group @param {any} reason */
  #takeBack(group, reason) {
    const before = this.#queue.length;
    this.#queue = this.#queue.filter((item) => item.group !== group);
    const taken = before - this.#queue.length;
    if (taken === 0) return;
    group.left -= taken;
    group.reject(reason);
    this.#tellIdle();
  }

  #pump() {
    if (this.#paused) return;
    void this.#seal();
    if (this.#timer !== undefined || this.#flying.length > 0) return;
    this.#flying = this.#pick();
    if (this.#flying.length > 0) return void this.#fly(this.#flying, this.#generation);
    if (this.#full.size > 0 && this.#queue.length > 0) {
      clearTimeout(this.#fullTimer);
      this.#fullTimer = setTimeout(() => this.#pump(), Math.max(0, Math.min(...this.#full.values()) - Date.now()));
    }
    this.#tellIdle();
  }

  /** Seals what is in the queue: each signal once, so that it is the same to the byte whenever it is sent again. */
  async #seal() {
    const { seal } = this.#way;
    const plain = this.#queue.filter(({ stage }) => stage === "plain");
    if (!seal || plain.length === 0) return;
    const sealing = plain.map(async (item) => {
      item.stage = "sealing";
      try {
        // What it was when it was given to be sent.
        item.signal = await seal(JSON.parse(item.text));
        item.text = JSON.stringify(item.signal);
        item.bytes = bytesOf(item.text);
        item.stage = "ready";
      } catch (thrown) {
        const index = this.#queue.indexOf(item);
        if (index < 0) return;
        this.#queue.splice(index, 1);
        settle(item, null, asError(thrown));
      }
    });
    await Promise.all(sealing);
    this.#pump();
  }

  /** Takes the next batch from the queue: nothing overtakes what waits for the same recipient. */
  #pick() {
    const now = Date.now();
    for (const [peer, until] of this.#full) if (until <= now) this.#full.delete(peer);
    /** @type {Item[]} */
    const batch = [];
    /** @type {Item[]} */
    const rest = [];
    let bytes = 0;
    let closed = false;
    for (const item of this.#queue) {
      const { to } = item.signal;
      // A broadcast goes to the full mailboxes too, so it waits for them, and all after it for it.
      const blocked = to === undefined ? this.#full.size > 0 : this.#full.has(to);
      if (blocked && to === undefined) closed = true;
      const fits = batch.length === 0 || (batch.length < this.#limit && bytes + item.bytes <= BATCH_BYTES);
      if (!fits || item.stage !== "ready") closed = true;
      if (blocked || closed) {
        rest.push(item);
      } else {
        batch.push(item);
        bytes += item.bytes;
      }
    }
    this.#queue = rest;
    return batch;
  }

  /** @param {Item[]} batch @param {number} generation */
  async #fly(batch, generation) {
    /** @type {import("./request.js").Answer | null} */
    let answer = null;
    /** @type {SwitchboardError | null} */
    let error = null;
    const abort = new AbortController();
    this.#flight = { abort, since: Date.now() };
    try {
      answer = await this.#way.post(`[${batch.map(({ text }) => text).join(",")}]`, abort.signal);
    } catch (thrown) {
      error = asError(thrown);
    }
    if (generation !== this.#generation) return;
    this.#flying = [];
    this.#flight = null;
    if (answer) this.#land(batch, answer);
    else if (abort.signal.aborted) this.#queue.unshift(...batch);
    else if (error) this.#refused(batch, error, true);
    this.#pump();
  }

  /** @param {Item[]} batch @param {import("./request.js").Answer} answer */
  #land(batch, { body, retryAfterMs }) {
    const results = body?.results;
    if (!Array.isArray(results)) {
      return this.#refused(batch, new SwitchboardError({ status: 0, slug: "network", detail: "not a Switchboard answer", foreign: true }), true);
    }
    this.#backoff.reset();
    if (results.length > 0) this.#fullBackoff.reset();
    this.#foreign = 0;
    this.#limit = BATCH;
    const taken = batch.slice(0, results.length);
    for (const [index, item] of taken.entries()) {
      this.#way.accepted(item.signal, results[index]);
      settle(item, results[index], null);
    }
    const rest = batch.slice(results.length);
    if (rest.length === 0) return;
    if (!body.refused) this.#queue.unshift(...rest);
    else this.#refused(rest, refusal(body.refused.problem, body.refused.problem?.status ?? 422, retryAfterMs), false);
  }

  /**
   * The first of these signals was refused, and so none of them is accepted.
   *
   * @param {Item[]} batch
   * @param {SwitchboardError} error
   * @param {boolean} whole Whether the request was refused and not a signal in it.
   */
  #refused(batch, error, whole) {
    const over = error.over;
    this.#queue.unshift(...batch);
    if (over) return this.#way.over(over);
    const [first] = batch;
    if (error.foreign && error.status >= 400 && error.status < 500 && (this.#foreign += 1) >= FOREIGN_TRIES) {
      this.#foreign = 0;
      return this.#reject(first, error);
    }
    if (error.slug === "mailbox-full" && first.signal.to !== undefined) {
      this.#full.set(first.signal.to, Date.now() + this.#fullBackoff.next(error.retryAfterMs));
    } else if (error.passing) {
      this.#wait(this.#backoff.next(error.retryAfterMs));
    } else if (whole && batch.length > 1 && (error.status === 413 || error.status === 400)) {
      // The request as a whole was at fault: one by one shows which signal it is.
      this.#limit = 1;
    } else {
      this.#reject(first, error);
    }
  }

  /** @param {Item} first The head of the queue. @param {SwitchboardError} error */
  #reject(first, error) {
    this.#queue.shift();
    settle(first, null, error);
  }

  /** @param {number} ms */
  #wait(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#pump();
    }, Math.max(0, ms));
  }

  #tellIdle() {
    if (this.#queue.length + this.#flying.length > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}

/** What it takes in an array. @param {string} text */
function bytesOf(text) {
  return new TextEncoder().encode(text).length + 1;
}

/** @param {Item} item @param {import("./wire.js").SignalResult | null} result @param {SwitchboardError | null} error */
function settle({ group, index }, result, error) {
  group.results[index] = result;
  group.refused ??= error;
  group.left -= 1;
  if (group.left > 0) return;
  if (group.refused) {
    group.refused.results = group.results;
    group.reject(group.refused);
  } else {
    group.resolve(/** @type {import("./wire.js").SignalResult[]} */ (group.results));
  }
}
