/** A peer of a room on the bare wire. */

export class Peer {
  /** @param {string} server @param {any} joined */
  constructor(server, joined) {
    this.url = `${server}/rooms/${joined.room}/peers/${joined.peer}`;
    this.token = joined.token;
    this.ticket = joined.ticket;
    this.headers = { Authorization: `Bearer ${joined.token}` };
  }

  /** @param {string} server @param {string} room @param {string} peer */
  static async join(server, room, peer) {
    return new Peer(server, await (await answered(`${server}/rooms/${room}/peers`, { method: "POST", body: JSON.stringify({ peer }) })).json());
  }

  /** Sends one signal after the other. @param {string} to @param {string} type @param {string[]} texts the data of each, as JSON */
  async send(to, type, ...texts) {
    for (const text of texts) await this.signal(`{"to":"${to}","type":"${type}","data":${text}}`);
  }

  /** @param {string} body one signal, as JSON */
  signal(body) {
    return answered(`${this.url}/signals`, { method: "POST", headers: this.headers, body });
  }

  leave() {
    return answered(this.url, { method: "DELETE", headers: this.headers });
  }

  /**
   * The bytes of the peer's stream, from its first to its last.
   * @param {string} [query] @param {(text: string) => void} [came] hears all that came so far, with each piece
   */
  async record(query = "", came = () => {}) {
    const response = await answered(`${this.url}/events${query}`, { headers: { ...this.headers, Accept: "text/event-stream" } });
    /** @type {Buffer[]} */
    const pieces = [];
    for await (const piece of response.body ?? []) {
      pieces.push(Buffer.from(piece));
      came(Buffer.concat(pieces).toString());
    }
    return new Uint8Array(Buffer.concat(pieces));
  }
}

/** @param {string} url @param {RequestInit} init */
async function answered(url, init) {
  const response = await fetch(url, init);
  if (!response.ok) throw new Error(`${init.method ?? "GET"} ${url} was answered ${response.status}: ${await response.text()}`);
  return response;
}
