/**
 * Everything that happens, line by line: by a stream where streams come through, by long-poll where they are held back, and on
 * from where it was after each break. Knows no page.
 */

import { Backoff, sleep } from "../client/backoff.js";
import { SwitchboardError, asError } from "../client/error.js";
import { Parser } from "./sse.js";

/** A stream that has not said that it is ready by then is held back on the way. */
const READY_MS = 3_000;
const WAIT_S = 25;
const SLACK_MS = 10_000;
/** By long-poll the stream is tried again after that. */
const AGAIN_MS = 300_000;
/** Heartbeats that may go missing before a stream counts as dead. */
const MISSED = 2.5;
const HEARTBEAT_MS = 15_000;
/** An answer with nothing new that comes sooner than this was not waited for; something on the way may have made it. */
const EARLY_MS = 1_000;
/** Refusals that no other try mends. */
const FINAL = new Set([401, 403, 404]);

/**
 * @typedef {import("./lines.js").Line} Line
 * @typedef {"connecting" | "live" | "poll" | "reconnecting" | "refused"} State
 *
 * @typedef {object} Listener
 * @property {(lines: Line[]) => void} lines
 * @property {(state: State, error?: SwitchboardError) => void} state
 * @property {() => void} gap Lines between the last one and the next one are not kept, or the server is another one.
 * @property {(aheadMs: number) => void} clock How far the server's clock is ahead of this machine's.
 */

export class Feed {
  #operator;
  #listener;
  #path;
  #readyMs;
  /** @type {string | undefined} */
  #cursor;
  #heartbeatMs = HEARTBEAT_MS;
  #backoff = new Backoff({ capMs: 15_000 });
  #over = new AbortController();
  /** What is under way, to be given up where the network comes back. @type {AbortController | undefined} */
  #current;
  /** By long-poll until then. */
  #pollUntil = 0;
  /** Whether a poll has been answered since the stream was given up. */
  #polled = false;

  /**
   * @param {Pick<import("./operator.js").Operator, "ask">} operator
   * @param {Listener} listener
   * @param {{path?: string, readyMs?: number}} [manner]
   */
  constructor(operator, listener, { path = "/history", readyMs = READY_MS } = {}) {
    this.#operator = operator;
    this.#listener = listener;
    this.#path = path;
    this.#readyMs = readyMs;
  }

  start() {
    this.#listener.state("connecting");
    void this.#run();
  }

  stop() {
    this.#over.abort();
  }

  /** The way may have changed: what hangs is given up, and tried again at once. */
  hurry() {
    this.#backoff.reset();
    this.#current?.abort();
  }

  async #run() {
    while (!this.#over.signal.aborted) {
      this.#current = new AbortController();
      const signal = AbortSignal.any([this.#over.signal, this.#current.signal]);
      try {
        if (Date.now() < this.#pollUntil) await this.#poll(signal);
        else await this.#stream(signal);
      } catch (thrown) {
        if (this.#over.signal.aborted) return;
        const error = asError(thrown);
        if (!error.foreign && FINAL.has(error.status)) return this.#listener.state("refused", error);
        if (error.slug === "held") {
          this.#pollUntil = Date.now() + AGAIN_MS;
          this.#polled = false;
          continue;
        }
        // Nothing comes through at all, which says nothing of streams.
        if (!this.#polled) this.#pollUntil = 0;
        this.#listener.state("reconnecting", error);
        await sleep(this.#backoff.next(error.retryAfterMs), signal).catch(() => {});
      }
    }
  }

  /** Ends by what it throws. @param {AbortSignal} signal */
  async #stream(signal) {
    const own = new AbortController();
    const ends = AbortSignal.any([signal, own.signal]);
    let ready = false;
    let timer = setTimeout(() => own.abort(new SwitchboardError({ status: 0, slug: "held" })), this.#readyMs);
    try {
      const response = await this.#operator.ask(this.#path, { headers: this.#headers({ Accept: "text/event-stream" }), signal: ends });
      if (!response.headers.get("Content-Type")?.startsWith("text/event-stream") || !response.body) throw new SwitchboardError({ status: 0, slug: "held", foreign: true });
      const parser = new Parser();
      const reader = response.body.getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) throw new SwitchboardError({ status: 0, slug: "closed" });
        const messages = parser.push(value).map(({ id, event, data }) => ({ id, event, data: JSON.parse(data) }));
        ready ||= messages.some(({ event }) => event === "ready");
        this.#take(messages, "live");
        if (ready) {
          clearTimeout(timer);
          timer = setTimeout(() => own.abort(new SwitchboardError({ status: 0, slug: "silent" })), this.#heartbeatMs * MISSED);
        }
        const end = messages.find(({ event }) => event === "end");
        if (end) throw new SwitchboardError({ status: 0, slug: "closed", reason: end.data.reason });
      }
    } catch (thrown) {
      // An aborted read throws what it likes.
      throw own.signal.aborted ? own.signal.reason : thrown;
    } finally {
      clearTimeout(timer);
      own.abort();
    }
  }

  /** It comes first, and again where lines went missing meanwhile. @param {any} data */
  #ready({ cursor, gap, resumed, heartbeat_ms: heartbeatMs, now }) {
    if (heartbeatMs > 0) this.#heartbeatMs = heartbeatMs;
    if (typeof now === "number") this.#listener.clock(now - Date.now());
    if (gap || (this.#cursor !== undefined && resumed === false)) this.#listener.gap();
    if (typeof cursor === "string") this.#cursor = cursor;
  }

  /** Ends by what it throws, or when a stream is to be tried again. @param {AbortSignal} signal */
  async #poll(signal) {
    let wait = 0;
    while (Date.now() < this.#pollUntil) {
      const asked = Date.now();
      const patience = AbortSignal.any([signal, AbortSignal.timeout(wait * 1000 + SLACK_MS)]);
      const response = await this.#operator.ask(`${this.#path}?wait=${wait}`, { headers: this.#headers({ Accept: "application/json" }), signal: patience });
      const { events, cursor, more } = await response.json();
      if (!Array.isArray(events)) throw new SwitchboardError({ status: 0, slug: "network", detail: "not the answer to a poll", foreign: true });
      const before = this.#cursor;
      this.#polled = true;
      this.#take(events, "poll");
      if (typeof cursor === "string") this.#cursor = cursor;
      if (events.some(({ event }) => event === "end")) throw new SwitchboardError({ status: 0, slug: "closed" });
      if (wait > 0 && before === this.#cursor && Date.now() - asked < EARLY_MS) await sleep(EARLY_MS, signal);
      wait = more ? 0 : WAIT_S;
    }
  }

  /** A cursor goes into a header: addresses end up in the logs of proxies. @param {Record<string, string>} headers */
  #headers(headers) {
    return this.#cursor === undefined ? headers : { ...headers, "Last-Event-ID": this.#cursor };
  }

  /** @param {{id?: string, event: string, data: any}[]} messages @param {"live" | "poll"} how */
  #take(messages, how) {
    /** @type {Line[]} */
    let lines = [];
    const hand = () => {
      if (lines.length) this.#listener.lines(lines);
      lines = [];
    };
    for (const { id, event, data } of messages) {
      if (event === "ready") {
        hand();
        this.#ready(data);
      } else if (id !== undefined && typeof data?.at === "number") {
        this.#cursor = id;
        lines.push({ ...data, id, event });
      }
    }
    hand();
    if (how === "live" && !messages.some(({ event }) => event === "ready")) return;
    this.#backoff.reset();
    this.#listener.state(how);
  }
}
