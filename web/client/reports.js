/**
 * Tells the server's operator how ICE fares in a call, where the server wants to know: no more than once a second, the last state in
 * any case, and without a word to anybody where it fails.
 */

/** Between two reports of a call. */
const APART_MS = 1_000;

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
  /** What is to be told next. @type {string | undefined} */
  #due;
  /** What was told last, with its way. */
  #told = "";
  /** When the last one went out, or when it began to be put together. */
  #at = -Infinity;
  #waiting = false;
  #asked = false;
  #closed = false;
  /** Kinds of the candidates that were found last. @type {Set<string>} */
  #found = new Set();

  /**
   * @param {(report: Omit<Report, "session">) => unknown} send
   * @param {() => Promise<import("./way.js").Way | null>} wayNow
   */
  constructor(send, wayNow) {
    this.#send = send;
    this.#wayNow = wayNow;
  }

  /** @param {string} state as the peer connection has it */
  become(state) {
    const ice = TOLD.get(state);
    if (ice === undefined || this.#closed) return;
    this.#closed = ice === "closed";
    // That there was no way says more than that nobody looks for one any longer.
    if (ice !== "closed" || this.#due !== "failed") this.#due = ice;
    this.#soon();
  }

  /** Candidates are looked for anew. */
  gather() {
    this.#found.clear();
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
    if (this.#due === "connected") way = await this.#wayNow().then(nameOf, () => undefined);
    const ice = this.#due;
    this.#due = undefined;
    this.#waiting = false;
    if (ice === undefined) return;
    if (ice !== "connected") way = undefined;
    const found = BROKEN.has(ice) ? KINDS.filter((kind) => this.#found.has(kind)) : undefined;
    const told = `${ice} ${way ?? found ?? ""}`;
    if (told !== this.#told) {
      this.#told = told;
      this.#at = Date.now();
      this.#send({ ice, ...(way && { way }), ...(found && { found }) });
    }
    if (ice === "connected" && !way && !this.#asked) {
      this.#asked = true;
      this.become("connected");
    }
  }
}

/** @param {import("./way.js").Way | null} way @returns {string | undefined} */
function nameOf(way) {
  if (way === null) return undefined;
  return way.kind === "relay" ? `relay-${way.transport}` : way.kind;
}
