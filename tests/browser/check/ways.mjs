/** What may stand between a page and the server, or be asked by the page: programs and small proxies, each ended with the test. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endWithUs } from "../harness/processes.mjs";

const START_MS = 90_000;
const LOOK_MS = 100;

/** @typedef {{url: string, close: () => Promise<void>}} Way */

/** A port that was free a moment ago. */
export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  server.close();
  await once(server, "close");
  return port;
}

/**
 * A program of Debian, in a directory of its own, up once it takes connections.
 * @param {string} path
 * @param {string} debian the package that brings it
 * @param {number} port
 * @param {(home: string) => string[]} options
 */
async function start(path, debian, port, options) {
  if (!existsSync(path)) throw new Error(`no ${path}: install ${debian} (apt-get install ${debian})`);
  const home = mkdtempSync(join(tmpdir(), "switchboard-check-"));
  const child = spawn(path, options(home), { cwd: home, env: { ...process.env, HOME: home }, stdio: ["ignore", "pipe", "pipe"] });
  const end = endWithUs(child);
  const clear = () => rmSync(home, { recursive: true, force: true });
  process.on("exit", clear);
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said = (said + chunk).slice(-4096)));
  const close = async () => {
    await end();
    clear();
    process.off("exit", clear);
  };
  for (const deadline = Date.now() + START_MS; !(await listens(port)); ) {
    if (child.exitCode === null && Date.now() < deadline) continue;
    await close();
    throw new Error(`${path} does not listen: ${said}`);
  }
  return close;
}

/** @param {number} port */
async function listens(port) {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    return false;
  } finally {
    socket.destroy();
  }
}

/**
 * mitmproxy, which reads a response to its end before it hands it on, as content scanners do.
 * @param {string} target
 * @returns {Promise<Way>}
 */
export async function startScanner(target) {
  const port = await freePort();
  const close = await start("/usr/bin/mitmdump", "mitmproxy", port, (home) => ["--mode", `reverse:${target}`, "--listen-host", "127.0.0.1", "--listen-port", String(port), "--set", `confdir=${home}`, "--quiet"]);
  return { url: `http://127.0.0.1:${port}`, close };
}

/**
 * coturn on the loopback, over UDP and TCP.
 * @param {string} username @param {string} password
 * @returns {Promise<{port: number, close: () => Promise<void>}>}
 */
export async function startTurn(username, password) {
  const port = await freePort();
  const close = await start("/usr/bin/turnserver", "coturn", port, (home) => [
    ...["-n", "--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1", "--listening-port", String(port), "--realm", "check.example"],
    ...["--lt-cred-mech", "--user", `${username}:${password}`, "--no-tls", "--no-dtls", "--no-cli", "--allow-loopback-peers"],
    ...["--log-file", "stdout", "--pidfile", join(home, "pid"), "--userdb", join(home, "db")],
  ]);
  return { port, close };
}

/**
 * A proxy that refuses some methods, or WebSockets.
 * @param {string} target
 * @param {{methods?: string[], websocket?: boolean}} refuses
 * @returns {Promise<Way>}
 */
export async function startFilter(target, { methods = [], websocket = false }) {
  const { hostname, port } = new URL(target);
  const server = http.createServer((request, response) => {
    if (methods.includes(request.method ?? "")) return void response.writeHead(405, { "Content-Type": "text/html" }).end("<h1>Not allowed here</h1>");
    const onwards = http.request({ hostname, port, method: request.method, path: request.url, headers: { ...request.headers, via: "1.1 filter" } }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.flushHeaders();
      answer.on("error", () => response.destroy());
      answer.pipe(response);
    });
    onwards.on("error", () => response.destroy());
    response.on("close", () => onwards.destroy());
    request.pipe(onwards);
  });
  server.on("upgrade", (request, socket, head) => {
    socket.on("error", () => {});
    if (websocket) return void socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    const far = connect(Number(port), hostname);
    far.on("error", () => socket.destroy());
    const lines = request.rawHeaders.reduce((text, word, n) => text + word + (n % 2 ? "\r\n" : ": "), "");
    far.write(`${request.method} ${request.url} HTTP/1.1\r\n${lines}\r\n`);
    far.write(head);
    far.pipe(socket).pipe(far);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = async () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (server.address()).port}`, close };
}

/**
 * A way that cuts whatever was silent for too long, as NATs and firewalls do.
 * @param {string} target
 * @param {number} ms
 * @returns {Promise<Way>}
 */
export async function startCutter(target, ms) {
  const { hostname, port } = new URL(target);
  /** @type {Set<import("node:net").Socket>} */
  const open = new Set();
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    for (const [one, other] of [[near, far], [far, near]]) {
      open.add(one);
      one.on("error", () => {});
      one.on("close", () => (open.delete(one), other.destroy()));
    }
    // Each byte in either direction passes here and starts the time anew.
    near.setTimeout(ms, () => near.destroy());
    near.pipe(far).pipe(near);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = async () => {
    for (const socket of open) socket.destroy();
    server.close();
  };
  return { url: `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (server.address()).port}`, close };
}
