/** Real relays (coturn) on the loopback, each ended by its process id with the test at the latest. */

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endWithUs } from "./processes.mjs";

const PROGRAM = process.env.TURNSERVER ?? "/usr/bin/turnserver";
const HOST = "127.0.0.1";
const USER = "switchboard";
const START_MS = 20_000;
const ASK_EVERY_MS = 100;

/** What an RTCPeerConnection is told of the relay at that port. @param {number} port */
export const relayAt = (port, password = "relay") => ({ urls: `turn:${HOST}:${port}?transport=udp`, username: USER, credential: password });

/** A UDP port that nobody has just now. */
export async function freePort() {
  const socket = createSocket("udp4");
  socket.bind(0, HOST);
  await once(socket, "listening");
  const { port } = socket.address();
  await new Promise((resolve) => socket.close(resolve));
  return port;
}

/**
 * @param {number} [port]
 * @param {{secret?: string, tls?: {cert: string, key: string, port: number}}} [how] secret: shared with those who hand out
 * credentials, in place of the one user; tls: also within TLS, and over TCP
 * @returns {Promise<{port: number, server: RTCIceServer, kill: () => Promise<void>}>}
 */
export async function startRelay(port, { secret, tls } = {}) {
  if (!existsSync(PROGRAM)) throw new Error(`no relay at ${PROGRAM}: install coturn (apt-get install coturn), or set TURNSERVER`);
  port ??= await freePort();
  const server = relayAt(port);
  const home = mkdtempSync(join(tmpdir(), "switchboard-relay-"));
  const clear = () => rmSync(home, { recursive: true, force: true });
  process.on("exit", clear);
  const child = spawn(PROGRAM, [
    "-n", "--no-cli", "--no-dtls", "--no-multicast-peers", "--allow-loopback-peers",
    ...(tls ? [`--cert=${tls.cert}`, `--pkey=${tls.key}`, `--tls-listening-port=${tls.port}`] : ["--no-tls", "--no-tcp"]),
    `--listening-ip=${HOST}`, `--relay-ip=${HOST}`, `--listening-port=${port}`,
    ...(secret ? ["--use-auth-secret", `--static-auth-secret=${secret}`] : ["--lt-cred-mech", `--user=${USER}:${server.credential}`]),
    "--fingerprint", "--realm=switchboard.test",
    `--pidfile=${join(home, "pid")}`, `--userdb=${join(home, "users")}`, "--log-file=stdout",
  ], { stdio: ["ignore", "pipe", "pipe"], cwd: home });
  const end = endWithUs(child);
  const kill = async () => {
    await end();
    clear();
    process.off("exit", clear);
  };
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said = (said + chunk).slice(-4096)));
  try {
    await answers(port, child);
  } catch (error) {
    await kill();
    throw new Error(`the relay at port ${port} did not start: ${said}`, { cause: error });
  }
  return { port, server, kill };
}

/** Asks for its address (STUN, RFC 8489) until there is an answer. @param {number} port @param {import("node:child_process").ChildProcess} child */
async function answers(port, child) {
  const request = Buffer.concat([Buffer.from([0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]), randomBytes(12)]);
  const socket = createSocket("udp4");
  const signal = AbortSignal.timeout(START_MS);
  // Where nothing listens yet, a connected socket would be told so.
  const ask = () => socket.send(request, port, HOST, () => {});
  const asking = setInterval(ask, ASK_EVERY_MS);
  try {
    ask();
    const gone = once(child, "exit", { signal }).then(([code]) => {
      throw new Error(`it ended with ${code}`);
    });
    await Promise.race([once(socket, "message", { signal }), gone]);
    gone.catch(() => {});
  } finally {
    clearInterval(asking);
    socket.close();
  }
}
