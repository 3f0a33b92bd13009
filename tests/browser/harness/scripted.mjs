/** A peer without a browser: it joins and posts, as anyone can with curl. */

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
