/** The simple-peer example, with simple-peer as npm has it, in real browsers. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startBrowser } from "../browser/harness/browser.mjs";
import { startServer } from "../browser/harness/server.mjs";
import { visit } from "./harness/guest.mjs";
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
  await Promise.all([ada, bob].map((guest) => guest.page.waitForFunction(() => document.getElementById("log").textContent.includes("ended: hangup"))));
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

test(`pages that join at once connect without a hitch, ${ROUNDS} times of ${ROUNDS}`, async (t) => {
  const times = [];
  const guests = await both(t, "glare-0");
  for (let round = 1; round <= ROUNDS; round += 1) {
    await t.test(`round ${round}`, async (t) => {
      await Promise.all(guests.map((guest) => guest.go(`${site.url}/simple-peer/#glare-${round}`)));
      const since = Date.now();
      await Promise.all(guests.map((guest) => guest.logged("connected")));
      times.push(Date.now() - since);
      for (const guest of guests) {
        assert.deepEqual(await guest.log(), ["connected"], "one connection, no error, no end");
        assert.deepEqual(guest.errors, []);
      }
    });
  }
  times.sort((a, b) => a - b);
  t.diagnostic(`connected after ${times[0]} to ${times.at(-1)} ms, in the middle ${times[ROUNDS / 2]} ms`);
});
