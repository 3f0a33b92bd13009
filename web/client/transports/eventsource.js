/** The stream: the browser's own EventSource, opened with a ticket. */

import { Lateness } from "../lateness.js";
import { SILENT } from "./reader.js";

/** EventSource has no way to listen to every name. */
const NAMES = [
  "ready",
  "signal",
  "peer-joined",
  "peer-updated",
  "peer-away",
  "peer-back",
  "peer-left",
  "session-ended",
  "ice-servers",
  "ping",
  "wake",
  "end",
];

/** Events without an id, to which EventSource gives the id of the event before them. */
const WITHOUT_ID = new Set(["ping", "wake", "ice-servers", "end"]);

/** Heartbeats that may go missing before the stream counts as dead. */
const MISSED_HEARTBEATS = 2.5;

/** How long the browser's own reconnect may take: the server draws `retry:` between 1 and 3 s. */
const RECONNECT_MS = 8_000;

/** @typedef {import("./reader.js").Reader} Reader */

/** @implements {Reader} */
export class EventSourceReader {
  /** @type {"sse"} */
  transport = "sse";
  #source;
  #reconnects;
  #listener;
  #ready = false;
  #proved = false;
  #lateness = new Lateness();
  #heard = false;
  /** Whether the browser is reconnecting and nothing has come since. */
  #reconnecting = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {string} url With its ticket; a cursor is never part of it.
   * @param {boolean} reconnects Whether the browser may reconnect by itself.
   * @param {import("./reader.js").Listener} listener
   */
  constructor(url, reconnects, listener) {
    this.#reconnects = reconnects;
    this.#listener = listener;
    this.#source = new EventSource(url);
    for (const name of NAMES) this.#source.addEventListener(name, (event) => this.#hear(/** @type {MessageEvent} */ (event)));
    this.#source.onerror = () => this.#lose();
  }

  /** @param {number} heartbeatMs */
  silenceMs(heartbeatMs) {
    return MISSED_HEARTBEATS * heartbeatMs;
  }

  close() {
    clearTimeout(this.#timer);
    this.#lateness.end();
    this.#source.onerror = null;
    this.#source.close();
    this.#listener = SILENT;
  }

  /** @param {MessageEvent} message */
  #hear({ type, data, lastEventId }) {
    /** @type {any} */
    let parsed;
    try {
      parsed = JSON.parse(data);
    } catch {
      return this.#over("garbled");
    }
    clearTimeout(this.#timer);
    this.#heard = true;
    this.#reconnecting = false;
    if (type === "ready") {
      this.#ready = true;
      this.#proved = false;
      this.#lateness.begin(parsed.sent_ms);
      const { gap, peers, sessions, cursor, replayed = 0 } = parsed;
      this.#listener.snapshot({ gap, peers, sessions, cursor, replayed });
    }
    const id = WITHOUT_ID.has(type) ? undefined : lastEventId || undefined;
    this.#listener.event({ ...(id === undefined ? {} : { id }), event: type, data: parsed });
    if (type === "ping" && this.#ready) this.#judge(this.#lateness.ping(parsed.sent_ms));
  }

  /** @param {import("../lateness.js").Verdict} verdict */
  #judge(verdict) {
    if (verdict === "held") return this.#listener.held();
    if (verdict === "open" || this.#proved) return;
    this.#proved = true;
    this.#listener.proved();
  }

  #lose() {
    // 2: the browser has given up for good, and does not say why.
    if (this.#source.readyState === 2) return this.#over(this.#reconnecting ? "refused" : "closed");
    if (!this.#reconnects) return this.#over("lost");
    if (this.#reconnecting || !this.#heard) return this.#over("unreachable");
    // 0: the browser reconnects by itself, with Last-Event-ID. It has one try.
    this.#reconnecting = true;
    this.#timer = setTimeout(() => this.#over("unreachable"), RECONNECT_MS);
    this.#listener.lost();
  }

  /** @param {string} why */
  #over(why) {
    const listener = this.#listener;
    this.close();
    listener.over({ why, heard: this.#heard && !this.#reconnecting });
  }
}
