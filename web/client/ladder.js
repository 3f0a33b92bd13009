/**
 * Which reader is in use, and the next one when it fails.
 *
 * EventSource comes first. It is kept only once it is proved; else the long-poll goes on at the same cursor.
 * A reader that works is given up for nothing but a better one that is ready to open.
 */

import { Backoff, sleep } from "./backoff.js";
import { Connections } from "./connections.js";
import { asError } from "./error.js";
import { Path } from "./path.js";
import { streamPasses } from "./probe.js";
import { PINGS_MS, Proof } from "./proof.js";
import { EventSourceReader } from "./transports/eventsource.js";
import { PollReader } from "./transports/poll.js";

/** Streams that fail in a row before their first event, although tickets are had, until the long-poll takes over. */
const STREAM_TRIES = 3;
const WATCH_MS = 5_000;
/** A page that wakes up has by then been told what its reader brought meanwhile. */
const WAKE_MS = 1_000;
/** The server takes a ticket for 60 s. */
const TICKET_FRESH_MS = 45_000;
const PROBE_FIRST_MS = 60_000;
const PROBE_LAST_MS = 600_000;
/** A request of a reader that was given up can still overtake its successor, in a proxy's queue. */
const OVERTAKE_MS = 10_000;
const LATER_MS = 2_000;

/**
 * @typedef {object} Sink  What the ladder tells the room.
 * @property {(event: import("./wire.js").WireEvent) => void} event
 * @property {(snapshot: import("./wire.js").Snapshot) => void} snapshot
 * @property {(drained: {cursor?: string}) => void} drained
 * @property {() => Promise<void> | undefined} [handed] Once all that was told has been handed on; nothing where it has been.
 * @property {(transport: import("./wire.js").Transport, why: string) => void} transport
 * @property {(state: "open" | "reconnecting", why: string) => void} state
 * @property {(end: import("./wire.js").End) => void} ended
 */

export class Ladder {
  heartbeatMs = 15_000;
  /** @type {import("./wire.js").Transport | null} */
  transport = null;
  #requests;
  #cursor;
  #sink;
  #mode;
  #path;
  #connections;
  #backoff = new Backoff();
  /** @type {import("./transports/reader.js").Reader | null} */
  #reader = null;
  /** What leads to the next reader: a wait, a ticket. @type {AbortController | null} */
  #opening = null;
  #running = false;
  /** Whether the opening stands in its wait, so that nothing is under way. */
  #waiting = false;
  /** Whether the present reader is proved. */
  #sure = false;
  #streamFailures = 0;
  /** Whether the browser's own reconnect gets through; where `Last-Event-ID` is stripped it is refused. */
  #reconnects = true;
  #heardAt = 0;
  #lookedAt = 0;
  #abandonedAt = 0;
  #probeMs = PROBE_FIRST_MS;
  /** @type {{ticket: string, cursor: string | null, at: number} | null} */
  #firstTicket = null;
  #proof = new Proof(() => this.#fallBack("unproved"));
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #probeTimer;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #watchTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #judging;

  /**
   * @param {import("./request.js").Requests} requests
   * @param {import("./cursor.js").Cursor} cursor
   * @param {import("./wire.js").Mode} mode
   * @param {Sink} sink
   */
  constructor(requests, cursor, mode, sink) {
    this.#requests = requests;
    this.#cursor = cursor;
    this.#mode = mode;
    this.#sink = sink;
    this.#path = new Path(requests.base);
    this.#connections = new Connections(requests.base);
  }

  /** @param {string} why @param {string} [ticket] The one that came with the join. */
  start(why, ticket) {
    this.#running = true;
    this.#firstTicket = ticket ? { ticket, cursor: this.#cursor.text, at: Date.now() } : null;
    this.#lookedAt = Date.now();
    this.#watchTimer ??= setInterval(() => this.look(), WATCH_MS);
    this.#path.pardon();
    this.#connect(this.#wanted(), this.#path.fault && this.#mode === "auto" ? "remembered" : why);
  }

  /** Ends reading for now; {@link start} begins it again. */
  stop() {
    this.#running = false;
    this.#opening?.abort();
    this.#opening = null;
    this.#drop();
    clearInterval(this.#watchTimer);
    this.#watchTimer = undefined;
    clearTimeout(this.#judging);
    this.#judging = undefined;
    this.#endProbing();
    this.#connections.leave();
    this.transport = null;
  }

  get running() {
    return this.#running;
  }

  /** @param {import("./wire.js").Mode} mode */
  setMode(mode) {
    this.#mode = mode;
    this.#endProbing();
    if (!this.#running) return;
    const wanted = this.#wanted();
    if (this.#reader?.transport !== wanted) this.#connect(wanted, "chosen");
    else if (wanted === "poll") this.#planProbe();
    else if (mode === "sse") this.#proof.end();
    else if (!this.#sure) this.#awaitProof();
  }

  /** The way may have changed: a new reader at once, whatever the present one looks like. @param {string} why */
  renew(why) {
    if (!this.#running) return;
    if (why === "online") {
      this.#path.changed();
      this.#endProbing();
    }
    this.#backoff.reset();
    this.#drop();
    this.#sink.state("reconnecting", why);
    this.#connect(this.#wanted(), why);
    this.#probeMs = PROBE_FIRST_MS;
  }

  /** Looks at the wall clock, since timers sleep when the page or the machine does. */
  look() {
    if (!this.#running) return;
    const now = Date.now();
    const awake = this.#isAwake();
    this.#lookedAt = now;
    this.#heardAt = Math.min(this.#heardAt, now);
    if (this.#judging === undefined && this.#isSilent()) this.#judge(() => this.#isSilent(), awake);
  }

  /** Whether timers have been running of late. */
  #isAwake() {
    return Date.now() - this.#lookedAt < 3 * WATCH_MS;
  }

  /** The page was frozen, in which a reader can get stuck for good: this one has to show that it did not. */
  wake() {
    const at = Date.now();
    this.hurry();
    if (this.#running) this.#judge(() => this.#heardAt < at, false);
  }

  /**
   * Not at once: what came while the page slept is about to be told, and would be lost with the reader.
   *
   * @param {() => boolean} dead
   * @param {boolean} awake Whether the page was: only then the silence is the path's.
   */
  #judge(dead, awake) {
    clearTimeout(this.#judging);
    this.#judging = setTimeout(() => {
      this.#judging = undefined;
      if (!this.#reader || !dead()) return;
      this.#requests.doubt();
      const blamed = awake && this.#sure && this.#reader.transport === "sse" && this.#mode === "auto" && this.#path.silenced();
      if (blamed) this.#fallBack("cut");
      else this.renew("silent");
    }, WAKE_MS);
  }

  #isSilent() {
    return this.#reader !== null && Date.now() - this.#heardAt > this.#reader.silenceMs(this.heartbeatMs);
  }

  /** Ends a wait between two tries, and looks. */
  hurry() {
    if (this.#running && this.#waiting && !this.#reader) this.renew("visible");
    else this.look();
  }

  /** @returns {import("./wire.js").Transport} */
  #wanted() {
    if (typeof EventSource !== "function") return "poll";
    if (this.#mode !== "auto") return this.#mode;
    return this.#path.fault ? "poll" : "sse";
  }

  /** @param {import("./wire.js").Transport} transport @param {string} why @param {number} [delayMs] */
  #connect(transport, why, delayMs = 0) {
    this.#opening?.abort();
    const opening = (this.#opening = new AbortController());
    this.#open(transport, why, delayMs, opening.signal).catch((thrown) => {
      if (opening.signal.aborted) return;
      this.#opening = null;
      this.#failed(transport, { why: "unreachable", error: asError(thrown) });
    });
  }

  /**
   * @param {import("./wire.js").Transport} transport
   * @param {string} why
   * @param {number} delayMs
   * @param {AbortSignal} signal
   */
  async #open(transport, why, delayMs, signal) {
    this.#waiting = delayMs > 0;
    if (delayMs > 0) await sleep(delayMs, signal);
    this.#waiting = false;
    if (!this.#connections.free) await this.#connections.enter(() => this.#shared());
    if (transport === "sse" && this.#mode === "auto" && !this.#connections.free) [transport, why] = ["poll", "connections"];
    const ticket = transport === "sse" ? await this.#ticket(signal) : "";
    if (signal.aborted) return;
    this.#opening = null;
    // Only one reader speaks at a time; what the former may still get comes again after the cursor.
    this.#drop();
    this.#heardAt = Date.now();
    this.#sure = false;
    const listener = this.#listener(transport, why);
    if (transport === "poll") {
      this.#reader = new PollReader(this.#requests, this.#cursor.text, this.#path, this.#connections, listener);
    } else {
      const pad = this.#streamFailures > 0 ? "&pad=1" : "";
      const url = `${this.#requests.own}/events?ticket=${encodeURIComponent(ticket)}&clock=1${pad}`;
      this.#reader = new EventSourceReader(url, this.#reconnects, listener);
      this.#requests.lastAt = Date.now();
      this.#awaitProof();
    }
  }

  /** Whether this page may keep a connection waiting has changed. */
  #shared() {
    if (!this.#running || !this.#reader) return;
    const wanted = this.#wanted();
    const crowded = this.#mode === "auto" && !this.#connections.free;
    // A poll with a place of its own simply holds longer from the next on.
    if (crowded || wanted !== this.#reader.transport) this.#connect(wanted, "connections");
  }

  /** @param {AbortSignal} signal */
  async #ticket(signal) {
    const first = this.#firstTicket;
    this.#firstTicket = null;
    if (first && first.cursor === this.#cursor.text && Date.now() - first.at < TICKET_FRESH_MS) return first.ticket;
    const { body } = await this.#requests.call("POST", `${this.#requests.own}/tickets`, {
      body: this.#cursor.text === null ? {} : { cursor: this.#cursor.text },
      signal,
    });
    return String(body.ticket);
  }

  /** @param {import("./wire.js").Transport} transport @param {string} why @returns {import("./transports/reader.js").Listener} */
  #listener(transport, why) {
    const heard = () => {
      this.#heardAt = Date.now();
      if (transport === "sse" && this.#sure) this.#path.lasts();
      if (this.transport !== transport) {
        this.transport = transport;
        this.#sink.transport(transport, why);
      }
      this.#sink.state("open", why);
    };
    return {
      event: (event) => {
        if (event.event === "end") return this.#end(event);
        heard();
        this.#sink.event(event);
      },
      snapshot: (snapshot) => {
        heard();
        if (transport === "sse") this.#awaitProof(PINGS_MS);
        this.#sink.snapshot(snapshot);
      },
      drained: (drained) => this.#sink.drained(drained),
      handed: () => this.#sink.handed?.(),
      proved: () => {
        heard();
        this.#proved(transport);
      },
      held: () => {
        // What a page that slept is told late was not held back on the way.
        if (this.#mode === "auto" && this.#isAwake()) this.#fallBack("unproved");
      },
      lost: () => {
        if (!this.#brokeOff()) this.#sink.state("reconnecting", "lost");
      },
      over: (loss) => {
        if (loss.why === "refused") this.#reconnects = false;
        const broke = transport === "sse" && loss.heard === true && this.#brokeOff();
        this.#reader = null;
        this.#proof.end();
        if (broke) return;
        if (loss.why === "superseded") this.#end({ event: "end", data: { reason: "replaced", retry: "never" } });
        else if (!this.#opening) this.#failed(transport, loss);
      },
    };
  }

  /** The present stream has. @returns {boolean} whether it was one too many, and the long-poll goes on. */
  #brokeOff() {
    const blamed = this.#sure && this.#path.broke() && this.#mode === "auto";
    this.#sure = false;
    if (blamed) this.#fallBack("cut");
    return blamed;
  }

  /** @param {number} [withinMs] Where the stream has begun, how long the pings that prove it need from now on. */
  #awaitProof(withinMs) {
    if (this.#mode === "auto") this.#proof.expect(withinMs);
  }

  /** @param {"unproved" | "failed" | "cut"} why */
  #fallBack(why) {
    this.#path.blame(why === "cut" ? "cut" : "unproved");
    this.#streamFailures += 1;
    // A probe is too short to show that streams last; only a stream is, and costs what it did.
    if (why === "cut") this.#probeMs = PROBE_LAST_MS;
    this.#connect("poll", why);
  }

  /** @param {import("./wire.js").Transport} transport */
  #proved(transport) {
    this.#backoff.reset();
    this.#proof.end();
    this.#sure = true;
    if (transport === "sse") {
      this.#path.proved();
      this.#streamFailures = 0;
      if (!this.#path.fault) this.#probeMs = PROBE_FIRST_MS;
    } else if (this.#path.fault) {
      this.#path.confirm();
      this.#planProbe();
    }
  }

  #planProbe() {
    if (this.#mode !== "auto" || this.#probeTimer !== undefined) return;
    const delay = this.#probeMs * (0.75 + Math.random() / 2);
    this.#probeMs = Math.min(PROBE_LAST_MS, this.#probeMs * 2);
    this.#probeTimer = setTimeout(() => this.#probe(), delay);
  }

  #endProbing() {
    clearTimeout(this.#probeTimer);
    this.#probeTimer = undefined;
  }

  async #probe() {
    const { base } = this.#requests;
    const passes = this.#connections.free && (await this.#connections.alone(() => streamPasses(base)));
    this.#probeTimer = undefined;
    if (!this.#running || this.#mode !== "auto" || !this.#path.fault) return;
    if (passes) this.#connect("sse", "probe");
    else this.#planProbe();
  }

  /** @param {import("./wire.js").WireEvent} event */
  #end(event) {
    /** @type {import("./wire.js").End} */
    const end = event.data;
    const closed = this.#reader;
    this.#reader = null;
    closed?.close();
    this.#proof.end();
    if (end.retry === "never") {
      if (end.reason === "replaced" && this.#overtaken()) return this.#retry("replaced");
      return this.#sink.ended(end);
    }
    this.#sink.event(event);
    if (this.#opening || !this.#running) return;
    this.#retry(end.reason, end.retry === "later" ? LATER_MS : 0);
  }

  /** Whether the reader that took over can have been an earlier one of our own. */
  #overtaken() {
    const recent = Date.now() - this.#abandonedAt < OVERTAKE_MS;
    this.#abandonedAt = 0;
    return recent;
  }

  /** @param {import("./wire.js").Transport} transport @param {import("./transports/reader.js").Loss} loss */
  #failed(transport, { why, error, heard = false }) {
    const over = error && (error.over ?? (isUnknown(error) ? "unknown" : null));
    if (over) return this.#sink.ended({ reason: over, retry: "never" });
    if (error?.slug === "bad-cursor") this.#cursor.rebase(null);
    if (error && (error.status === 0 || error.status >= 500)) this.#path.pardon();
    if (this.#reader) return this.#keepWorking();
    if (transport === "sse" && !error && !heard) {
      this.#streamFailures += 1;
      if (this.#mode === "auto" && this.#streamFailures >= STREAM_TRIES) return this.#fallBack("failed");
    }
    this.#retry(why, error?.retryAfterMs);
  }

  /** @param {string} why @param {number} [leastMs] */
  #retry(why, leastMs) {
    this.#sink.state("reconnecting", why);
    this.#connect(this.#wanted(), why, this.#backoff.next(leastMs));
  }

  /** The next reader could not be opened while the present one still works. */
  #keepWorking() {
    const wanted = this.#wanted();
    if (this.#reader?.transport === wanted) this.#planProbe();
    else this.#connect(wanted, "chosen", this.#backoff.next(LATER_MS));
  }

  #drop() {
    this.#proof.end();
    if (!this.#reader) return;
    this.#abandonedAt = Date.now();
    this.#reader.close();
    this.#reader = null;
  }
}

/** @param {import("./error.js").SwitchboardError} error */
function isUnknown(error) {
  return !error.foreign && (error.slug === "unknown-room" || error.slug === "unknown-peer");
}
