import assert from "node:assert/strict";
import { test } from "node:test";
import { Demo } from "./harness/demo.mjs";
import { openGate } from "./harness/gate.mjs";
import { useStage } from "./harness/stage.mjs";

const stage = useStage("--away-after", "500ms", "--grace", "60s");

for (const transport of ["sse", "poll"]) {
  test(`a page that reloads is the same peer, and the call comes up again, on ${transport}`, async (t) => {
    const room = `reload-${transport}`;
    // No id in the address: only what the tab keeps makes it the same peer.
    const bob = await stage.page(t);
    const ada = await stage.join(t, { room, peer: "ada", transport });
    await bob.page.goto(`${stage.url}/?autostart=1&picture=1&name=bob&transport=${transport}#${room}`);
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
    const ada = await stage.join(t, { room, peer: "ada" });
    const gate = await openGate(stage.url);
    t.after(() => gate.close());
    const bob = await stage.join(t, { room, peer: "bob", transport }, gate.url);
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
    await ada.sawAway("bob", 1);
  });
}

test("a duplicated tab is somebody else and does not push the first one out", async (t) => {
  const room = "twice";
  const first = await stage.page(t);
  await first.page.goto(`${stage.url}/?autostart=1&picture=1&name=first#${room}`);
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
