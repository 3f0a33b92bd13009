/** HTTP/2 from the server itself: two pages signal over it, and the check says so. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startBrowser } from "./harness/browser.mjs";
import { makeCertificate } from "./harness/certificate.mjs";
import { startServer } from "./harness/server.mjs";

/** @type {Awaited<ReturnType<typeof startBrowser>>} */
let started;
/** @type {Awaited<ReturnType<typeof startServer>>} */
let server;
before(async () => {
  const { cert, key } = makeCertificate();
  server = await startServer("--tls-cert", cert, "--tls-key", key);
  started = await startBrowser({ insecure: true });
});
after(async () => {
  await started?.kill();
  await server?.stop();
});

/** A page that joins and reads by an EventSource. @param {string} peer */
async function enter(peer) {
  const page = await started.browser.newPage();
  await page.goto(`${server.url}/problems/draining`);
  await page.evaluate(async (peer) => {
    const joined = await (await fetch("/rooms/two/peers", { method: "POST", body: JSON.stringify({ peer }) })).json();
    const heard = [];
    const events = new EventSource(`/rooms/two/peers/${peer}/events?ticket=${joined.ticket}`);
    events.addEventListener("signal", (event) => heard.push(JSON.parse(event.data).data));
    await new Promise((resolve) => events.addEventListener("ready", resolve));
    const say = async (to, data) => {
      const answer = await fetch(`/rooms/two/peers/${peer}/signals`, {
        method: "POST", headers: { authorization: `Bearer ${joined.token}` }, body: JSON.stringify({ to, type: "n", data }),
      });
      // Only an answer that was read has its entry.
      await answer.text();
      return answer.status;
    };
    Object.assign(globalThis, { heard, say, events });
  }, peer);
  return page;
}

test("two pages signal over HTTP/2", async () => {
  const [ada, bob] = [await enter("ada"), await enter("bob")];
  for (let n = 0; n < 20; n++) {
    assert.equal(await ada.evaluate((n) => globalThis.say("bob", n), n), 202);
    assert.equal(await bob.evaluate((n) => globalThis.say("ada", n), n), 202);
  }
  for (const page of [ada, bob]) {
    await page.waitForFunction(() => globalThis.heard.length === 20);
    assert.deepEqual(await page.evaluate(() => globalThis.heard), Array.from({ length: 20 }, (_, n) => n));
    const spoken = await page.evaluate(() => performance.getEntriesByType("resource").map((entry) => entry.nextHopProtocol));
    assert.ok(spoken.length >= 21 && spoken.every((one) => one === "h2"), `${spoken}`);
    await page.close();
  }
});

test("the check page says which version its way has", async () => {
  const page = await started.browser.newPage();
  await page.goto(`${server.url}/check`);
  await page.waitForSelector("html[data-usable]", { timeout: 40_000 });
  await page.waitForFunction(() => document.body.innerText.includes("HTTP/2 at both ends"));
  await page.close();
});
