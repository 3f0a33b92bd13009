/** How long a stream has to prove itself. */

/** `ready` and the pings that prove the stream must have come by then. */
const PROOF_MS = 3_000;
/** The last of them is written 2.4 s after `ready`: on a slow path they have this long from its coming. */
export const PINGS_MS = 3_000;
/** A timer that is this late shows that the page was asleep; what came meanwhile is then about to be told. */
const ASLEEP_MS = 1_000;
const WAKE_MS = 1_000;

export class Proof {
  #onFailed;
  #by = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {() => void} onFailed */
  constructor(onFailed) {
    this.#onFailed = onFailed;
  }

  /** The proof has at least this long from now on. */
  expect(withinMs = PROOF_MS) {
    const by = Date.now() + withinMs;
    if (this.#by >= by) return;
    this.end();
    this.#by = by;
    this.#timer = setTimeout(() => this.#judge(), withinMs);
  }

  /** It has come, or is of no interest any more. */
  end() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#by = 0;
  }

  #judge() {
    if (Date.now() - this.#by > ASLEEP_MS) this.#timer = setTimeout(() => this.#fail(), WAKE_MS);
    else this.#fail();
  }

  #fail() {
    this.end();
    this.#onFailed();
  }
}
