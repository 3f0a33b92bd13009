/** Programs of the distribution, each on a free port of the loopback with a directory of its own, ended by their process group. */

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, chmodSync, constants, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { endWithUs } from "../harness/processes.mjs";

const START_MS = 30_000;
const LOOK_MS = 50;
/** Another program may take a port between its being found free and its use. */
const TRIES = 3;
const SHARED_MEMORY = "/dev/shm";
/** Where servers are; the PATH of an ordinary user has it not. */
const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;

/** @typedef {{port: number, stop: () => Promise<void>}} Running */

export async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (probe.address());
  probe.close();
  await once(probe, "close");
  return port;
}

/** @param {string} program @param {string} install the package that brings it */
function find(program, install) {
  for (const directory of PATH.split(":")) {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return join(directory, program);
    } catch {
      // Not in this one.
    }
  }
  throw new Error(`${program} is missing: apt-get install ${install}`);
}

/**
 * @param {object} program
 * @param {string} program.name
 * @param {string} program.install
 * @param {(place: {port: number, home: string}) => Record<string, string>} program.files what to write into its directory
 * @param {(place: {port: number, home: string}) => string[]} program.arguments
 * @param {(place: {port: number, home: string}) => string} [program.memory] how the names of its shared memory begin
 * @returns {Promise<Running>}
 */
export async function run(program) {
  const path = find(program.name, program.install);
  for (let tries = 1; ; tries++) {
    try {
      return await runOnce(path, program);
    } catch (error) {
      if (tries === TRIES) throw error;
    }
  }
}

/** @param {string} path @param {Parameters<typeof run>[0]} program @returns {Promise<Running>} */
async function runOnce(path, program) {
  const port = await freePort();
  const home = mkdtempSync(join(tmpdir(), `switchboard-${program.name}-`));
  const clear = () => {
    rmSync(home, { recursive: true, force: true });
    const begin = program.memory?.({ port, home });
    for (const name of begin ? readdirSync(SHARED_MEMORY) : []) if (name.startsWith(begin)) rmSync(join(SHARED_MEMORY, name), { force: true });
  };
  process.on("exit", clear);
  // Started as root, these programs drop their privileges and must still get at what is here.
  chmodSync(home, 0o777);
  for (const [name, text] of Object.entries(program.files({ port, home }))) writeFileSync(join(home, name), text);
  const child = spawn(path, program.arguments({ port, home }), {
    cwd: home,
    detached: true,
    env: { PATH, HOME: home, TMPDIR: home, LANG: "C.UTF-8" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const end = endWithUs(child, { group: true });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (said = (said + chunk).slice(-4096)));
  let failed = /** @type {Error|null} */ (null);
  child.once("error", (error) => (failed = error));
  const stop = async () => {
    await end();
    clear();
    process.off("exit", clear);
  };
  for (const deadline = Date.now() + START_MS; ; await delay(LOOK_MS)) {
    if (await listens(port)) return { port, stop };
    if (!failed && child.exitCode === null && child.signalCode === null && Date.now() < deadline) continue;
    const log = join(home, "error.log");
    if (existsSync(log)) said += readFileSync(log, "utf8");
    await stop();
    throw new Error(`${program.name} does not listen on port ${port} (exit code ${child.exitCode}): ${said}`, { cause: failed });
  }
}

/** @param {number} port */
function listens(port) {
  const socket = connect(port, "127.0.0.1");
  return new Promise((resolve) => {
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
  }).finally(() => socket.destroy());
}

/** @type {{crt: string, key: string}|undefined} */
let identity;

/** A key and its certificate for the loopback, which nobody has signed. */
export function certificate() {
  if (identity) return identity;
  const home = mkdtempSync(join(tmpdir(), "switchboard-certificate-"));
  process.on("exit", () => rmSync(home, { recursive: true, force: true }));
  const [key, crt] = ["key", "crt"].map((name) => join(home, name));
  const wanted = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  execFileSync(find("openssl", "openssl"), [...wanted, "-keyout", key, "-out", crt], { stdio: "pipe" });
  identity = { key: readFileSync(key, "utf8"), crt: readFileSync(crt, "utf8") };
  return identity;
}
