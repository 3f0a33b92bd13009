import assert from "node:assert/strict";
import { test } from "node:test";
import { startBrowser } from "./harness/browser.mjs";
import { Demo } from "./harness/demo.mjs";
import { useStage } from "./harness/stage.mjs";

const AWAY_AFTER_MS = 1000;
const GRACE_MS = 3000;
/** How much later than it should anything may be on a machine that is busy with three browsers. */
const BUSY_MS = 10_000;

const stage = useStage("--away-after", `${AWAY_AFTER_MS}ms`, "--grace", `${GRACE_MS}ms`);

/**
 * A call between ada, who looks on, and bob, who is about to go.
 * @param {import("node:test").TestContext} t
 * @param {(call: {room: string, peer: string, transport: string}) => Promise<Demo>} join lets bob in
 */
async function callOf(t, room, transport, join = (call) => stage.join(t, call)) {
  const ada = await stage.join(t, { room, peer: "ada", transport });
  const bob = await join({ room, peer: "bob", transport });
  await Promise.all([ada.connectedWith("bob"), bob.connectedWith("ada")]);
  await ada.note("session-ended", "peer-away", "peer-left");
  return { ada, bob };
}

for (const transport of ["sse", "poll"]) {
  test(`a hang-up reaches the other page with its reason, on ${transport}`, async (t) => {
    const { ada, bob } = await callOf(t, `hangup-${transport}`, transport);
    const began = Date.now();
    await bob.pressOnTile("ada", "tile-hangup");
    const ended = await ada.noted("session-ended", "bob");
    stage.table.add("hang-up button", transport, `session-ended: ${ended.detail.reason}`, ended.at - began);
    assert.equal(ended.detail.reason, "hangup");
    assert.ok(ended.at - began < BUSY_MS);
    await ada.tile("bob", `[data-state="ended"][data-reason="hangup"][data-presence="live"]`);
    assert.equal(await ada.textOnTile("bob", "tile-reason"), "bob hung up");
  });

  for (const [what, act] of /** @type {[string, (bob: Demo) => Promise<unknown>][]} */ ([
    ["leave button", (bob) => bob.press("leave")],
    ["tab closed", (bob) => bob.closeTab()],
    ["navigated away", (bob) => bob.page.goto("about:blank")],
  ])) {
    test(`${what}: the other page learns at once that the peer left, on ${transport}`, async (t) => {
      const { ada, bob } = await callOf(t, `${what.replaceAll(" ", "-")}-${transport}`, transport);
      const began = Date.now();
      await act(bob);
      const left = await ada.noted("peer-left", "bob");
      const ended = await ada.noted("session-ended", "bob");
      stage.table.add(what, transport, `session-ended, peer-left: ${left.detail.reason}`, left.at - began);
      assert.equal(left.detail.reason, "left");
      assert.equal(ended.detail.reason, "left");
      assert.ok(left.at - began < BUSY_MS);
      await ada.tile("bob", `[data-state="ended"][data-reason="left"][data-presence="gone"]`);
      assert.equal(await ada.textOnTile("bob", "tile-reason"), "bob left the room");
      assert.deepEqual((await ada.notes()).map(({ event }) => event), ["session-ended", "peer-left"]);
    });
  }

  test(`a browser that is killed is away at once and gone after its grace, on ${transport}`, async (t) => {
    const own = await startBrowser();
    t.after(() => own.kill());
    const { ada } = await callOf(t, `killed-${transport}`, transport, (call) => Demo.join(own.browser, stage.url, call));
    const began = Date.now();
    await own.kill();
    const away = await ada.noted("peer-away", "bob");
    await ada.tile("bob", `[data-presence="away"]`);
    const left = await ada.noted("peer-left", "bob");
    stage.table.add(`browser killed (away-after ${AWAY_AFTER_MS / 1000} s)`, transport, "peer-away", away.at - began);
    stage.table.add(`browser killed (grace ${GRACE_MS / 1000} s)`, transport, `peer-left: ${left.detail.reason}`, left.at - began);
    assert.equal(left.detail.reason, "timeout");
    // Both are counted from the loss, so what is over is what it took to notice it.
    assert.ok(away.at - began >= AWAY_AFTER_MS && away.at - began < AWAY_AFTER_MS + BUSY_MS);
    assert.ok(left.at - began >= GRACE_MS && left.at - began < GRACE_MS + BUSY_MS);
    await ada.tile("bob", `[data-state="ended"][data-reason="timeout"][data-presence="gone"]`);
    assert.equal(await ada.textOnTile("bob", "tile-reason"), "bob lost the connection");
  });
}
