/** The long-poll: one complete answer after another, for paths that hold a stream back. */

import { sleep } from "../backoff.js";
import { SwitchboardError, asError } from "../error.js";
import { SILENT } from "./reader.js";

/** Holds in seconds. Some middleboxes cut a silent request earlier than the longest of them. */
const HOLDS = [25, 12, 6];

/** How long an answer may take beyond its hold. */
const SLACK_MS = 10_000;

/** A poll that died after this long died of the hold; one that died sooner, of something else. */
const CUT_AFTER_MS = 5_000;

/** What the polls of one room have learnt about the path: the longest hold it bears. */
export class Hold {
  #at = 0;

  get seconds() {
    return HOLDS[this.#at];
  }

  shorten() {
    this.#at = Math.min(this.#at + 1, HOLDS.length - 1);
  }
}

/** @typedef {import("./reader.js").Reader} Reader */

/** @implements {Reader} */
export class PollReader {
  /** @type {"poll"} */
  transport = "poll";
  #requests;
  #cursor;
  #hold;
  #listener;
  #abort = new AbortController();
  #heard = false;

  /**
   * @param {import("../request.js").Requests} requests
   * @param {string | null} cursor
   * @param {Hold} hold
   * @param {import("./reader.js").Listener} listener
   */
  constructor(requests, cursor, hold, listener) {
    this.#requests = requests;
    this.#cursor = cursor;
    this.#hold = hold;
    this.#listener = listener;
    void this.#run();
  }

  silenceMs() {
    return this.#hold.seconds * 1000 + SLACK_MS + CUT_AFTER_MS;
  }

  close() {
    this.#listener = SILENT;
    this.#abort.abort();
  }

  async #run() {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      // The first answer comes at once, which shows that the path works and what was missed.
      const wait = this.#heard ? this.#hold.seconds : 0;
      const since = Date.now();
      try {
        const answer = await this.#ask(wait, signal);
        if (signal.aborted) return;
        this.#hand(answer);
        this.#heard = true;
        if (answer.superseded) return this.#over({ why: "superseded" });
        if (answer.retry_ms > 0) await sleep(answer.retry_ms, signal);
      } catch (thrown) {
        if (signal.aborted) return;
        const error = asError(thrown);
        const cut = error.status === 0 || error.status === 408 || error.status === 502 || error.status === 504;
        if (wait > 0 && cut && Date.now() - since > CUT_AFTER_MS) this.#hold.shorten();
        return this.#over({ why: "unreachable", error });
      }
    }
  }

  /** @param {number} wait @param {AbortSignal} signal */
  async #ask(wait, signal) {
    const { status, body } = await this.#requests.call("GET", `${this.#requests.own}/poll?wait=${wait}`, {
      // The cursor goes into a header: URLs end up in the logs of proxies.
      headers: this.#cursor === null ? {} : { "Last-Event-ID": this.#cursor },
      signal,
      timeoutMs: wait * 1000 + SLACK_MS,
    });
    if (status === 204) throw new SwitchboardError({ status: 410, slug: "ended", detail: "the poll is told to stop" });
    if (!Array.isArray(body?.events)) throw new SwitchboardError({ status: 0, slug: "network", detail: "not a poll's answer" });
    return body;
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
