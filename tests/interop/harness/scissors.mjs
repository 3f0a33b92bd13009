/** A path to the server that is cut when certain bytes have passed towards the reader: in the midst of an event. */

import { once } from "node:events";
import { connect, createServer } from "node:net";

/** More than any text that is waited for. */
const TAIL = 256;
const DEADLINE_MS = 60_000;

export class Scissors {
  url = "";
  /** @type {Buffer[][]} */
  #cuts;
  #done = 0;
  #target;
  #server;
  /** @type {Set<{text: Buffer, seen: () => void}>} */
  #waiting = new Set();
  /** @type {(() => void)[]} */
  #cutting = [];

  /** @param {string} target @param {(string|Buffer)[][]} cuts each once, in this order: which bytes must have passed, one after the other */
  constructor(target, cuts) {
    this.#target = new URL(target);
    this.#cuts = cuts.map((texts) => texts.map((text) => Buffer.from(text)));
    this.#server = createServer((near) => this.#join(near));
  }

  /** @param {import("node:test").TestContext} t @param {string} target @param {(string|Buffer)[][]} cuts */
  static async open(t, target, cuts) {
    const scissors = new Scissors(target, cuts);
    scissors.#server.listen(0, "127.0.0.1");
    await once(scissors.#server, "listening");
    scissors.url = `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (scissors.#server.address()).port}`;
    t.after(() => scissors.#server.close());
    return scissors;
  }

  /** How often it was cut. */
  get cuts() {
    return this.#done;
  }

  /** @returns {Promise<void>} when the path is cut the next time */
  cut() {
    return new Promise((resolve) => this.#cutting.push(resolve));
  }

  /** Waits for bytes to pass from now on. @param {string|Buffer} text @returns {Promise<void>} */
  passes(text) {
    return new Promise((resolve, reject) => {
      const wait = { text: Buffer.from(text), seen: () => (clearTimeout(timer), this.#waiting.delete(wait), resolve()) };
      const timer = setTimeout(() => reject(new Error(`${JSON.stringify(String(text))} did not pass within ${DEADLINE_MS} ms, after ${this.#done} cuts`)), DEADLINE_MS);
      this.#waiting.add(wait);
    });
  }

  /** @param {import("node:net").Socket} near */
  #join(near) {
    const far = connect({ port: Number(this.#target.port), host: this.#target.hostname });
    for (const [one, other] of [[near, far], [far, near]]) {
      one.on("error", () => {});
      one.once("close", () => other.destroy());
    }
    near.pipe(far);
    let tail = Buffer.alloc(0);
    let stage = 0;
    far.on("data", (piece) => {
      const text = Buffer.concat([tail, piece]);
      for (const wait of [...this.#waiting]) if (text.includes(wait.text)) wait.seen();
      let from = 0;
      for (const wanted of this.#cuts[this.#done]?.slice(stage) ?? []) {
        const at = text.indexOf(wanted, from);
        if (at < 0) break;
        from = at + wanted.length;
        stage += 1;
      }
      if (stage < (this.#cuts[this.#done]?.length ?? Infinity)) {
        near.write(piece);
        tail = text.subarray(Math.max(from, text.length - TAIL));
        return;
      }
      this.#done += 1;
      // Its end is not to take with it what is still on its way to the reader.
      far.removeAllListeners("data").removeAllListeners("close");
      far.destroy();
      near.end(text.subarray(tail.length, from));
      for (const cut of this.#cutting.splice(0)) cut();
    });
  }
}
