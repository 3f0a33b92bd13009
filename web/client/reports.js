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

/**
 * @typedef {object} Report
 * @property {string} [session]
 * @property {string} ice
 * @property {string} [way] `direct`, `stun`, `relay-udp`, `relay-tcp`, `relay-tls`
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

  /**
   * @param {(report: {ice: string, way?: string}) => unknown} send
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
    this.#due = ice;
    this.#soon();
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
    const told = `${ice} ${way ?? ""}`;
    if (told !== this.#told) {
      this.#told = told;
      this.#at = Date.now();
      this.#send({ ice, ...(way && { way }) });
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
