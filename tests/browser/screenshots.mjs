/**
 * Makes pictures of the pages for people to look at: `node screenshots.mjs DIRECTORY [call|check|console]`.
 * Alone, two and three in a call, how their connections run, and after the other left; the check in a good network and in bad
 * ones; the operators' console over calls that went well and others; narrow and wide, light and dark.
 */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { startCutter, startScanner } from "./check/ways.mjs";
import { startBrowser } from "./harness/browser.mjs";
import { Console, OPERATOR } from "./harness/console.mjs";
import { startRelay } from "./harness/coturn.mjs";
import { Demo } from "./harness/demo.mjs";
import { startServer } from "./harness/server.mjs";
import { Wire } from "./harness/wire.mjs";

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
  console.error("usage: node screenshots.mjs DIRECTORY [call|check|console]");
  process.exit(2);
}
await mkdir(directory, { recursive: true });

const relay = await startRelay(undefined, { secret: SECRET });
const server = await startServer("--ice-server", relay.server.urls, "--turn-secret", SECRET, "--operator-token", OPERATOR, "--away-after", "1s", "--grace", "6s");
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

/** What goes on while somebody looks: @param {string} room @param {string[]} peers */
async function simulate(room, ...peers) {
  const wires = await Promise.all(peers.map((peer) => Wire.join(server.url, room, peer)));
  await Promise.all(wires.map((wire) => wire.reads()));
  return wires;
}

/** @param {Wire} one @param {Wire} other @param {string} session @param {string} [way] */
async function connects(one, other, session, way) {
  await one.say(other.peer, "offer", session, { sdp: "x".repeat(1700) });
  await one.candidates(other.peer, session, 5);
  await other.say(one.peer, "answer", session, { sdp: "x".repeat(1600) });
  await other.candidates(one.peer, session, 4);
  if (!way) return;
  for (const side of [one, other]) await side.report({ session, ice: "connected", way });
}

async function consoles() {
  const page = await Console.page(chromium.browser);
  await page.page.goto(`${server.url}/console`);
  await page.enter("somebody-elses-word");
  await page.page.waitForSelector("#door-error:not([hidden])");
  await shoot("console-door", page);
  await page.open(server.url);
  await page.reads("live");

  const demo = (peer, name) => Demo.join(chromium.browser, server.url, { room: "copper-heron-417", peer, name, picture: true });
  const [ada, grace] = [await demo("ada", "Ada Lovelace"), await demo("grace", "Grace Hopper")];
  await ada.connectedWith("grace");
  await page.room("copper-heron-417");
  await page.verdict(/^connected/);
  await new Promise((resolve) => setTimeout(resolve, SILENCE_MS));
  await grace.say("Hello Ada, can you hear me?");
  const katherine = await Wire.join(server.url, "copper-heron-417", "katherine");
  await katherine.reads();
  await ada.page.waitForFunction(() => document.querySelectorAll(".tile").length > 1);

  for (let n = 1; n <= 6; n += 1) {
    const [teacher, pupil] = await simulate(`lesson-${n}`, "teacher", "pupil");
    await connects(teacher, pupil, `lesson-${n}`, n % 3 ? "direct" : "relay-tls");
    if (n === 5) await teacher.leave();
  }
  const [alice, bob] = await simulate("help-desk", "alice", "bob");
  await alice.say("bob", "offer", "first", { sdp: "x".repeat(1500) });
  await alice.candidates("bob", "first", 6);
  await bob.say("alice", "answer", "first", { sdp: "x".repeat(1400) });
  await new Promise((resolve) => setTimeout(resolve, SILENCE_MS));
  await alice.report({ session: "first", ice: "failed" });
  await alice.say("bob", "bye", "first");
  await alice.isRefused("bob", "candidate", "first", 410);
  await connects(alice, bob, "second", "relay-tcp");
  await bob.say("", "chat");
  await bob.reads();
  bob.drops();
  const members = await simulate("all-hands", "anna", "boris", "clara", "dmitri", "elif");
  for (const [n, one] of members.entries()) for (const other of members.slice(n + 1)) await connects(one, other, `${one.peer}-${other.peer}`, "stun");
  await page.room("help-desk");
  await page.verdict(/bob lost/);
  await shoot("console-failed", page);
  await page.page.click(`#sessions [data-session="first"] button`);
  await shoot("console-session", page);
  await page.page.click("#close");
  await shoot("console-close", page);
  await page.page.keyboard.press("Escape");
  await page.room("copper-heron-417");
  await shoot("console-room", page);
  await shoot("console-room-whole", page, true);
  await page.room("all-hands");
  await shoot("console-many", page);
  await new Promise((resolve) => setTimeout(resolve, PLOT_MS));
  await page.overview();
  await page.isIn("overview");
  await shoot("console-overview", page);
}

try {
  if (!only || only === "call") await calls();
  if (!only || only === "check") await checks();
  if (!only || only === "console") await consoles();
} finally {
  await chromium.kill();
  await server.stop();
  await relay.kill();
}
