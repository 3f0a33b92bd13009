/** The real server on a free port of the loopback, ended by its process id with the test at the latest. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, readdir } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Log } from "./log.mjs";
import { endWithUs } from "./processes.mjs";

const START_MS = 15_000;
const END_MS = 30_000;
const LOOK_MS = 10;
const WEB = fileURLToPath(new URL("../../../web/", import.meta.url));
const BUILT = ["release", "debug"].map((profile) => fileURLToPath(new URL(`../../../target/${profile}/switchboard`, import.meta.url)));

/** The program that is tested. */
export function binary() {
  const given = process.env.SWITCHBOARD_BIN;
  const found = (given ? [given] : BUILT).find((path) => existsSync(path));
  if (!found) throw new Error(`no server binary at ${given ?? BUILT.join(" or ")}: run "cargo build --release", or set SWITCHBOARD_BIN`);
  return found;
}

/**
 * @typedef {object} Server
 * @property {string} url
 * @property {() => Promise<void>} stop Ends it on the spot (SIGKILL).
 * @property {() => Promise<number|null>} close Asks it to go (SIGTERM); the code that it went with.
 */

/**
 * @param {...string} options command line options beside the address
 * @returns {Promise<Server>}
 */
export const startServer = (...options) => startServerAt("127.0.0.1:0", ...options);

/**
 * The same at an address of one's choice, such as that of a server which has ended.
 * @param {string} address
 * @param {...string} options
 * @returns {Promise<Server>}
 */
export async function startServerAt(address, ...options) {
  // The server refuses variables that begin with its name and are none of its options.
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("SWITCHBOARD_")));
  const log = new Log(options);
  const env = { ...own, RUST_LOG: "trace", NO_COLOR: "1" };
  const child = spawn(binary(), ["--listen", address, ...options], { env, stdio: ["ignore", "ignore", log.fd] });
  const end = endWithUs(child);
  let open = true;
  const search = () => {
    if (open) log.close();
    open = false;
  };
  const stop = async () => {
    await end();
    search();
  };
  const close = async () => {
    const ended = once(child, "exit", { signal: AbortSignal.timeout(END_MS) });
    child.kill("SIGTERM");
    const [code] = await ended;
    search();
    return code;
  };
  try {
    const url = await listens(child, log);
    await servesThisTree(url);
    return { url, stop, close };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Waits until a server says where it listens.
 * @param {import("node:child_process").ChildProcess} child
 * @param {Log} log
 */
async function listens(child, log) {
  let failed;
  child.once("error", (error) => (failed = error));
  for (const deadline = Date.now() + START_MS; Date.now() < deadline; await delay(LOOK_MS)) {
    if (failed) throw failed;
    const said = log.head();
    // Only a whole line, since half an address is another address.
    const line = /listening on (http:\/\/127\.0\.0\.1:\d+)\s*\n/.exec(said);
    if (line) return line[1];
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}: ${said}`);
  }
  throw new Error(`the server did not say where it listens within ${START_MS} ms: ${log.head()}`);
}

/**
 * A release build carries the pages within it; an older one would be tested in place of the present ones.
 * @param {string} url
 */
async function servesThisTree(url) {
  const files = (await readdir(WEB, { recursive: true })).filter((file) => /^(client|demo|check)\/.*\.js$/.test(file));
  for (const file of files) {
    const response = await fetch(`${url}/${file}`);
    if (!response.ok || (await response.text()) !== (await readFile(WEB + file, "utf8"))) {
      throw new Error(`the server's ${file} is not the one in web/: build the server anew`);
    }
  }
}
