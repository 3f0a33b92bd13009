/** The operators' doors, by the operator's token. Knows no page. */

import { asError, refusal } from "../client/error.js";

const TIMEOUT_MS = 15_000;

export class Operator {
  #base;
  #token;

  /** @param {string} base without a slash at its end @param {string} token */
  constructor(base, token) {
    this.#base = base;
    this.#token = token;
  }

  /**
   * @param {string} path
   * @param {{method?: string, headers?: Record<string, string>, signal?: AbortSignal}} [request]
   * @returns {Promise<Response>} of a status that is well; all else is thrown as a SwitchboardError
   */
  async ask(path, { method = "GET", headers = {}, signal } = {}) {
    let response;
    try {
      response = await fetch(this.#base + path, { method, headers: { ...headers, Authorization: `Bearer ${this.#token}` }, cache: "no-store", redirect: "error", signal });
    } catch (thrown) {
      throw asError(thrown);
    }
    if (response.ok) return response;
    const text = await response.text().catch(() => "");
    let problem = null;
    try {
      problem = JSON.parse(text);
    } catch {
      // Something on the way has answered, and not the server.
    }
    throw refusal(problem, response.status);
  }

  /** @returns {Promise<{room: string, peers: number}[]>} */
  async rooms() {
    return (await this.#json("/rooms")).rooms;
  }

  /** @param {string} room @returns {Promise<{peer: string, state: string, order: number, joined_ms_ago: number}[]>} */
  async peers(room) {
    return (await this.#json(`${inRoom(room)}/peers`)).peers;
  }

  /** @returns {Promise<string>} */
  async metrics() {
    return (await this.ask("/metrics", { signal: AbortSignal.timeout(TIMEOUT_MS) })).text();
  }

  /** @param {string} room @param {string} peer @param {string} detail */
  async kick(room, peer, detail) {
    await this.#end(`${inRoom(room)}/peers/${encodeURIComponent(peer)}`, detail);
  }

  /** @param {string} room @param {string} detail */
  async close(room, detail) {
    await this.#end(inRoom(room), detail);
  }

  /** @param {string} path @param {string} detail */
  async #end(path, detail) {
    const query = detail ? `?detail=${encodeURIComponent(detail)}` : "";
    await this.ask(path + query, { method: "DELETE", signal: AbortSignal.timeout(TIMEOUT_MS) });
  }

  /** @param {string} path */
  async #json(path) {
    const response = await this.ask(path, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    return response.json().catch((thrown) => {
      throw asError(thrown);
    });
  }
}

/** @param {string} room */
const inRoom = (room) => `/rooms/${encodeURIComponent(room)}`;
