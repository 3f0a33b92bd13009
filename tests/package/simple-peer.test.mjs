/** The simple-peer example, with simple-peer as npm has it, in real browsers. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startBrowser } from "../browser/harness/browser.mjs";
import { startServer } from "../browser/harness/server.mjs";
import { DEADLINE_MS, visit } from "./harness/guest.mjs";
import { openSite } from "./harness/site.mjs";

const ROUNDS = 20;

let server, site, chromium;
before(async () => {
  server = await startServer();
  site = await openSite({ server: server.url });
  chromium = await startBrowser();
});
after(async () => {
  await chromium?.kill();
  site?.close();
  await server?.stop();
});

const both = (t, room) => Promise.all([1, 2].map(() => visit(t, chromium.browser, `${site.url}/simple-peer/#${room}`)));

test("two pages have media and data both ways, and hang up with a word to the other", async (t) => {
  const [ada, bob] = await both(t, "talk");
  await Promise.all([ada, bob].map((guest) => guest.logged("connected")));
  await Promise.all([ada, bob].map((guest) => guest.sees()));
  await ada.say("from ada");
  await bob.logged("they say: from ada");
  await bob.say("from bob");
  await ada.logged("they say: from bob");
  await ada.page.click("#hangup");
  await Promise.all([ada, bob].map((guest) => guest.page.waitForFunction(() => document.getElementById("log").textContent.includes("ended: hangup"), { timeout: DEADLINE_MS })));
  for (const guest of [ada, bob]) {
    assert.equal((await guest.log()).filter((line) => line.startsWith("ended")).length, 1, "an end is told once");
    assert.deepEqual(guest.errors, []);
  }
});

test("closing a tab is told to the other with the reason", async (t) => {
  const [ada, bob] = await both(t, "close");
  await Promise.all([ada, bob].map((guest) => guest.logged("connected")));
  const since = Date.now();
  await ada.leave();
  await bob.logged("ended: left, by them");
  t.diagnostic(`told after ${Date.now() - since} ms`);
  assert.deepEqual(bob.errors, []);
});

test(`peers that join at once connect without a hitch, ${ROUNDS} times of ${ROUNDS}`, async (t) => {
  const guests = await Promise.all([1, 2].map((n) => visit(t, chromium.browser, `${site.url}/simple-peer/#alone-${n}`)));
  const times = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    const since = Date.now();
    const initiators = await Promise.all(guests.map((guest) => guest.page.evaluate(meet, server.url, `glare-${round}`, DEADLINE_MS)));
    times.push(Date.now() - since);
    assert.deepEqual(initiators.toSorted(), [false, true], "one of them offered");
    await Promise.all(guests.map((guest) => guest.page.evaluate(() => globalThis.round.leave())));
  }
  for (const guest of guests) assert.deepEqual(guest.errors, []);
  times.sort((a, b) => a - b);
  t.diagnostic(`data both ways after ${times[0]} to ${times.at(-1)} ms, in the middle ${times[ROUNDS / 2]} ms`);
});

/** Runs in the page: settles when a word has come, and fails on any error or end before. */
async function meet(url, name, deadlineMs) {
  const { join } = await import(`${url}/client/switchboard.js`);
  const { connectSimplePeer } = await import(`${url}/client/adapters/simple-peer.js`);
  const room = (globalThis.round = await join(url, name, { remember: false }));
  return new Promise((resolve, reject) => {
    const call = (id) => {
      const peer = connectSimplePeer(SimplePeer, room, id);
      peer.on("connect", () => peer.send("hello"));
      peer.on("data", () => resolve(peer.initiator));
      peer.on("error", reject);
      peer.on("ended", ({ reason }) => reject(new Error(`ended: ${reason}`)));
    };
    for (const id of room.peers.keys()) call(id);
    room.addEventListener("peer-joined", ({ detail }) => call(detail.peer));
    setTimeout(() => reject(new Error(`no word after ${deadlineMs} ms`)), deadlineMs);
  });
}
