/** Peers without a browser, who say what they are told to and write down what was taken from them. */

import assert from "node:assert/strict";

const PATIENCE_MS = 15_000;

/** @typedef {{from: string, to?: string, type: string, session?: string}} Sent */

export class Wire {
  /** What was accepted, in the order in which it was answered. @type {Sent[]} */
  sent = [];
  /** @type {AbortController|undefined} */
  #reading;

  /** @param {string} url @param {string} room @param {string} peer @param {Sent[]} [book] shared by the peers of a room */
  static async join(url, room, peer, book = []) {
    const wire = new Wire();
    wire.peer = peer;
    wire.sent = book;
    wire.own = `${url}/rooms/${room}/peers/${peer}`;
    const joined = await wire.#ask("POST", `${url}/rooms/${room}/peers`, { peer });
    Object.assign(wire, { token: joined.token, reports: joined.reports });
    return wire;
  }

  /** @param {string} to @param {string} type @param {string} [session] @param {unknown} [data] */
  async say(to, type, session, data = { a: 1 }) {
    await this.#ask("POST", `${this.own}/signals`, { ...(to && { to }), type, ...(session && { session }), data });
    this.sent.push({ from: this.peer, ...(to && { to }), type, ...(session && { session }) });
  }

  /** Says what is refused. @param {string} to @param {string} type @param {string} session @param {number} status */
  async isRefused(to, type, session, status) {
    const response = await this.#fetch("POST", `${this.own}/signals`, { to, type, session, data: 1 });
    assert.equal(response.status, status);
  }

  /** @param {string} to @param {string} session @param {number} count */
  async candidates(to, session, count) {
    for (let n = 0; n < count; n += 1) await this.say(to, "candidate", session, { candidate: `candidate:${n}` });
  }

  /** @param {{session?: string, ice: string, way?: string}} report */
  report(report) {
    return this.#ask("POST", `${this.own}/reports`, report);
  }

  leave() {
    return this.#ask("DELETE", this.own);
  }

  /** Opens a stream, which is held until it is dropped. @returns {Promise<void>} once it is open */
  async reads() {
    this.#reading = new AbortController();
    const response = await fetch(`${this.own}/events`, { headers: { authorization: `Bearer ${this.token}`, accept: "text/event-stream" }, signal: this.#reading.signal });
    assert.equal(response.status, 200);
    const reader = response.body.getReader();
    await reader.read();
    const drain = async () => {
      while (!(await reader.read()).done);
    };
    void drain().catch(() => {});
  }

  /** Its connection goes, without a word. */
  drops() {
    this.#reading?.abort();
  }

  /** Its events up to the end. @returns {Promise<any>} what the end says */
  async ended() {
    let cursor = "";
    for (;;) {
      const { events, cursor: next } = await this.#ask("GET", `${this.own}/poll?wait=10${cursor && `&cursor=${cursor}`}`);
      const end = events.find(({ event }) => event === "end");
      if (end) return end.data;
      cursor = next;
    }
  }

  /** @param {string} method @param {string} url @param {unknown} [body] */
  async #ask(method, url, body) {
    const response = await this.#fetch(method, url, body);
    const text = await response.text();
    assert.ok(response.ok, `${method} ${url} answered ${response.status}: ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  /** @param {string} method @param {string} url @param {unknown} [body] */
  #fetch(method, url, body) {
    return fetch(url, {
      method,
      headers: { "content-type": "application/json", ...(this.token ? { authorization: `Bearer ${this.token}` } : {}) },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  }
}
