/** Bad ways to a server: what proxies, scanners and antivirus programs do to HTTP, one trouble or several at a time. */

import { once } from "node:events";
import http from "node:http";
import net from "node:net";

/**
 * @typedef {object} Trouble
 * @property {string[]} [strips] Request headers that get lost.
 * @property {string[]} [passes] Methods that pass; the others are refused with a page, or cut.
 * @property {boolean} [cuts] Refused methods get no answer at all.
 * @property {number} [idleMs] A connection on which no byte passes for so long is cut.
 * @property {number} [ageMs] No response gets older.
 * @property {number} [delayMs] Every byte comes so much later, there and back.
 * @property {boolean} [holds] Each write of an answer is held until the next one, or its end.
 * @property {boolean} [keeps] Answers to GET are kept and given again, whatever the server says of that.
 */

export class Proxy {
  /** What was asked for: {method, url, at, status}. */
  seen = [];
  /** Answers that were broken off, by their age in ms. @type {{url: string, at: number, ageMs: number}[]} */
  cuts = [];
  #open = new Set();
  #kept = new Map();

  /** @param {string} target @param {Trouble} trouble */
  static async start(target, trouble) {
    const proxy = new Proxy();
    proxy.trouble = trouble;
    proxy.target = target;
    proxy.server = http.createServer((request, response) => void proxy.#pass(request, response));
    await listen(proxy);
    return proxy;
  }

  /** @param {(request: {method: string, url: string, at: number}) => boolean} isMeant */
  count(isMeant) {
    return this.seen.filter(isMeant).length;
  }

  /** Breaks off everything that is under way. */
  cut() {
    for (const breakOff of [...this.#open]) breakOff();
  }

  async stop() {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, "close");
  }

  async #pass(request, response) {
    const { method, url } = request;
    const { strips = [], passes, cuts, delayMs = 0, keeps } = this.trouble;
    const entry = { method, url, at: Date.now(), status: 0, headers: request.headers };
    this.seen.push(entry);
    const chunks = [];
    request.on("error", () => {});
    for await (const chunk of request) chunks.push(chunk);
    await later(delayMs);
    if (passes && !passes.includes(method)) {
      if (cuts) return request.socket.destroy();
      return response.writeHead(405, { "Content-Type": "text/html" }).end("<h1>Method not allowed by your administrator</h1>");
    }
    const kept = keeps && method === "GET" ? this.#kept.get(url) : undefined;
    if (kept) return response.writeHead(200, kept.headers).end(kept.body);
    const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !strips.includes(name)));
    const upstream = http.request(new URL(url, this.target), { method, headers, agent: false }, (answer) => this.#answer(entry, answer, response));
    upstream.on("error", () => response.destroy());
    response.on("close", () => upstream.destroy());
    upstream.end(Buffer.concat(chunks));
  }

  #answer(entry, answer, response) {
    const { idleMs, ageMs, delayMs = 0, holds, keeps } = this.trouble;
    const { method, url } = entry;
    entry.status = answer.statusCode;
    const began = Date.now();
    const breakOff = () => {
      if (response.writableEnded) return;
      this.cuts.push({ url, at: Date.now(), ageMs: Date.now() - began });
      response.destroy();
    };
    this.#open.add(breakOff);
    response.on("close", () => this.#open.delete(breakOff));
    // The answer to a held poll begins only when it is there; what is idle until then is cut in #idle.
    const idle = idleMs ? setTimeout(breakOff, idleMs) : undefined;
    const age = ageMs ? setTimeout(breakOff, ageMs) : undefined;
    response.on("close", () => {
      clearTimeout(idle);
      clearTimeout(age);
    });
    const whole = answer.headers["content-length"] !== undefined;
    const pieces = [];
    let held = null;
    let last = Promise.resolve();
    const write = (chunk) => {
      last = Promise.all([last, later(delayMs)]).then(() => void (response.destroyed || response.write(chunk)));
    };
    const head = { ...answer.headers };
    delete head["transfer-encoding"];
    last = later(delayMs).then(() => {
      if (response.destroyed) return;
      response.writeHead(answer.statusCode, head);
      if (!holds) response.flushHeaders();
    });
    answer.on("data", (chunk) => {
      idle?.refresh();
      pieces.push(chunk);
      if (!holds || whole) return write(chunk);
      if (held) write(held);
      held = chunk;
    });
    answer.on("end", () => {
      if (held) write(held);
      if (keeps && method === "GET" && answer.statusCode === 200 && whole) this.#kept.set(url, { headers: head, body: Buffer.concat(pieces) });
      last.then(() => response.end());
    });
    answer.on("error", () => response.destroy());
  }
}

/** A path on which a connection dies of silence or of age, whatever is spoken on it: the cut of a poll that waits too. */
export class Reaper {
  /** @type {{at: number, ageMs: number}[]} */
  cuts = [];
  connections = 0;

  /** @param {string} target @param {{idleMs?: number, ageMs?: number}} bounds */
  static async start(target, { idleMs, ageMs }) {
    const reaper = new Reaper();
    const { hostname, port } = new URL(target);
    reaper.server = net.createServer((near) => {
      reaper.connections += 1;
      const far = net.connect(Number(port), hostname);
      let since = Date.now();
      let spoke = since;
      let asking = false;
      const reap = () => {
        // Between two requests a connection is closed as politely as any server does it.
        if (asking) reaper.cuts.push({ at: Date.now(), ageMs: Date.now() - since });
        near.destroy();
      };
      const timer = setInterval(() => {
        const now = Date.now();
        if ((idleMs && now - spoke >= idleMs) || (ageMs && asking && now - since >= ageMs)) reap();
      }, 50);
      const end = () => {
        clearInterval(timer);
        near.destroy();
        far.destroy();
      };
      near.on("data", () => {
        since = spoke = Date.now();
        asking = true;
      });
      far.on("data", (chunk) => {
        spoke = Date.now();
        // An answer with its length is one piece here; a stream goes on.
        if (/\r\ncontent-length: |HTTP\/1.1 204/i.test(chunk.toString("latin1"))) asking = false;
      });
      for (const socket of [near, far]) socket.on("error", end).on("close", end);
      near.pipe(far).pipe(near);
    });
    await listen(reaper);
    return reaper;
  }

  async stop() {
    this.server.close();
    await once(this.server, "close");
  }
}

/** A proxy of the last century: it speaks HTTP/1.0 to the server, and closes after each answer. */
export class Elder {
  static async start(target) {
    const elder = new Elder();
    elder.statusLines = new Set();
    const { hostname, port } = new URL(target);
    elder.server = net.createServer((near) => {
      let head = "";
      near.on("error", () => {});
      near.on("data", function collect(chunk) {
        head += chunk.toString("latin1");
        const end = head.indexOf("\r\n\r\n");
        if (end < 0) return;
        near.off("data", collect);
        const far = net.connect(Number(port), hostname);
        const close = () => [near, far].forEach((socket) => socket.destroy());
        for (const socket of [near, far]) socket.on("error", close).on("close", close);
        const lines = head.slice(0, end).split("\r\n").filter((line) => !/^(connection|keep-alive):/i.test(line));
        lines[0] = lines[0].replace("HTTP/1.1", "HTTP/1.0");
        far.write(`${lines.join("\r\n")}\r\n${head.slice(end + 2)}`, "latin1");
        far.once("data", (first) => elder.statusLines.add(first.toString("latin1").split("\r\n")[0].slice(0, 8)));
        near.pipe(far).pipe(near);
      });
    });
    await listen(elder);
    return elder;
  }

  async stop() {
    this.server.close();
    await once(this.server, "close");
  }
}

async function listen(way) {
  const sockets = new Set();
  way.server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  const close = way.server.close.bind(way.server);
  way.server.close = () => {
    close();
    for (const socket of sockets) socket.destroy();
  };
  way.server.listen(0, "127.0.0.1");
  await once(way.server, "listening");
  way.url = `http://127.0.0.1:${way.server.address().port}`;
}

const later = (ms) => (ms > 0 ? new Promise((resolve) => setTimeout(resolve, ms)) : Promise.resolve());
