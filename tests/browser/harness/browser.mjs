/** Headless browsers for calls over the loopback, each with a profile of its own. */

import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endWithUs } from "./processes.mjs";

const CLEAR_MS = 10_000;

/** @typedef {"chromium"|"firefox"} Kind */

/** The browser that tests are run in where they do not say in which. */
export const KIND = /** @type {Kind} */ (process.env.BROWSER ?? "chromium");

/** Why a test that takes long, by clocks that are no browser's, is left to one browser; false in that one. */
export const LONG = KIND !== "chromium" && "it takes long by clocks that are no browser's, and is run in Chromium";

/** @type {Record<Kind, {path: string, install: string}>} */
const PROGRAMS = {
  chromium: { path: process.env.CHROMIUM ?? "/usr/bin/chromium", install: "install chromium (apt-get install chromium), or set CHROMIUM" },
  firefox: { path: process.env.FIREFOX ?? "/usr/bin/firefox-esr", install: "install firefox-esr (apt-get install firefox-esr), or set FIREFOX" },
};

const CHROMIUM_FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Without this and addresses in the open there are no candidates where the loopback is the only network.
  "--allow-loopback-in-peer-connection",
  "--use-fake-device-for-media-stream",
];

const FIREFOX_PREFERENCES = {
  // As above: candidates on the loopback, in the open, and a camera that is none.
  "media.peerconnection.ice.loopback": true,
  "media.peerconnection.ice.obfuscate_host_addresses": false,
  "media.navigator.streams.fake": true,
  "media.autoplay.default": 0,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
};

async function puppeteer() {
  try {
    return (await import("puppeteer-core")).default;
  } catch (error) {
    throw new Error("puppeteer-core is missing: run \"npm ci\" in tests/browser", { cause: error });
  }
}

/**
 * @param {object} options
 * @param {Kind} [options.kind] that of the environment's BROWSER where left out, or else Chromium
 * @param {"light"|"dark"} [options.scheme] the colours that its user prefers
 * @param {boolean} [options.camera] whether the page is allowed the (fake) camera
 * @param {{host: string, port: number}} [options.proxy] an HTTP proxy for all requests, those to the loopback too
 * @param {boolean} [options.insecure] whether certificates that nobody has signed are taken
 * @param {string[]} [options.flags] more of Chromium's own
 * @param {{namespace: string, origin: string}} [options.within] a network namespace to run in, and the one site there,
 * which is taken for a secure one; Chromium only, since it is led through a pipe
 * @returns {Promise<{browser: import("puppeteer-core").Browser, kill: () => Promise<void>}>}
 */
export async function startBrowser({ kind = KIND, scheme = "light", camera = true, proxy, insecure = false, flags = [], within } = {}) {
  const program = PROGRAMS[kind];
  if (!program) throw new Error(`no such browser: ${kind}; known are ${Object.keys(PROGRAMS).join(" and ")}`);
  if (!existsSync(program.path)) throw new Error(`no browser at ${program.path}: ${program.install}`);
  // Profile and temporary files in one place, which a browser that is killed can't clear away itself.
  const home = mkdtempSync(join(tmpdir(), "switchboard-browser-"));
  const clearAtLast = () => rmSync(home, { recursive: true, force: true });
  process.on("exit", clearAtLast);
  const browser = await (await puppeteer()).launch({
    executablePath: within ? entrance(home, within.namespace, program.path) : program.path,
    headless: true,
    acceptInsecureCerts: insecure,
    userDataDir: join(home, "profile"),
    env: { ...process.env, HOME: home, TMPDIR: home },
    ...(kind === "firefox" ? firefox({ scheme, camera, proxy }) : chromium({ scheme, camera, proxy, insecure, flags, within })),
  });
  const end = endWithUs(/** @type {import("node:child_process").ChildProcess} */ (browser.process()), { group: true });
  const kill = async () => {
    await end();
    await clear(home);
    process.off("exit", clearAtLast);
  };
  return { browser, kill };
}

/**
 * A program that is the given one within a network namespace.
 * @param {string} home @param {string} namespace @param {string} program
 */
function entrance(home, namespace, program) {
  const path = join(home, "enter");
  writeFileSync(path, `#!/bin/sh\nexec ip netns exec ${namespace} ${program} "$@"\n`, { mode: 0o755 });
  return path;
}

/** @returns {import("puppeteer-core").LaunchOptions} */
function chromium({ scheme, camera, proxy, insecure, flags, within }) {
  return {
    // Its own loopback is out of reach from here.
    ...(within ? { pipe: true } : {}),
    args: [
      ...CHROMIUM_FLAGS,
      // Nothing but the loopback has a name, and the one site in a namespace.
      `--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1${within ? `, EXCLUDE ${new URL(within.origin).hostname}` : ""}`,
      // A page that may not ask for the camera is not told of its networks, and binds to none of them.
      ...(within ? [`--unsafely-treat-insecure-origin-as-secure=${within.origin}`] : []),
      "--disable-features=WebRtcHideLocalIpsWithMdns",
      `--blink-settings=preferredColorScheme=${scheme === "dark" ? 0 : 1}`,
      camera ? "--use-fake-ui-for-media-stream" : "--deny-permission-prompts",
      // Also those of relays, which no page is asked about.
      ...(insecure ? ["--ignore-certificate-errors"] : []),
      ...flags,
      ...(proxy ? [`--proxy-server=http://${proxy.host}:${proxy.port}`, "--proxy-bypass-list=<-loopback>"] : []),
    ],
    // Visitors have the back/forward cache, so the tests do too.
    ignoreDefaultArgs: ["--disable-back-forward-cache"],
  };
}

/** @returns {import("puppeteer-core").LaunchOptions} */
function firefox({ scheme, camera, proxy }) {
  const way = proxy && {
    "network.proxy.type": 1,
    "network.proxy.http": proxy.host,
    "network.proxy.http_port": proxy.port,
    "network.proxy.ssl": proxy.host,
    "network.proxy.ssl_port": proxy.port,
    "network.proxy.allow_hijacking_localhost": true,
    "network.proxy.no_proxies_on": "",
  };
  return {
    browser: "firefox",
    extraPrefsFirefox: {
      ...FIREFOX_PREFERENCES,
      "layout.css.prefers-color-scheme.content-override": scheme === "dark" ? 0 : 1,
      "media.navigator.permission.disabled": camera,
      "permissions.default.camera": camera ? 1 : 2,
      "permissions.default.microphone": camera ? 1 : 2,
      ...way,
    },
  };
}

/**
 * The last of a browser's processes may still write while the first has ended.
 * @param {string} directory
 */
async function clear(directory) {
  for (const deadline = Date.now() + CLEAR_MS; ; ) {
    try {
      return await rm(directory, { recursive: true, force: true });
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}
