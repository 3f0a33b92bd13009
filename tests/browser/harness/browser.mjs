/** Headless Chromium for calls over the loopback: each browser with a profile of its own. */

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endWithUs } from "./processes.mjs";

const EXECUTABLE = process.env.CHROMIUM ?? "/usr/bin/chromium";

const CLEAR_MS = 10_000;

const FLAGS = [
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
  // Nothing but the loopback has a name.
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

async function puppeteer() {
  try {
    return (await import("puppeteer-core")).default;
  } catch (error) {
    throw new Error("puppeteer-core is missing: run \"npm ci\" in tests/browser", { cause: error });
  }
}

/**
 * @param {{camera?: boolean}} options camera: whether the page is allowed the (fake) camera
 * @returns {Promise<{browser: import("puppeteer-core").Browser, kill: () => Promise<void>}>}
 */
export async function startBrowser({ camera = true } = {}) {
  if (!existsSync(EXECUTABLE)) throw new Error(`no browser at ${EXECUTABLE}: install chromium (apt-get install chromium), or set CHROMIUM`);
  // Profile and temporary files in one place, which a browser that is killed can't clear away itself.
  const home = mkdtempSync(join(tmpdir(), "switchboard-browser-"));
  const clearAtLast = () => rmSync(home, { recursive: true, force: true });
  process.on("exit", clearAtLast);
  const browser = await (await puppeteer()).launch({
    executablePath: EXECUTABLE,
    headless: true,
    userDataDir: join(home, "profile"),
    env: { ...process.env, TMPDIR: home },
    args: [
      ...FLAGS,
      "--disable-features=WebRtcHideLocalIpsWithMdns",
      camera ? "--use-fake-ui-for-media-stream" : "--deny-permission-prompts",
    ],
    // Visitors have the back/forward cache, so the tests do too.
    ignoreDefaultArgs: ["--disable-back-forward-cache"],
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
