/**
 * Calls that find no way, between real browsers: what the operators' console says of them. In the one case each browser is a machine
 * of its own in a small internet of network namespaces, and what one sends does not reach the other.
 */

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startBrowser } from "./harness/browser.mjs";
import { Caller } from "./harness/caller.mjs";
import { Console, OPERATOR } from "./harness/console.mjs";
import { Internet } from "./harness/netns.mjs";
import { binary, startServer } from "./harness/server.mjs";

const PEERS = ["ada", "bob"];

// Says so where the binary is not that of this tree.
before(async () => (await startServer()).stop());

/** Browsers and this client each wait before they say that there is no way: half a minute in all, on a busy machine. */
const PATIENCE_MS = 90_000;

/** A console that waits so long. @param {import("puppeteer-core").Browser} browser @param {string} url */
async function operate(browser, url) {
  const page = await Console.page(browser);
  page.page.setDefaultTimeout(PATIENCE_MS);
  return page.open(url);
}

/** Both in a room, and a call between them. @param {Caller[]} sides @param {string} url @param {string} room */
async function call(sides, url, room) {
  await Promise.all(sides.map((side, n) => side.enter(`${url}/livez?`, url, { room, peer: PEERS[n] })));
  await Promise.all(sides.map((side, n) => side.calls(PEERS[1 - n])));
}

test("two whose networks do not reach each other: that ICE failed, what there was to try, and that it was no hang-up", async (t) => {
  const internet = new Internet();
  t.after(() => internet.close());
  const machines = PEERS.map((peer) => internet.machine(peer));
  const ways = machines.map((machine) => machine.plug());
  for (const [n, machine] of machines.entries()) machine.connect(ways[n]);
  internet.part(ways[0], ways[1]);
  internet.part(ways[1], ways[0]);
  t.after(await internet.serve(binary(), "--operator-token", OPERATOR));
  const browsers = await Promise.all(machines.map(async ({ namespace }) => {
    const { browser, kill } = await startBrowser({ kind: "chromium", within: { namespace, origin: internet.url } });
    t.after(kill);
    return browser;
  }));
  const page = await operate(browsers[0], internet.url);
  const sides = await Promise.all(browsers.map((browser) => Caller.page(browser)));
  await call(sides, internet.url, "apart");
  await page.room("apart");
  const side = "(ada|bob) \\(found host\\)";
  await page.verdict(new RegExp(`^answered after .+, never connected; ICE failed at ${side} and ${side} after .+, no relay on either side$`));
  await page.lists(/^apart: 2 peers · 1 session, 1 failed$/);
  for (const peer of PEERS) assert.match((await page.row({ kind: "ice", peer, ice: "failed" })).words, /ICE failed · found host/);
  // It is looked for on, and somebody loses patience.
  assert.notEqual(await sides[1].page.evaluate(() => window.call.state), "ended");
  await sides[1].page.evaluate(() => window.call.hangup());
  await page.verdict(/^answered after .+, never connected; ICE failed at .+; bob gave up after .+$/);
  // Of a ladder that is longer than the window the end is shown, but to who picks the session where it went wrong.
  await page.page.$eval("#ladder-scroll", (ladder) => Object.assign(/** @type {HTMLElement} */ (ladder).style, { flex: "none", height: "160px" }));
  const isFaultSeen = () => {
    const [view, lanes, fault] = ["#ladder-scroll", "#ladder-lanes", "#ladder .row.bad"].map((part) => document.querySelector(part).getBoundingClientRect());
    return fault.top >= lanes.bottom && fault.bottom <= view.bottom;
  };
  await page.page.$eval("#ladder-scroll", (ladder) => ladder.scrollTo(0, ladder.scrollHeight));
  await page.when(() => document.getElementById("newest").hidden);
  assert.equal(await page.page.evaluate(isFaultSeen), false);
  await page.page.click("#sessions [data-session] button");
  await page.when(isFaultSeen);
  assert.deepEqual(page.errors, []);
});

test("two whose browsers find no candidate: so it is said, although each sends that these were all", async (t) => {
  const server = await startServer("--operator-token", OPERATOR);
  t.after(server.stop);
  // As a policy has it that lets no UDP pass but through a proxy.
  const { browser, kill } = await startBrowser({ kind: "chromium", flags: ["--webrtc-ip-handling-policy=disable_non_proxied_udp"] });
  t.after(kill);
  const page = await operate(browser, server.url);
  const sides = await Promise.all(PEERS.map(() => Caller.page(browser)));
  await call(sides, server.url, "silent");
  await page.room("silent");
  await page.row({ kind: "arrow", type: "candidate", from: "bob" });
  await page.verdict(/^answered after .+, no candidate from (ada|bob), nor from (ada|bob); ICE failed at (ada|bob) and (ada|bob) after .+, no relay on either side$/);
  // The browser says nothing of it to the page; the client does.
  for (const side of sides) assert.equal(await side.page.evaluate(() => window.call.state), "failed");
  assert.match((await page.row({ kind: "ice", peer: "ada", ice: "failed" })).words, /found no candidate/);
  assert.deepEqual(page.errors, []);
});
