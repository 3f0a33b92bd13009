/** The network between a page and the server, which can be cut, can go dark, and can be mended. */

import { once } from "node:events";
import { connect, createServer } from "node:net";

/** One connection through the gate: the page's side and the server's. */
class Pair {
  /** Whether bytes and closes pass. */
  #passing = false;
  /** A side that has closed while nothing passed. */
  #closed = false;

  /** @param {import("node:net").Socket} near @param {number} port @param {string} host @param {(pair: Pair) => void} over */
  constructor(near, port, host, over) {
    this.near = near;
    this.target = { port, host };
    this.over = over;
    this.#watch(near);
  }

  pass() {
    if (this.#passing) return;
    if (this.#closed) return this.end();
    this.#passing = true;
    if (!this.far) this.#watch((this.far = connect(this.target)));
    this.near.pipe(this.far);
    this.far.pipe(this.near);
  }

  /** From now on neither side hears of the other, not even that it is gone. */
  hold() {
    this.#passing = false;
    for (const socket of this.#sockets) {
      socket.unpipe();
      socket.pause();
    }
  }

  /** The page learns at once that the connection is no more, the server never. */
  forget() {
    this.near.resetAndDestroy();
  }

  end({ reset = false } = {}) {
    for (const socket of this.#sockets) reset ? socket.resetAndDestroy() : socket.destroy();
    this.over(this);
  }

  get #sockets() {
    return this.far ? [this.near, this.far] : [this.near];
  }

  /** @param {import("node:net").Socket} socket */
  #watch(socket) {
    socket.on("error", () => {});
    socket.once("close", () => {
      this.#closed = true;
      if (this.#passing) this.end();
    });
  }
}

/**
 * @param {string} target the server
 * @returns {Promise<Gate>}
 */
export async function openGate(target) {
  const gate = new Gate(target);
  await gate.open();
  return gate;
}

export class Gate {
  url = "";
  #target;
  #server;
  /** @type {Set<Pair>} */
  #pairs = new Set();
  /** Connections that nobody will ever hear of again. @type {Set<Pair>} */
  #lost = new Set();
  /** @type {"whole"|"cut"|"dark"} */
  #state = "whole";

  /** @param {string} target */
  constructor(target) {
    this.#target = new URL(target);
    this.#server = createServer({ pauseOnConnect: true }, (near) => this.#let(near));
  }

  async open() {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.url = `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (this.#server.address()).port}`;
  }

  /** Ends every connection and refuses new ones. @param {{reset?: boolean}} [how] by RST in place of FIN */
  cut(how) {
    this.#state = "cut";
    for (const pair of this.#pairs) pair.end(how);
  }

  /** Nothing passes, nothing is refused, nothing is closed. */
  dark() {
    this.#state = "dark";
    for (const pair of this.#pairs) pair.hold();
  }

  /**
   * New connections pass again.
   * @param {{forgetful?: boolean, silent?: boolean}} [how] forgetful: of those from before the server never hears again,
   * as after a change of network; silent: nor does the page, as behind a middlebox that has lost them
   */
  mend({ forgetful = false, silent = false } = {}) {
    this.#state = "whole";
    for (const pair of [...this.#pairs]) {
      if (!forgetful) pair.pass();
      else {
        this.#pairs.delete(pair);
        this.#lost.add(pair);
        if (!silent) pair.forget();
      }
    }
  }

  close() {
    this.cut();
    for (const pair of this.#lost) pair.end();
    this.#server.close();
  }

  /** @param {import("node:net").Socket} near */
  #let(near) {
    if (this.#state === "cut") return near.destroy();
    const pair = new Pair(near, Number(this.#target.port), this.#target.hostname, (over) => {
      this.#pairs.delete(over);
      this.#lost.delete(over);
    });
    this.#pairs.add(pair);
    if (this.#state === "whole") pair.pass();
  }
}
