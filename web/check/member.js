/** A peer of a room of its own: joins, opens the real stream, polls, leaves. */

import { Failed, jsonOf, whyOf, within } from "./patience.js";

const PATIENCE_MS = 5000;
/** As long as the browser client gives a stream to prove itself, and a second for its own start. */
const STREAM_MS = 4000;
const POLL_S = 1;
export const LONG_POLL_S = 25;
/** An answer that comes so much sooner was not held for its whole time. */
const EARLY_MS = 1000;
/** What a full server says of itself. */
export const FULL = "the server is full";
const LONG_POLL_PATIENCE_MS = 12_000;

/**
 * @typedef {import("./requests.js").Outcome} Outcome
 * @typedef {Outcome & {firstMs?: number, provedMs?: number}} Stream
 * @typedef {Outcome & {ms?: number}} Poll
 * @typedef {{state: "running"|"kept"|"early"|"cut", forMs: number, sinceMs: number, why?: string}} LongPoll sinceMs: when it began, counted from the silences' beginning
 */

export class Member {
  /** refused: the status by which the server itself refused it. @type {Outcome & {refused?: number}} */
  joined = { ok: false, why: "not tried" };
  heartbeatMs = 0;
  /** @type {RTCIceServer[]} */
  iceServers = [];
  #own = "";
  #token = "";
  #ticket = "";

  /** @param {string} base @param {string} access a token, where the server asks for one @param {string} named the room, or none for one of its own */
  static async join(base, access, named) {
    const member = new Member();
    const room = named ? encodeURIComponent(named) : `check-${Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
    try {
      const headers = { "Content-Type": "application/json", ...(access ? { Authorization: `Bearer ${access}` } : {}) };
      const told = await within(PATIENCE_MS, async (signal) => jsonOf(await fetch(`${base}/rooms/${room}/peers`, { method: "POST", body: "{}", headers, cache: "no-store", signal })));
      if (!told.token || !told.peer) throw new Failed("something on the way answered in the server’s place");
      member.#own = `${base}/rooms/${room}/peers/${encodeURIComponent(told.peer)}`;
      member.#token = told.token;
      member.#ticket = told.ticket;
      member.heartbeatMs = told.heartbeat_ms;
      member.iceServers = told.iceServers ?? [];
      member.joined = { ok: true };
    } catch (thrown) {
      member.joined = { ok: false, why: whyOf(thrown), refused: thrown instanceof Failed ? thrown.refused : undefined };
    }
    return member;
  }

  /** @returns {Promise<Stream>} */
  stream() {
    if (!this.joined.ok) return Promise.resolve({ ok: false, why: "not tried, for want of a join" });
    const began = performance.now();
    /** @type {Stream} */
    const stream = { ok: false };
    const source = new EventSource(`${this.#own}/events?ticket=${encodeURIComponent(this.#ticket)}`);
    return new Promise((resolve) => {
      const over = (/** @type {Partial<Stream>} */ how) => {
        clearTimeout(timer);
        source.close();
        resolve(Object.assign(stream, how));
      };
      const timer = setTimeout(() => over({ why: stream.firstMs === undefined ? "no event came" : "the second event was held back" }), STREAM_MS);
      source.addEventListener("ready", () => (stream.firstMs = performance.now() - began));
      source.addEventListener("ping", () => stream.firstMs !== undefined && over({ ok: true, provedMs: performance.now() - began }));
      source.addEventListener("end", ({ data }) => over({ why: /"busy"/.test(data) ? FULL : "the server ended it" }));
      source.onerror = () => over({ why: source.readyState === EventSource.CLOSED ? "refused on the way" : "the connection was cut" });
    });
  }

  /** @returns {Promise<Poll>} */
  async poll() {
    if (!this.joined.ok) return { ok: false, why: "not tried, for want of a join" };
    const began = performance.now();
    try {
      await this.#poll(POLL_S, PATIENCE_MS);
      return { ok: true, ms: performance.now() - began - POLL_S * 1000 };
    } catch (thrown) {
      return { ok: false, why: whyOf(thrown) };
    }
  }

  /** Nobody is there who could make it end early. @param {LongPoll} poll is kept up to date */
  async longPoll(poll) {
    const began = performance.now();
    try {
      await this.#poll(LONG_POLL_S, LONG_POLL_S * 1000 + LONG_POLL_PATIENCE_MS);
      poll.state = performance.now() - began < LONG_POLL_S * 1000 - EARLY_MS ? "early" : "kept";
    } catch (thrown) {
      poll.state = "cut";
      poll.why = whyOf(thrown);
    }
    poll.forMs = Math.min(performance.now() - began, LONG_POLL_S * 1000);
  }

  /** @param {number} wait @param {number} patience */
  async #poll(wait, patience) {
    const told = await within(patience, async (signal) => jsonOf(await fetch(`${this.#own}/poll?wait=${wait}`, { headers: { Authorization: `Bearer ${this.#token}` }, cache: "no-store", signal })));
    if (!Array.isArray(told.events)) throw new Failed("something on the way answered in the server’s place");
  }

  /** By POST, which passes where DELETE does not, and when the page goes. */
  leave() {
    if (this.#token) navigator.sendBeacon(`${this.#own}/leave`, this.#token);
    this.#token = "";
    this.joined = { ok: false, why: "left" };
  }
}
