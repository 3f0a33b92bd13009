/**
 * The few connections that a browser opens to one server over HTTP/1.1, six for all its tabs together.
 *
 * A reader that waits keeps one of them; six that wait leave none for a POST in any tab. So a few tabs at a time
 * keep a reader open. The others look for their events in turns, shortly, by poll, and take a place when one gets
 * free. Over HTTP/2 and later there is nothing to share.
 */

import { sleep } from "./backoff.js";
import { Leases } from "./leases.js";
import { WebLocks } from "./locks.js";

const PLACES = 3;
const TURNS = 2;
/** How long it may take until each who waits for a turn has had one, but for the requests' own time. */
const ROUND_S = 1;
/** Of the lengths a turn may have: few, since a browser asks leave (CORS) for each URL anew. */
const TURN_S = [1, 0.5, 0.2, 0.1];
/** Who holds a turn for so long is stuck: its page is frozen. */
const STUCK_MS = 15_000;
/** The turns of pages that have no locks to take them by: by the clock, and hidden ones without one. */
const LONE_TURN_S = 0.2;
const LONE_PAUSE_MS = 800;

/** @typedef {{seconds: number, end: () => void}} Turn  How long one may wait in it. */

/** @type {Turn} */
const FREE = { seconds: Infinity, end: () => {} };

export class Connections {
  #base;
  #locks;
  /** @type {import("./locks.js").Held | null} */
  #place = null;
  /** @type {AbortController | null} */
  #asking = null;
  /** @type {Promise<void> | null} */
  #entering = null;

  /** @param {string} base */
  constructor(base) {
    this.#base = base;
    this.#locks = locks();
  }

  /** Whether this page may keep a reader waiting. */
  get free() {
    return this.#place !== null || !this.#locks || !this.#limited();
  }

  /**
   * Asks for a place, until {@link leave}.
   *
   * @param {() => void} onChange When a place comes later, or is taken away.
   * @returns {Promise<void>} once it is known whether there is one now.
   */
  async enter(onChange) {
    if (this.free || !this.#locks) return;
    await (this.#entering ??= this.#enter(this.#locks, onChange));
  }

  /** @param {import("./locks.js").Locks} locks @param {() => void} onChange */
  async #enter(locks, onChange) {
    const asking = (this.#asking = new AbortController());
    const names = this.#names("place", PLACES);
    const onRobbed = () => {
      this.#place = null;
      this.#entering = null;
      onChange();
    };
    try {
      const place = await locks.now(names, onRobbed);
      if (asking.signal.aborted) return place?.release();
      this.#place = place;
      if (!place) void this.#wait(locks, names, asking.signal, onChange, onRobbed);
    } catch {
      // Some sandboxed frames have the interface and refuse its use.
      this.#locks = null;
    }
  }

  /** Gives up the place, or the wait for one. */
  leave() {
    this.#asking?.abort();
    this.#asking = null;
    this.#entering = null;
    this.#place?.release();
    this.#place = null;
  }

  /** Waits until this page may send a poll that waits. @param {AbortSignal} signal @returns {Promise<Turn>} */
  async turn(signal) {
    if (this.free || !this.#locks) return FREE;
    if (!(this.#locks instanceof WebLocks)) {
      // A hidden page's timers may stand still for a minute, in which the server would give it up.
      if (globalThis.document?.visibilityState !== "hidden") await sleep(LONE_PAUSE_MS, signal);
      return { seconds: LONE_TURN_S, end: () => {} };
    }
    const names = this.#names("turn", TURNS);
    const held = await this.#next(this.#locks, names, signal);
    const waiting = await this.#locks.waiting(names[0]).catch(() => TURNS);
    const fair = ROUND_S / (1 + waiting / TURNS);
    return { seconds: TURN_S.find((seconds) => seconds <= fair) ?? 0, end: held.release };
  }

  /** Does something that keeps a connection for a while, unless another page is doing so. @template T @param {() => Promise<T>} work @returns {Promise<T | null>} */
  async alone(work) {
    if (!this.#locks || !this.#limited()) return work();
    const held = await this.#locks.now(this.#names("alone", 1)).catch(() => null);
    if (!held) return null;
    try {
      return await work();
    } finally {
      held.release();
    }
  }

  /**
   * @param {import("./locks.js").Locks} locks
   * @param {string[]} names
   * @param {AbortSignal} signal
   * @param {() => void} onChange
   * @param {() => void} onRobbed
   */
  async #wait(locks, names, signal, onChange, onRobbed) {
    try {
      this.#place = await locks.next(names, signal, onRobbed);
    } catch {
      return;
    }
    onChange();
  }

  /** @param {WebLocks} locks @param {string[]} names @param {AbortSignal} signal */
  async #next(locks, names, signal) {
    const patience = new AbortController();
    const giveUp = () => patience.abort(signal.reason);
    signal.addEventListener("abort", giveUp, { once: true });
    const timer = setTimeout(() => patience.abort(), STUCK_MS);
    try {
      return await locks.next(names, patience.signal);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      return locks.rob(names[Math.floor(Math.random() * names.length)]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
    }
  }

  /** Where nobody says how the server is reached, it is taken to be in the old way. */
  #limited() {
    const protocol = protocolTo(this.#base);
    return protocol === null || protocol.startsWith("http/");
  }

  /** @param {string} what @param {number} count */
  #names(what, count) {
    const { origin } = new URL(this.#base);
    return Array.from({ length: count }, (_, n) => `switchboard:${what}:${origin}:${n}`);
  }
}

/** @returns {import("./locks.js").Locks | null} nothing where there are no other pages to think of. */
function locks() {
  if (globalThis.location === undefined) return null;
  if (globalThis.navigator?.locks) return new WebLocks(navigator.locks);
  try {
    return globalThis.localStorage ? new Leases(localStorage) : null;
  } catch {
    return null;
  }
}

/** How the browser spoke to this server last. @param {string} base @returns {string | null} */
function protocolTo(base) {
  const home = `${new URL(base).origin}/`;
  const entries = [...(globalThis.performance?.getEntriesByType?.("navigation") ?? []), ...(globalThis.performance?.getEntriesByType?.("resource") ?? [])];
  for (const { name, nextHopProtocol } of /** @type {PerformanceResourceTiming[]} */ (entries.reverse())) {
    if (nextHopProtocol && name.startsWith(home)) return nextHopProtocol;
  }
  return null;
}
