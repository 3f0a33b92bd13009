/** What a page that goes tells the server, and what is to be taken back where it stays. */

/** A page that is still there so long after it seemed to go stays. */
const STAYED_MS = 1_000;

export class Goodbye {
  /** @type {import("./request.js").Requests} */
  #requests;
  #stays;
  /** The page went and told the server so. */
  #said = false;
  /** It told the server that it is about to go. */
  #announced = false;

  /** @param {import("./request.js").Requests} requests @param {() => void} stays The page that was about to go is still there. */
  constructor(requests, stays) {
    this.#requests = requests;
    this.#stays = stays;
  }

  /**
   * Of a tab that is closed Firefox loses what is sent in `pagehide`, three times in ten. Sent now, it arrives; it counts
   * for nothing unless the reader ends soon after, and not where the page goes on.
   */
  announce() {
    if (this.#announced) return;
    this.#announced = this.#beacon("?if=closed");
    setTimeout(() => {
      if (!this.#announced || this.#said) return;
      this.#announced = false;
      this.#stays();
    }, STAYED_MS);
  }

  say() {
    this.#said = true;
    const sent = this.#beacon();
    if (!sent) void fetch(`${this.#requests.own}/leave`, { method: "POST", body: this.#requests.token, keepalive: true }).catch(() => {});
  }

  /** The page was kept after all: whether the server was told something else. */
  takeBack() {
    const told = this.#said || this.#announced;
    this.#said = this.#announced = false;
    return told;
  }

  /** A string goes as text/plain, for which no preflight is needed; a page that unloads could not wait for one. @param {string} [query] */
  #beacon(query = "") {
    return globalThis.navigator?.sendBeacon?.(`${this.#requests.own}/leave${query}`, this.#requests.token) ?? false;
  }
}
