/** Who this page is in a room, kept over reloads of its tab and given away to no other tab. */

import { hold } from "./hold.js";
import { forget, recall, remember } from "./memory.js";
import { uuid } from "./random.js";

export class Identity {
  /** @type {string} */
  peer;
  /** The token of the incarnation before the reload. @type {string | null} */
  token = null;
  #key;
  #remembering;
  /** Aborted to let go of the hold. @type {AbortController | null} */
  #holding = null;
  #away = false;

  /** @param {string} key @param {string} peer @param {boolean} remembering */
  constructor(key, peer, remembering) {
    this.#key = key;
    this.peer = peer;
    this.#remembering = remembering;
  }

  /**
   * @param {object} wish
   * @param {string} wish.base
   * @param {string} wish.room
   * @param {string} [wish.peer] The id the application chose; it has a memory of its own.
   * @param {boolean} wish.remember
   */
  static async claim({ base, room, peer, remember: remembering }) {
    const key = `switchboard:peer:${base}/rooms/${room}${peer ? `/${peer}` : ""}`;
    const known = remembering ? recall(key) : null;
    if (known && typeof known.peer === "string" && typeof known.token === "string") {
      const old = new Identity(key, known.peer, true);
      old.token = known.token;
      if (await old.#hold()) return old;
      // Another living page is this peer: this one is a duplicate of it and becomes somebody else.
    }
    // The id is chosen here and not left to the server, so that a join can be repeated word for word.
    const fresh = new Identity(key, peer ?? uuid(), remembering);
    return fresh;
  }

  /** Drops the former incarnation, under the same id or another. @param {string} [peer] */
  startOver(peer = this.peer) {
    if (peer !== this.peer) this.#letGo();
    this.peer = peer;
    this.token = null;
  }

  /** Keeps what a reload needs. @param {string} peer @param {string} token */
  keep(peer, token) {
    this.peer = peer;
    this.token = token;
    if (!this.#remembering) return;
    remember(this.#key, { peer, token });
    if (!this.#holding) void this.#hold();
  }

  /** The incarnation is over, or this page gives it up. @param {{forgotten: boolean}} how */
  end({ forgotten }) {
    if (forgotten && this.#remembering && recall(this.#key)?.token === this.token) forget(this.#key);
    this.#letGo();
  }

  /** A page with a lock or an open channel is kept out of the back/forward cache, so it lets go as it hides. */
  hide() {
    this.#away = true;
    this.#letGo();
  }

  show() {
    if (!this.#away) return;
    this.#away = false;
    if (this.#remembering) void this.#hold();
  }

  async #hold() {
    const holding = (this.#holding = new AbortController());
    const held = await hold(`switchboard:hold:${this.#key}:${this.peer}`, holding.signal);
    if (!held && this.#holding === holding) this.#holding = null;
    return held;
  }

  #letGo() {
    this.#holding?.abort();
    this.#holding = null;
  }
}
