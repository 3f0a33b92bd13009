/** What no package does, each as a small proxy of its own before a server; one may stand before the other. */

import { once } from "node:events";
import { createServer as createHttp, request as ask } from "node:http";
import { connect, createServer } from "node:net";
import { Transform } from "node:stream";

/** @typedef {import("./programs.mjs").Running} Running */
/** @typedef {import("./reverse.mjs").Reverse} Middlebox */

const HOP_BY_HOP = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer", "upgrade"]);

/** Hands everything on as it comes. */
export const passes = () => overTcp((near, far) => near.pipe(far).pipe(near));

/** @param {Middlebox[]} boxes the first is the one that the browser meets @returns {Middlebox} */
export const chain = (...boxes) => async (target) => {
  /** @type {Running[]} */
  const running = [];
  for (const box of [...boxes].reverse()) running.push(await box(running.length ? `127.0.0.1:${running[running.length - 1].port}` : target));
  return { port: running[running.length - 1].port, stop: async () => void (await Promise.all(running.map(({ stop }) => stop()))) };
};

/** As an antivirus does: each write of a response is kept until the next one comes, or the end. */
export const holdsEachWrite = () => overHttp({ through: () => new Held() });

/** @param {number} ms @returns {Middlebox} */
export const capsAge = (ms) => overHttp({ began: (response) => {
  const timer = setTimeout(() => response.destroy(), ms);
  response.once("close", () => clearTimeout(timer));
} });

export const dropsUpgrade = () => overHttp({ upgrades: false });

/** @param {Record<string, number>} methods and what each is answered */
export const refuses = (methods) => overHttp({ refused: (method) => methods[method] });

/** @param {string} header */
export const strips = (header) => overHttp({ without: header });

/** @param {number} ms @returns {Middlebox} */
export const cutsIdle = (ms) => overTcp((near, far) => {
  const cut = () => {
    near.destroy();
    far.destroy();
  };
  let timer = setTimeout(cut, ms);
  for (const socket of [near, far]) {
    socket.on("data", () => timer.refresh()).once("close", () => clearTimeout(timer));
  }
  near.pipe(far).pipe(near);
});

/** Ends are as late as bytes: what was on its way when one side closed still arrives. @param {number} ms each way @returns {Middlebox} */
export const addsDelay = (ms) => async (target) => {
  const [host, port] = target.split(":");
  return listen(createServer((near) => {
    const far = connect(Number(port), host);
    for (const [one, other] of [[near, far], [far, near]]) {
      one.pipe(new Late(ms)).pipe(other);
      one.on("error", () => {});
      one.once("close", () => setTimeout(() => other.destroySoon(), ms));
    }
  }));
};

/**
 * Says HTTP/1.0 to both sides: one request to a connection, whose end is the end of the answer. What the server says is
 * handed on as it comes, for to this protocol there are no chunks to be undone.
 * @returns {Middlebox}
 */
export const speaksHttp10 = () => async (target) => {
  const [host, port] = target.split(":");
  return listen(createServer((near) => {
    near.on("error", () => {});
    let head = Buffer.alloc(0);
    const read = (/** @type {Buffer} */ chunk) => {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      near.off("data", read);
      const [first, ...lines] = head.subarray(0, end).toString("latin1").split("\r\n");
      const kept = lines.filter((line) => !HOP_BY_HOP.has(line.split(":")[0].toLowerCase()));
      const far = connect(Number(port), host);
      join(near, far);
      far.write(`${[first.replace(/HTTP\/1\.1$/, "HTTP/1.0"), ...kept].join("\r\n")}\r\n\r\n`, "latin1");
      far.write(head.subarray(end + 4));
      // Not by pipe, which would hand the page's half-close on as if it were gone.
      near.on("data", (more) => far.write(more));
      far.pipe(near);
    };
    near.on("data", read);
  }));
};

class Held extends Transform {
  /** @type {Buffer|null} */
  #held = null;

  _transform(chunk, _, done) {
    if (this.#held) this.push(this.#held);
    this.#held = chunk;
    done();
  }

  _flush(done) {
    done(null, this.#held);
  }
}

class Late extends Transform {
  #ms;

  /** @param {number} ms */
  constructor(ms) {
    super();
    this.#ms = ms;
  }

  _transform(chunk, _, done) {
    setTimeout(() => this.destroyed || this.push(chunk), this.#ms);
    done();
  }

  _flush(done) {
    setTimeout(done, this.#ms);
  }
}

/**
 * @param {import("node:net").Server} server
 * @returns {Promise<Running>}
 */
async function listen(server) {
  /** @type {Set<import("node:net").Socket>} */
  const open = new Set();
  server.on("connection", (socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const stop = async () => {
    server.close();
    for (const socket of open) socket.destroy();
  };
  return { port, stop };
}

/** The end of the one is the end of the other. @param {import("node:stream").Duplex} near @param {import("node:net").Socket} far */
function join(near, far) {
  for (const [one, other] of [[near, far], [far, near]]) {
    one.on("error", () => other.destroy());
    one.once("close", () => other.destroySoon?.() ?? other.destroy());
  }
}

/** @param {(near: import("node:net").Socket, far: import("node:net").Socket) => void} carry @returns {Middlebox} */
function overTcp(carry) {
  return async (target) => {
    const [host, port] = target.split(":");
    return listen(createServer((near) => {
      const far = connect(Number(port), host);
      join(near, far);
      carry(near, far);
    }));
  };
}

/**
 * @param {object} way
 * @param {() => Transform} [way.through] what a response's body goes through
 * @param {(response: import("node:http").ServerResponse) => void} [way.began]
 * @param {boolean} [way.upgrades]
 * @param {(method: string) => number|undefined} [way.refused]
 * @param {string} [way.without] a request header that is dropped
 * @returns {Middlebox}
 */
function overHttp({ through, began, upgrades = true, refused = () => undefined, without }) {
  return async (target) => {
    const [host, port] = target.split(":");
    const server = createHttp((request, response) => {
      const { method = "GET", url, headers } = request;
      const status = refused(method);
      if (status) return void response.writeHead(status, { "Content-Type": "text/plain", Connection: "close" }).end(`${method} is not allowed here\n`);
      const kept = Object.fromEntries(Object.entries(headers).filter(([name]) => name !== without && !HOP_BY_HOP.has(name)));
      const way = ask({ host, port, method, path: url, headers: kept, agent: false }, (answer) => {
        const { statusCode = 502, rawHeaders } = answer;
        const said = rawHeaders.filter((_, at) => !HOP_BY_HOP.has(rawHeaders[at - (at % 2)].toLowerCase()));
        response.writeHead(statusCode, said);
        response.flushHeaders();
        began?.(response);
        answer.once("error", () => response.destroy());
        (through ? answer.pipe(through()) : answer).pipe(response);
      });
      way.on("error", () => response.destroy());
      response.once("close", () => way.destroy());
      request.pipe(way);
    });
    server.requestTimeout = 0;
    if (upgrades) {
      server.on("upgrade", ({ method, url, rawHeaders }, near, head) => {
        const far = connect(Number(port), host);
        join(near, far);
        const lines = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${rawHeaders[at + 1]}`] : []));
        far.write(`${[`${method} ${url} HTTP/1.1`, ...lines].join("\r\n")}\r\n\r\n`, "latin1");
        far.write(head);
        near.pipe(far).pipe(near);
      });
    }
    return listen(server);
  };
}
