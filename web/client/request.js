/** The way up: fetch with the peer's token, a deadline, and refusals read as {@link SwitchboardError}. */

import { SwitchboardError, asError, refusal } from "./error.js";

const TIMEOUT_MS = 15_000;
/** After a request without an answer: browsers keep up to six connections, and each that is dead swallows one. */
const DOUBT_MS = 4_000;
const DOUBTS = 6;

/**
 * @typedef {object} Call
 * @property {unknown} [body] Sent as JSON.
 * @property {string} [text] Sent as it is, in place of `body`.
 * @property {Record<string, string>} [headers]
 * @property {AbortSignal} [signal]
 * @property {number} [timeoutMs]
 * @property {boolean} [keepalive] Goes on when the page ends.
 * @property {string} [type] The content type, where it is not JSON.
 * @property {string | null} [bearer] Another credential than the peer's token; null for none.
 *
 * @typedef {{status: number, body: any, retryAfterMs: number | undefined}} Answer
 */

/** The base of a server from what the application gave: no trailing slash, no query. @param {string | URL} url */
export function baseOf(url) {
  const parsed = new URL(String(url), globalThis.location?.href);
  return parsed.origin + parsed.pathname.replace(/\/+$/, "");
}

export class Requests {
  /** When the last request of this peer went out, by the wall clock. */
  lastAt = 0;
  #token = "";
  /** Requests in a row that got no answer in time. */
  #unanswered = 0;

  /** @param {string} base @param {string} room */
  constructor(base, room) {
    this.base = base;
    this.room = `${base}/rooms/${encodeURIComponent(room)}`;
    this.own = "";
  }

  /** @param {string} peer @param {string} token */
  identify(peer, token) {
    this.own = `${this.room}/peers/${encodeURIComponent(peer)}`;
    this.#token = token;
  }

  get token() {
    return this.#token;
  }

  /**
   * @param {string} method
   * @param {string} url
   * @param {Call} [call]
   * @returns {Promise<Answer>} for any 2xx; everything else is thrown as a SwitchboardError.
   */
  async call(method, url, { body, text, headers = {}, signal, timeoutMs = this.#patience(), keepalive = false, type = "application/json", bearer = this.#token } = {}) {
    const patience = new AbortController();
    const onAbort = () => patience.abort();
    if (signal?.aborted) throw signal.reason;
    signal?.addEventListener("abort", onAbort, { once: true });
    const timer = setTimeout(onAbort, timeoutMs);
    this.lastAt = Date.now();
    try {
      const payload = text ?? (body === undefined ? undefined : JSON.stringify(body));
      const response = await fetch(url, {
        method,
        headers: {
          ...(payload === undefined ? {} : { "Content-Type": type }),
          ...(bearer ? { Authorization: `Bearer ${bearer}` } : {}),
          ...headers,
        },
        body: payload,
        cache: "no-store",
        keepalive,
        signal: patience.signal,
      });
      this.#unanswered = 0;
      return await answerOf(response);
    } catch (thrown) {
      if (signal?.aborted) throw signal.reason;
      if (patience.signal.aborted) this.#unanswered += 1;
      if (patience.signal.aborted) throw new SwitchboardError({ status: 0, slug: "timeout", detail: `no answer in ${timeoutMs} ms` });
      throw asError(thrown);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /**
   * Ends the membership. By POST as the beacon does it, and not by DELETE: some paths let only GET and POST through,
   * and text is sent to other origins without asking leave first.
   *
   * @param {string} [query]
   */
  async leave(query = "") {
    const told = await this.call("POST", `${this.own}/leave${query}`, { text: this.#token, type: "text/plain", bearer: null, keepalive: true });
    if (told.status !== 204) throw new SwitchboardError({ status: 0, slug: "network", detail: "not this server's answer", foreign: true });
  }

  /** Something else has gone silent on this path: the connections beside it may be as dead. */
  doubt() {
    this.#unanswered ||= 1;
  }

  /** How long an answer may take. A path that is merely slow gets the whole time again after some short ones. */
  #patience() {
    return this.#unanswered > 0 && this.#unanswered <= DOUBTS ? DOUBT_MS : TIMEOUT_MS;
  }
}

/** @param {Response} response @returns {Promise<Answer>} */
async function answerOf(response) {
  const { status } = response;
  const retryAfterMs = retryAfter(response.headers.get("Retry-After"));
  const text = await response.text();
  let body = null;
  if (text) {
    try {
      body = JSON.parse(text);
    } catch {
      // A 2xx that is no JSON comes from a captive portal or the like.
      if (response.ok) throw new SwitchboardError({ status: 0, slug: "network", detail: "the answer is not JSON", foreign: true });
    }
  }
  if (!response.ok) throw refusal(body, status, retryAfterMs);
  return { status, body, retryAfterMs };
}

/** @param {string | null} value Seconds or an HTTP date. @returns {number | undefined} */
function retryAfter(value) {
  if (value === null) return undefined;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
