/** Pages of WebKitGTK, driven over WebDriver, with as much of the shape of puppeteer's pages as a visitor uses. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { endWithUs } from "./processes.mjs";

const START_MS = 30_000;
const ANSWER_MS = 60_000;
const LOOK_EVERY_MS = 50;
const LIBRARIES = "/usr/lib";

/** The browser comes with the library, in a folder of the architecture and of the library's version. */
function miniBrowser() {
  if (process.env.MINIBROWSER) return process.env.MINIBROWSER;
  for (const architecture of readdirSync(LIBRARIES)) {
    for (const version of ["4.1", "4.0"]) {
      const path = join(LIBRARIES, architecture, `webkit2gtk-${version}`, "MiniBrowser");
      if (existsSync(path)) return path;
    }
  }
  throw new Error(`no MiniBrowser under ${LIBRARIES}: install webkit2gtk-driver (apt-get install webkit2gtk-driver), or set MINIBROWSER`);
}

/**
 * @param {string} program @param {string} debian the package that brings it
 * @param {string[]} options @param {import("node:child_process").SpawnOptions} how
 */
async function start(program, debian, options, how) {
  const child = spawn(program, options, how);
  try {
    await once(child, "spawn");
  } catch (error) {
    throw new Error(`${program} does not start: install ${debian} (apt-get install ${debian})`, { cause: error });
  }
  return child;
}

/** A screen that nobody looks at. @returns {Promise<{name: string, close: () => Promise<void>}>} */
export async function startDisplay() {
  const child = await start("Xvfb", "xvfb", ["-displayfd", "3", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"], { stdio: ["ignore", "ignore", "ignore", "pipe"] });
  const close = endWithUs(child);
  const [number] = await once(/** @type {import("node:stream").Readable} */ (child.stdio[3]), "data", { signal: AbortSignal.timeout(START_MS) });
  return { name: `:${String(number).trim()}`, close };
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  server.close();
  await once(server, "close");
  return port;
}

/** A driver with one browser of one window. */
export class WebKitPage {
  #session = "";
  #url;
  #kill;
  #timeout = ANSWER_MS;

  /** @param {string} url of the driver @param {() => Promise<void>} kill */
  constructor(url, kill) {
    this.#url = url;
    this.#kill = kill;
  }

  /** @param {{name: string}} display */
  static async open(display) {
    const binary = miniBrowser();
    const home = mkdtempSync(join(tmpdir(), "switchboard-webkit-"));
    const clearAtLast = () => rmSync(home, { recursive: true, force: true });
    process.on("exit", clearAtLast);
    const env = { PATH: process.env.PATH, HOME: home, TMPDIR: home, XDG_RUNTIME_DIR: home, DISPLAY: display.name, GDK_BACKEND: "x11", NO_AT_BRIDGE: "1" };
    const port = await freePort();
    const driver = await start("WebKitWebDriver", "webkit2gtk-driver", ["--host=127.0.0.1", `--port=${port}`], { env, stdio: "ignore", detached: true });
    const end = endWithUs(driver, { group: true });
    const page = new WebKitPage(`http://127.0.0.1:${port}`, async () => {
      await end();
      await rm(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
      process.off("exit", clearAtLast);
    });
    try {
      await page.#begin(binary);
    } catch (error) {
      await page.kill();
      throw error;
    }
    return page;
  }

  /** @param {string} binary */
  async #begin(binary) {
    const browser = { "webkitgtk:browserOptions": { binary, args: ["--automation"] } };
    for (const deadline = Date.now() + START_MS; ; await delay(LOOK_EVERY_MS)) {
      try {
        await fetch(`${this.#url}/status`);
        break;
      } catch (error) {
        if (Date.now() > deadline) throw new Error("WebKitWebDriver does not answer", { cause: error });
      }
    }
    const { sessionId, capabilities } = await this.#ask("POST", "/session", { capabilities: { alwaysMatch: browser } });
    this.#session = `/session/${sessionId}`;
    this.version = capabilities.browserVersion;
  }

  /** @param {string} method @param {string} path @param {unknown} [body] */
  async #ask(method, path, body) {
    const response = await fetch(this.#url + path, {
      method,
      headers: { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const { value } = await response.json();
    if (!response.ok) throw new Error(`${method} ${path} failed: ${value?.error}: ${value?.message}`);
    return value;
  }

  /** The protocol has no such events. */
  on() {}

  /** @param {number} ms */
  setDefaultTimeout(ms) {
    this.#timeout = ms;
  }

  /** Runs it in the page; what it promises is waited for. @param {(...given: any[]) => unknown} run @param {...unknown} given */
  evaluate(run, ...given) {
    return this.#ask("POST", `${this.#session}/execute/sync`, { script: `return (${run})(...arguments)`, args: given });
  }

  /** @param {(...given: any[]) => unknown} condition @param {object} _ @param {...unknown} given */
  async waitForFunction(condition, _, ...given) {
    for (const deadline = Date.now() + this.#timeout; ; await delay(LOOK_EVERY_MS)) {
      const value = await this.evaluate(condition, ...given);
      if (value) return { jsonValue: async () => value };
      if (Date.now() > deadline) throw new Error(`timed out after ${this.#timeout} ms`);
    }
  }

  /** @param {string} selector */
  waitForSelector(selector) {
    return this.waitForFunction((wanted) => document.querySelector(wanted) !== null, {}, selector);
  }

  /** @param {string} selector @param {(element: any, ...given: any[]) => unknown} run */
  $eval(selector, run) {
    return this.#ask("POST", `${this.#session}/execute/sync`, { script: `return (${run})(document.querySelector(arguments[0]))`, args: [selector] });
  }

  /** A press as a user's: it scrolls there, and fails where something lies above. @param {string} selector */
  async click(selector) {
    const element = await this.#ask("POST", `${this.#session}/element`, { using: "css selector", value: selector });
    const [id] = Object.values(element);
    await this.#ask("POST", `${this.#session}/element/${id}/click`, {});
  }

  /** @param {string} url */
  goto(url) {
    return this.#ask("POST", `${this.#session}/url`, { url });
  }

  goBack() {
    return this.#ask("POST", `${this.#session}/back`, {});
  }

  reload() {
    return this.#ask("POST", `${this.#session}/refresh`, {});
  }

  /** Closes the one window that there is. */
  async close() {
    await this.#ask("DELETE", `${this.#session}/window`);
  }

  /** Ends the browser on the spot. */
  kill() {
    return this.#kill();
  }

  /** What a visitor closes at its end. */
  browserContext() {
    return { close: () => this.kill() };
  }
}
