/** The real server on a free port of the loopback, ended by its process id with the test at the latest. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, readdir } from "node:fs/promises";
import http from "node:http";
import https from "node:https";
import { fileURLToPath } from "node:url";
import { endWithUs } from "./processes.mjs";
import { hideOptions, searchLog } from "./secrets.mjs";

const START_MS = 15_000;
const END_MS = 30_000;
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
 * @property {(act: () => Promise<unknown>) => Promise<void>} [whilePaused] Does this while the server answers nobody (SIGSTOP).
 */

/** What is for a server on its own. */
const ALONE = ["--state-file", "--backplane"];

/**
 * SWITCHBOARD_NODES=3 has it be so many, over one store and behind a proxy.
 * @param {...string} options command line options beside the address
 * @returns {Promise<Server>}
 */
export async function startServer(...options) {
  const count = Number(process.env.SWITCHBOARD_NODES ?? 0);
  if (!count || options.some((option) => ALONE.includes(option))) return startServerAt("127.0.0.1:0", ...options);
  const { startNodes } = await import("./nodes.mjs");
  return startNodes(count, ...options);
}

/**
 * The same at an address of one's choice, such as that of a server which has ended.
 * @param {string} address
 * @param {...string} options
 * @returns {Promise<Server>}
 */
export async function startServerAt(address, ...options) {
  // The server refuses variables that begin with its name and are none of its options.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("SWITCHBOARD_")));
  // Everything is logged, and nothing secret may be.
  env.RUST_LOG = "trace";
  hideOptions(options);
  const child = spawn(binary(), ["--listen", address, ...options], { env, stdio: ["ignore", "ignore", "pipe"] });
  const checkLog = searchLog(child.stderr);
  const end = endWithUs(child);
  const stop = async () => {
    await end();
    checkLog();
  };
  const close = async () => {
    const ended = once(child, "exit", { signal: AbortSignal.timeout(END_MS) });
    child.kill("SIGTERM");
    const [code] = await ended;
    checkLog();
    return code;
  };
  const whilePaused = async (act) => {
    child.kill("SIGSTOP");
    try {
      await act();
    } finally {
      child.kill("SIGCONT");
    }
  };
  let said = "";
  try {
    const url = await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the server did not say where it listens within ${START_MS} ms: ${said}`)), START_MS);
      const settle = (act, value) => {
        clearTimeout(timer);
        act(value);
      };
      child.once("error", (error) => settle(reject, error));
      child.once("exit", (code) => settle(reject, new Error(`the server ended with ${code}: ${said}`)));
      child.stderr.on("data", (chunk) => {
        said = (said + chunk).slice(-8192);
        // Only a whole line, since half an address is another address.
        const line = /listening on (https?:\/\/127\.0\.0\.1:\d+)\s*\n/.exec(said);
        if (line) settle(resolve, line[1]);
      });
    });
    await servesThisTree(url);
    return { url, stop, close, whilePaused };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * A release build carries the pages within it; an older one would be tested in place of the present ones.
 * @param {string} url
 */
async function servesThisTree(url) {
  const files = (await readdir(WEB, { recursive: true })).filter((file) => /^(client|demo|check|console)\/.*\.js$/.test(file));
  for (const file of files) {
    const served = await load(`${url}/${file}`);
    if (served !== (await readFile(WEB + file, "utf8"))) {
      throw new Error(`the server's ${file} is not the one in web/: build the server anew`);
    }
  }
}

/** What is served at an address, by whatever certificate. @param {string} url @returns {Promise<string>} */
export async function load(url) {
  const { get } = url.startsWith("https:") ? https : http;
  const [response] = await once(get(url, { rejectUnauthorized: false, agent: false }), "response");
  response.setEncoding("utf8");
  let text = "";
  for await (const chunk of response) text += chunk;
  return text;
}
