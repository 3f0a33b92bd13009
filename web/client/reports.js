/**
 * Tells the server's operator how ICE fares in a call, where the server wants to know: no more than once a second, the last state in
 * any case, and without a word to anybody where it fails.
 */

/** Between two reports of a call. */
const APART_MS = 1_000;

/** One that has not reached the server is told again after that, so often, unless there is something newer to tell. */
const AGAIN_MS = 10_000;
const TRIES = 6;

/** States of ICE that are told, and as what; that it is being looked for is seen from the signals. @type {Map<string, string>} */
const TOLD = new Map([
  ["connected", "connected"],
  ["completed", "connected"],
  ["disconnected", "disconnected"],
  ["failed", "failed"],
  ["closed", "closed"],
]);

/** Of what does not run it is told what there was to try. */
const BROKEN = new Set(["disconnected", "failed"]);
const KINDS = ["host", "srflx", "relay"];

/**
 * @typedef {object} Report
 * @property {string} [session]
 * @property {string} ice
 * @property {string} [way] `direct`, `stun`, `relay-udp`, `relay-tcp`, `relay-tls`
 * @property {string[]} [found] `host`, `srflx`, `relay`: the kinds of candidates on this side, where it does not run
 */

export class Reports {
  #send;
  #wayNow;
  /** The state that was seen last, of those that are told. @type {string | undefined} */
  #state;
  /** What is to be told next. @type {Omit<Report, "session" | "way"> | undefined} */
  #due;
  /** What was told last, with all that was told of it. */
  #told = "";
  /** When the last one went out, or when it began to be put together. */
  #at = -Infinity;
  #waiting = false;
  #asked = false;
  /** How often the present state has not reached the server. */
  #lost = 0;
  /** Kinds of the candidates that there were to try since it was up. @type {Set<string>} */
  #found = new Set();
  #wasUp = false;

  /**
   * @param {(report: Omit<Report, "session">) => unknown} send may return a promise, which rejects where the server has not had it
   * @param {() => Promise<import("./way.js").Way | null>} wayNow
   */
  constructor(send, wayNow) {
    this.#send = send;
    this.#wayNow = wayNow;
  }

  /** @param {string} state as the peer connection has it */
  become(state) {
    const ice = TOLD.get(state);
    if (ice === undefined || this.#state === "closed") return;
    const failed = this.#state === "failed";
    // Until it is up each further attempt fails, too.
    if (failed && BROKEN.has(ice)) return;
    this.#state = ice;
    this.#lost = 0;
    if (ice === "connected") this.#wasUp = true;
    // That there was no way says more than that nobody looks for one any longer.
    if (ice === "closed" && failed && this.#due) return;
    // An attempt that follows looks for others, which says nothing of this one.
    this.#due = { ice, ...(BROKEN.has(ice) && { found: KINDS.filter((kind) => this.#found.has(kind)) }) };
    this.#soon();
  }

  /** Candidates are looked for anew. */
  gather() {
    if (this.#wasUp) this.#found.clear();
    this.#wasUp = false;
  }

  /** @param {RTCIceCandidate | null} candidate */
  find(candidate) {
    const kind = candidate?.type ?? / typ (\w+)/.exec(candidate?.candidate ?? "")?.[1];
    if (kind) this.#found.add(kind);
  }

  #soon() {
    if (this.#waiting) return;
    this.#waiting = true;
    const wait = this.#at + APART_MS - Date.now();
    if (wait <= 0) void this.#tell();
    else setTimeout(() => void this.#tell(), Math.min(wait, APART_MS));
  }

  async #tell() {
    // Once more a second later, where the browser does not know the way yet.
    let way;
    if (this.#due?.ice === "connected") way = await this.#wayNow().then(nameOf, () => undefined);
    const due = this.#due;
    this.#due = undefined;
    this.#waiting = false;
    if (due === undefined) return;
    if (due.ice !== "connected") way = undefined;
    const report = { ...due, ...(way && { way }) };
    const told = JSON.stringify(report);
    if (told !== this.#told) {
      this.#told = told;
      this.#at = Date.now();
      void this.#hand(report);
    }
    if (due.ice === "connected" && !way && !this.#asked) {
      this.#asked = true;
      this.become("connected");
    }
  }

  /** @param {Omit<Report, "session">} report */
  async #hand(report) {
    try {
      await this.#send(report);
    } catch {
      this.#lost += 1;
      if (this.#state !== report.ice || this.#lost > TRIES) return;
      this.#told = "";
      setTimeout(() => {
        if (this.#state !== report.ice) return;
        this.#due ??= report;
        this.#soon();
      }, AGAIN_MS);
    }
  }
}

/** @param {import("./way.js").Way | null} way @returns {string | undefined} */
function nameOf(way) {
  if (way === null) return undefined;
  return way.kind === "relay" ? `relay-${way.transport}` : way.kind;
}
