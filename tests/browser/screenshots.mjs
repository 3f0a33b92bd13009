/**
 * Makes pictures of the pages for people to look at: `node screenshots.mjs DIRECTORY [call|check]`.
 * Alone, two and three in a call, how their connections run, and after the other left; the check in a good network and in bad
 * ones; narrow and wide, light and dark.
 */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { startCutter, startScanner } from "./check/ways.mjs";
import { startBrowser } from "./harness/browser.mjs";
import { startRelay } from "./harness/coturn.mjs";
import { Demo } from "./harness/demo.mjs";
import { startServer } from "./harness/server.mjs";

const SIZES = { narrow: { width: 390, height: 844 }, wide: { width: 1440, height: 900 } };
const SCHEMES = ["light", "dark"];
const MEDIA_MS = 700;
const CHECK_MS = 180_000;
const SILENCE_MS = 8000;
/** For a plot with something to see. */
const PLOT_MS = 45_000;
const SECRET = "a-secret-of-server-and-relay";

const [directory, only] = process.argv.slice(2);
if (!directory) {
  console.error("usage: node screenshots.mjs DIRECTORY [call|check]");
  process.exit(2);
}
await mkdir(directory, { recursive: true });

const relay = await startRelay(undefined, { secret: SECRET });
const server = await startServer("--ice-server", relay.server.urls, "--turn-secret", SECRET);
const chromium = await startBrowser();

/** @param {string} name @param {{page: import("puppeteer-core").Page}} demo @param {boolean} fullPage */
async function shoot(name, demo, fullPage = false) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const scheme of SCHEMES) {
      await demo.page.setViewport(viewport);
      await demo.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      // Pictures and fades get the time to arrive; nothing depends on it but beauty.
      await new Promise((resolve) => setTimeout(resolve, MEDIA_MS));
      const path = join(directory, `${name}-${size}-${scheme}.png`);
      await demo.page.screenshot({ path, fullPage });
      console.log(path);
    }
  }
}

async function calls() {
  const room = "copper-heron-417";
  const lobby = await Demo.page(chromium.browser);
  await lobby.page.goto(`${server.url}/?name=Ada%20Lovelace#${room}`);
  await lobby.until(`html[data-ready="true"]`);
  await shoot("lobby", lobby);

  const call = (peer, name, picture = true) => Demo.join(chromium.browser, server.url, { room, peer, name, picture });
  const ada = await call("ada", "Ada Lovelace");
  await shoot("alone", ada);

  const grace = await call("grace", "Grace Hopper");
  await ada.connectedWith("grace");
  await grace.say("Hello Ada, can you hear me?");
  await ada.hears("Hello Ada, can you hear me?");
  await ada.say("Loud and clear. And not a WebSocket in sight.");
  await grace.hears("Loud and clear. And not a WebSocket in sight.");
  await shoot("call-of-two", ada);
  await new Promise((resolve) => setTimeout(resolve, PLOT_MS));
  await ada.press("relay-only");
  await new Promise((resolve) => setTimeout(resolve, SILENCE_MS));
  await ada.pressOnTile("grace", "tile-way-badge");
  await shoot("way-of-two", ada);
  await shoot("way-of-two-whole", ada, true);

  const katherine = await call("katherine", "Katherine Johnson", false);
  await ada.connectedWith("katherine");
  await katherine.press("mic");
  await katherine.say("The proxy here blocks them, so this is quite something.");
  await ada.seesMove("katherine");
  await shoot("call-of-three", ada);
  await ada.pressOnTile("katherine", "tile-way-badge");
  await shoot("ways-of-three", ada);

  await katherine.press("leave");
  await ada.tile("katherine", `[data-state="ended"]`);
  await shoot("one-left", ada);
}

/** @param {string} name @param {string} url @param {{turn?: string, early?: boolean}} [options] */
async function check(name, url, { turn, early = false } = {}) {
  const context = await chromium.browser.createBrowserContext();
  const page = await context.newPage();
  await page.goto(`${url}/check`);
  if (turn) {
    await page.type("#turn-url", turn);
    await page.type("#turn-username", "ada");
    await page.type("#turn-credential", "secret");
    await page.click("#turn-start");
  }
  if (early) {
    await page.waitForSelector(`html[data-phase="silence"]`, { timeout: CHECK_MS });
    await new Promise((resolve) => setTimeout(resolve, SILENCE_MS));
  } else await page.waitForSelector(`html[data-phase="done"]`, { timeout: CHECK_MS });
  await shoot(name, { page }, true);
  await context.close();
}

async function checks() {
  const scanner = await startScanner(server.url);
  const cutter = await startCutter(server.url, 5000);
  try {
    await Promise.all([
      check("check-running", server.url, { early: true }),
      check("check-good", server.url),
      check("check-scanner", scanner.url),
      check("check-cut", cutter.url),
      check("check-turn-unreachable", server.url, { turn: "turn:127.0.0.1:9" }),
    ]);
  } finally {
    await Promise.all([scanner.close(), cutter.close()]);
  }
}

try {
  if (only !== "check") await calls();
  if (only !== "call") await checks();
} finally {
  await chromium.kill();
  await server.stop();
  await relay.kill();
}
