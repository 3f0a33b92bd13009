/** A server of streams that are known byte by byte, and in which pieces they are written. */

import { once } from "node:events";
import { createServer } from "node:http";
import { setImmediate as rest, setTimeout as sleep } from "node:timers/promises";

/** @typedef {{bytes: Uint8Array, cuts: number[]}} Stream bytes, and where a piece ends and the next begins */

export class Source {
  url = "";
  /** @type {Stream[]} */
  #streams = [];
  #server = createServer((request, response) => void this.#serve(request, response));

  /** @param {import("node:test").TestContext} t */
  static async open(t) {
    const source = new Source();
    // A connection that is closed just when it is asked for the next stream would be a fault of ours.
    source.#server.keepAliveTimeout = 600_000;
    source.#server.listen(0, "127.0.0.1");
    await once(source.#server, "listening");
    source.url = `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (source.#server.address()).port}`;
    t.after(() => {
      source.#server.close();
      source.#server.closeAllConnections();
    });
    return source;
  }

  /** @param {Uint8Array} bytes @param {number[]} [cuts] @returns {string} the address of the stream */
  add(bytes, cuts = []) {
    this.#streams.push({ bytes, cuts });
    return `${this.url}/stream/${this.#streams.length - 1}`;
  }

  /** @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response */
  async #serve(request, response) {
    const number = /^\/stream\/(\d+)$/.exec(request.url ?? "")?.[1];
    // Everything else is a blank page, for the EventSource of a browser to stand on.
    if (number === undefined) return void response.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html><title>Blank</title>");
    const { bytes, cuts } = this.#streams[Number(number)];
    request.socket.setNoDelay();
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    let from = 0;
    for (const to of cuts) {
      response.write(bytes.subarray(from, to));
      from = to;
      // Time for a piece to be read before the next is written; of many, some are read together.
      await (cuts.length > 100 ? rest() : sleep(1));
    }
    response.end(bytes.subarray(from));
  }
}
