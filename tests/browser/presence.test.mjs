import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startBrowser } from "./harness/browser.mjs";
import { Demo } from "./harness/demo.mjs";
import { openGate } from "./harness/gate.mjs";
import { startServer, startServerAt } from "./harness/server.mjs";

let server;
let chromium;

before(async () => {
  server = await startServer("--away-after", "500ms", "--grace", "60s");
  chromium = await startBrowser();
});

after(async () => {
  await chromium?.kill();
  await server?.stop();
});

for (const transport of ["sse", "poll"]) {
  test(`a page that reloads is the same peer, and the call comes up again, on ${transport}`, async (t) => {
    const room = `reload-${transport}`;
    // No id in the address: only what the tab keeps makes it the same peer.
    const bob = await Demo.page(chromium.browser);
    const ada = await Demo.join(chromium.browser, server.url, { room, peer: "ada", transport });
    t.after(() => Promise.all([ada, bob].map(({ page }) => page.browserContext().close())));
    await bob.page.goto(`${server.url}/?autostart=1&picture=1&name=bob&transport=${transport}#${room}`);
    await bob.connectedWith("ada");
    const peer = await bob.page.evaluate(() => document.documentElement.dataset.peer);
    await ada.connectedWith(peer);
    await ada.note("session-ended", "peer-left", "peer-joined");

    await bob.page.reload();
    await bob.connectedWith("ada");
    await ada.noted("peer-joined", peer);
    await ada.connectedWith(peer);
    assert.equal(await bob.page.evaluate(() => document.documentElement.dataset.peer), peer);
    const [ended, left, joined] = await ada.notes();
    assert.deepEqual([ended.event, left.event, joined.event], ["session-ended", "peer-left", "peer-joined"]);
    assert.ok(["left", "rejoined"].includes(left.detail.reason), left.detail.reason);
    assert.equal(ended.detail.reason, left.detail.reason);

    await bob.say("back again");
    await ada.hears("back again");
    await ada.seesMove(peer);
    assert.equal((await ada.notes()).length, 3);

    await bob.press("leave");
    await ada.tile(peer, `[data-state="ended"][data-reason="left"]`);
    await bob.until(`[data-view="lobby"]`);
  });

  test(`a page that loses the network is away, and back when it has it again, on ${transport}`, async (t) => {
    const room = `offline-${transport}`;
    const ada = await Demo.join(chromium.browser, server.url, { room, peer: "ada" });
    const gate = await openGate(server.url);
    const bob = await Demo.join(chromium.browser, gate.url, { room, peer: "bob", transport });
    t.after(async () => {
      await Promise.all([ada, bob].map(({ page }) => page.browserContext().close()));
      gate.close();
    });
    await Promise.all([ada.connectedWith("bob"), bob.connectedWith("ada")]);
    await ada.note("session-ended", "peer-away", "peer-back", "peer-left", "peer-joined");

    gate.cut();
    await ada.tile("bob", `[data-presence="away"]`);
    assert.equal(await ada.textOnTile("bob", "tile-state"), "Away, may come back");
    await bob.until(`[data-signaling="reconnecting"]`);
    // The media do not pass through the server, so the call goes on without it.
    await ada.say("only the signaling is gone");
    await bob.hears("only the signaling is gone");

    gate.mend();
    await ada.tile("bob", `[data-presence="live"][data-state="connected"]`);
    await bob.until(`[data-signaling="open"]`);
    assert.deepEqual((await ada.notes()).map(({ event, detail }) => `${event} ${detail.peer}`), ["peer-away bob", "peer-back bob"]);
  });
}

for (const transport of ["sse", "poll"]) {
  test(`after a server came back that knows nobody, both join again by themselves and the call is up, on ${transport}`, async (t) => {
    const first = await startServer();
    t.after(() => first.stop());
    const [ada, bob] = await Promise.all(["ada", "bob"].map((peer) => Demo.join(chromium.browser, first.url, { room: "restart", peer, transport })));
    t.after(() => Promise.all([ada, bob].map(({ page }) => page.browserContext().close())));
    await Promise.all([ada.connectedWith("bob"), bob.connectedWith("ada")]);
    await ada.note("rejoined");
    await first.stop();
    await Promise.all([ada, bob].map((demo) => demo.until(`[data-signaling="reconnecting"]`)));
    await ada.say("the server is gone, we are not");
    await bob.hears("the server is gone, we are not");

    const second = await startServerAt(new URL(first.url).host);
    t.after(() => second.stop());
    await ada.page.waitForFunction(() => window.notes.length > 0);
    await Promise.all([ada, bob].map((demo) => demo.until(`[data-signaling="open"]`)));
    await Promise.all([ada.connectedWith("bob"), bob.connectedWith("ada")]);
    await bob.say("here again");
    await ada.hears("here again");
  });
}

test("a duplicated tab is somebody else and does not push the first one out", async (t) => {
  const room = "twice";
  const first = await Demo.page(chromium.browser);
  const context = first.page.browserContext();
  t.after(() => context.close());
  await first.page.goto(`${server.url}/?autostart=1&picture=1&name=first#${room}`);
  await first.until(`[data-signaling="open"]`);
  const [second] = await Promise.all([
    new Promise((resolve) => first.page.once("popup", resolve)),
    // A window that a page opens begins with a copy of its sessionStorage, as a duplicated tab does.
    first.page.evaluate(() => void window.open(location.href)),
  ]);
  const copy = new Demo(second);
  await copy.until(`[data-signaling="open"]`);
  const [a, b] = await Promise.all([first, copy].map(({ page }) => page.evaluate(() => document.documentElement.dataset.peer)));
  assert.notEqual(a, b);
  await Promise.all([first.connectedWith(b), copy.connectedWith(a)]);
});
