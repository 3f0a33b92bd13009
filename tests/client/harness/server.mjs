/** The real server, and bad ways to it. Everything started here is ended by its handle. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { fileURLToPath } from "node:url";
import { hideOptions, searchLog } from "../../browser/harness/secrets.mjs";

const BUILT = fileURLToPath(new URL("../../../target/debug/switchboard", import.meta.url));
const START_MS = 10_000;

/** Servers that run; none outlives this process, however it ends. @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
for (const [signal, code] of [["SIGTERM", 143], ["SIGINT", 130], ["SIGHUP", 129]]) process.once(signal, () => process.exit(code));

/** @returns {string} the path of the binary; throws where there is none to run. */
export function binary() {
  const path = process.env.SWITCHBOARD_BIN ?? BUILT;
  if (!existsSync(path)) throw new Error(`no server at ${path}: run "cargo build" first, or set SWITCHBOARD_BIN`);
  return path;
}

export class Server {
  /** @param {string[]} [options] @param {number} [port] */
  static async start(options = [], port = 0) {
    // The server refuses variables that look like options of its own and are none.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("SWITCHBOARD_")));
    // Everything is logged, and nothing secret may be.
    env.RUST_LOG = "trace";
    hideOptions(options);
    const child = spawn(binary(), ["--listen", `127.0.0.1:${port}`, ...options], { stdio: ["ignore", "ignore", "pipe"], env });
    running.add(child);
    child.once("exit", () => running.delete(child));
    const server = new Server();
    server.child = child;
    server.exited = once(child, "exit");
    server.checkLog = searchLog(child.stderr);
    let log = "";
    server.url = await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the server does not say where it listens: ${log}`)), START_MS);
      child.once("exit", (code) => {
        clearTimeout(timer);
        reject(new Error(`the server ended with ${code}: ${log}`));
      });
      child.stderr.on("data", (data) => {
        log += data;
        // Only a whole line: half an address is another address, and tests reach nothing but loopback.
        const [, url] = log.match(/listening on (http:\/\/127\.0\.0\.1:\d+)\s*\n/) ?? [];
        if (!url) return;
        clearTimeout(timer);
        resolve(url);
      });
    }).catch((error) => {
      child.kill("SIGKILL");
      throw error;
    });
    server.port = Number(new URL(server.url).port);
    return server;
  }

  /** @param {NodeJS.Signals} [signal] */
  async stop(signal = "SIGKILL") {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    await this.exited;
    this.checkLog();
  }
}

/** A scanner that hands on a response only once it has it whole. */
export class Hoarder {
  static async start(target) {
    const hoarder = new Hoarder();
    hoarder.seen = [];
    hoarder.lenient = false;
    hoarder.server = http.createServer((request, response) => {
      hoarder.seen.push(`${request.method} ${request.url}`);
      const upstream = http.request(new URL(request.url, target), { method: request.method, headers: request.headers }, (answer) => {
        if (hoarder.lenient) {
          response.writeHead(answer.statusCode, answer.headers);
          answer.pipe(response);
          return;
        }
        const chunks = [];
        answer.on("data", (chunk) => chunks.push(chunk));
        answer.on("end", () => {
          const { "transfer-encoding": _, ...headers } = answer.headers;
          response.writeHead(answer.statusCode, headers);
          response.end(Buffer.concat(chunks));
        });
        answer.on("error", () => response.destroy());
      });
      upstream.on("error", () => response.destroy());
      response.on("close", () => upstream.destroy());
      request.pipe(upstream);
    });
    hoarder.server.listen(0, "127.0.0.1");
    await once(hoarder.server, "listening");
    hoarder.url = `http://127.0.0.1:${hoarder.server.address().port}`;
    return hoarder;
  }

  async stop() {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, "close");
  }
}

/** A TCP path that can be cut at any moment. */
export class Cutter {
  static async start(port) {
    const cutter = new Cutter();
    cutter.pairs = new Set();
    cutter.cuts = 0;
    cutter.server = net.createServer((from) => {
      const to = net.connect(port, "127.0.0.1");
      const pair = [from, to];
      cutter.pairs.add(pair);
      const end = () => {
        cutter.pairs.delete(pair);
        for (const socket of pair) socket.destroy();
      };
      for (const socket of pair) socket.on("error", end).on("close", end);
      from.pipe(to).pipe(from);
    });
    cutter.server.listen(0, "127.0.0.1");
    await once(cutter.server, "listening");
    cutter.url = `http://127.0.0.1:${cutter.server.address().port}`;
    return cutter;
  }

  cut() {
    for (const [from] of [...this.pairs]) {
      this.cuts += 1;
      from.destroy();
    }
  }

  async stop() {
    this.server.close();
    this.cut();
    await once(this.server, "close");
  }
}
