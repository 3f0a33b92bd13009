/** A peer without a browser: it joins and posts, as anyone can with curl. */

import { setTimeout as delay } from "node:timers/promises";

const COUNT_EVERY_MS = 50;

export class Scripted {
  /** @param {string} url @param {string} room @param {string} peer */
  static async join(url, room, peer) {
    const scripted = new Scripted();
    scripted.base = `${url}/rooms/${room}/peers`;
    const joined = await scripted.#ask("POST", scripted.base, { peer, meta: { name: peer } });
    scripted.own = `${scripted.base}/${peer}`;
    scripted.token = joined.token;
    return scripted;
  }

  /** @param {object|object[]} signals */
  send(signals) {
    return this.#ask("POST", `${this.own}/signals`, signals);
  }

  /**
   * Sends one number after the other to a peer, about twenty a second.
   * @param {string} to
   * @returns {{sent: () => number, stop: () => Promise<number>}} `stop` says how many were sent, once all were answered
   */
  counts(to) {
    let n = 0;
    let stopped = false;
    const run = (async () => {
      while (!stopped) {
        await this.send({ to, type: "count", data: { n } });
        n += 1;
        await delay(COUNT_EVERY_MS);
      }
      return n;
    })();
    // A failure is told by `stop`.
    run.catch(() => {});
    return {
      sent: () => n,
      stop: () => {
        stopped = true;
        return run;
      },
    };
  }

  leave() {
    return this.#ask("DELETE", this.own);
  }

  /** @param {string} method @param {string} url @param {unknown} [body] */
  async #ask(method, url, body) {
    const response = await fetch(url, {
      method,
      headers: { "content-type": "application/json", ...(this.token ? { authorization: `Bearer ${this.token}` } : {}) },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${url} answered ${response.status}: ${text}`);
    return text ? JSON.parse(text) : undefined;
  }
}
