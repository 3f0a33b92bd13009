/** The long-poll: one complete answer after another, for paths that hold a stream back. */

import { sleep } from "../backoff.js";
import { isBefore } from "../cursor.js";
import { SwitchboardError, asError } from "../error.js";
import { SILENT } from "./reader.js";

/** How long an answer may take beyond its hold. */
const SLACK_MS = 10_000;
/** No answer stays out for longer than that while the page is awake. */
const ASLEEP_MS = 5_000;
/** An answer with nothing new that comes before this share of its hold was not made by the server, which would have waited. */
const EARLY = 0.5;
/** The pause after an answer that makes no headway, so that nothing on the way can make the polls spin. */
const STUCK_MS = 1_000;

/** @typedef {import("./reader.js").Reader} Reader */

/** @implements {Reader} */
export class PollReader {
  /** @type {"poll"} */
  transport = "poll";
  #requests;
  #cursor;
  #path;
  #connections;
  #listener;
  #abort = new AbortController();
  #heard = false;
  #byPost;

  /**
   * @param {import("../request.js").Requests} requests
   * @param {string | null} cursor
   * @param {import("../path.js").Path} path
   * @param {import("../connections.js").Connections} connections
   * @param {import("./reader.js").Listener} listener
   */
  constructor(requests, cursor, path, connections, listener) {
    this.#requests = requests;
    this.#cursor = cursor;
    this.#path = path;
    this.#connections = connections;
    this.#byPost = path.byPost;
    this.#listener = listener;
    void this.#run();
  }

  silenceMs() {
    return this.#path.holdSeconds * 1000 + 2 * SLACK_MS;
  }

  close() {
    this.#listener = SILENT;
    this.#abort.abort();
  }

  async #run() {
    const { signal } = this.#abort;
    // The first answer comes at once, which shows that the path works and what was missed.
    let held = false;
    while (!signal.aborted) {
      try {
        held = held ? await this.#hold(signal) : await this.#look(signal);
      } catch (thrown) {
        if (signal.aborted) return;
        return this.#over({ why: "unreachable", error: asError(thrown) });
      }
    }
  }

  /** Asks for what there is. @param {AbortSignal} signal @returns {Promise<boolean>} whether the next may be held. */
  async #look(signal) {
    return this.#take(await this.#ask(0, signal), signal);
  }

  /** Asks for what there will be. @param {AbortSignal} signal @returns {Promise<boolean>} whether the next may be held. */
  async #hold(signal) {
    const turn = await this.#connections.turn(signal);
    const wait = Math.min(this.#path.holdSeconds, turn.seconds);
    const since = Date.now();
    try {
      const answer = await this.#ask(wait, signal);
      const tookMs = Date.now() - since;
      turn.end();
      if (tookMs >= wait * 1000 && wait >= this.#path.holdSeconds) this.#path.held();
      const odd = !this.#leadsOn(answer) && wait >= 1 && tookMs < wait * 1000 * EARLY;
      const followed = await this.#take(answer, signal);
      if (odd && followed && !signal.aborted) await this.#stuck(signal);
      return followed;
    } catch (thrown) {
      const error = asError(thrown);
      const cut = error.status === 0 || error.status === 408 || error.status === 502 || error.status === 504;
      // What the hold has killed is asked for again at once; only where that fails too is the reader over.
      if (!signal.aborted && cut && this.#isOfHold(wait, Date.now() - since, error.slug === "timeout")) return false;
      throw thrown;
    } finally {
      turn.end();
    }
  }

  /** Whether it can have been the hold that a poll died of, from which the path learns. @param {number} wait @param {number} ageMs @param {boolean} silent */
  #isOfHold(wait, ageMs, silent) {
    if (wait < this.#path.holdSeconds) return false;
    // The page slept, and of a cut in its sleep there is nothing to learn.
    return ageMs > wait * 1000 + SLACK_MS + ASLEEP_MS || this.#path.cut(ageMs, silent);
  }

  /** @param {number} wait @param {AbortSignal} signal */
  async #ask(wait, signal) {
    const url = `${this.#requests.own}/poll`;
    const patience = { signal, timeoutMs: wait * 1000 + SLACK_MS };
    // The cursor goes into a header or a body: URLs end up in the logs of proxies.
    const cursor = this.#cursor ?? undefined;
    const { status, body } = this.#byPost
      ? await this.#requests.call("POST", url, { body: { cursor, wait }, ...patience })
      : await this.#requests.call("GET", `${url}?wait=${wait}`, { headers: cursor === undefined ? {} : { "Last-Event-ID": cursor }, ...patience });
    if (status === 204) throw new SwitchboardError({ status: 410, slug: "ended", detail: "the poll is told to stop" });
    if (!Array.isArray(body?.events)) throw new SwitchboardError({ status: 0, slug: "network", detail: "not a poll's answer" });
    return body;
  }

  /** @param {any} answer @param {AbortSignal} signal @returns {Promise<boolean>} */
  async #take(answer, signal) {
    if (signal.aborted) return false;
    if (!this.#follows(answer)) {
      if (this.#byPost) await sleep(STUCK_MS, signal);
      else this.#byPost = this.#path.byPost = true;
      return false;
    }
    this.#hand(answer);
    this.#heard = true;
    // The next poll acknowledges these events, so it waits until the room has them.
    const handed = this.#listener.handed();
    if (handed) await handed;
    if (signal.aborted) return false;
    // Whether there is a gap, or a cursor that was lost on the way only looks like one, the body will show.
    if (answer.gap) this.#byPost = true;
    if (answer.superseded) this.#over({ why: "superseded" });
    else if (answer.retry_ms > 0) await sleep(answer.retry_ms, signal);
    return true;
  }

  /** Whether this is an answer to the cursor that was shown: headers get stripped, and answers kept. @param {any} answer */
  #follows({ gap, peers, sessions, cursor, superseded }) {
    if (this.#cursor === null || gap || superseded) return true;
    // Who is there is told to those who show no cursor, or one that leaves a gap.
    return !peers && !sessions && !(typeof cursor === "string" && isBefore(cursor, this.#cursor));
  }

  /** Whether an answer holds anything that the cursor does not know. @param {any} answer */
  #leadsOn({ gap, cursor, more, superseded, retry_ms }) {
    return Boolean(gap || more || superseded || retry_ms > 0 || cursor !== this.#cursor);
  }

  /** @param {AbortSignal} signal */
  async #stuck(signal) {
    this.#byPost = true;
    await sleep(STUCK_MS, signal);
  }

  /** @param {any} answer */
  #hand({ events, gap, peers, sessions, cursor, more }) {
    if (gap || peers || sessions) {
      this.#listener.snapshot({ gap, peers, sessions, replayed: more ? Infinity : events.length });
    }
    for (const event of events) this.#listener.event(event);
    if (typeof cursor === "string") this.#cursor = cursor;
    this.#listener.proved();
    if (!more) this.#listener.drained({ cursor });
  }

  /** @param {import("./reader.js").Loss} loss */
  #over(loss) {
    const listener = this.#listener;
    this.close();
    listener.over({ ...loss, heard: this.#heard });
  }
}
