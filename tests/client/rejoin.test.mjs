/** A server that came back without its memory. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { join } from "../../web/client/switchboard.js";
import { FakeEventSource, World, cursorOf, listen, problem } from "./harness/world.mjs";

const OTHER_EPOCH = "00000000000000bb";

describe("a room that the server has forgotten", () => {
  /** @type {World} */
  let world;
  let room;
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => {
    room?.close();
    room = undefined;
    world.end();
  });
  const enter = async (options) => {
    room = await join("http://server.test", "r", { peer: "me", ...options });
    await world.pass(1);
    if ((options?.transport ?? "auto") !== "poll") FakeEventSource.last.prove();
    return room;
  };
  const bob = { peer: "bob", meta: {}, state: "live", order: 0 };

  it("joins again by itself as a new incarnation", async () => {
    await enter({ meta: { name: "me" } });
    FakeEventSource.last.emit("signal", { from: "bob", type: "offer", session: "s1", data: {} }, cursorOf(3));
    const heard = listen(room, "session-ended", "peer-left", "rejoined", "peer-joined", "end", "state");
    world.joinAnswer = { order: 4, cursor: cursorOf(0, OTHER_EPOCH), peers: [{ ...bob, order: 3 }] };
    world.on("POST tickets", () => problem(410, "ended", { reason: "unknown" }));
    FakeEventSource.last.fail(2);
    await world.pass(1_000);
    assert.deepEqual(heard.map(([name, data]) => [name, data.peer ?? data.state ?? null]), [
      ["state", "reconnecting"],
      ["session-ended", "bob"],
      ["peer-left", "bob"],
      ["rejoined", null],
      ["peer-joined", "bob"],
    ]);
    const again = world.made("POST", "/rooms/r/peers")[1];
    assert.equal(again.body.peer, "me");
    assert.deepEqual(again.body.meta, { name: "me" });
    assert.equal(again.body.token, undefined);
    assert.equal(room.order, 4);
    assert.match(FakeEventSource.last.url, /join-ticket-2/);
    FakeEventSource.last.prove({ epoch: OTHER_EPOCH });
    assert.equal(room.state, "open");
    await room.send({ to: "bob", type: "x" });
    assert.equal(world.made("POST", "/signals")[0].headers.authorization, "Bearer token-2");
  });

  it("refuses what was waiting for the former incarnation", async () => {
    await enter();
    let first = true;
    world.on("POST signals", () => {
      if (!first) throw new Error("nothing of the past is sent again");
      first = false;
      return problem(410, "ended", { reason: "unknown" });
    });
    const sends = [1, 2, 3].map((data) => room.send({ to: "bob", type: "x", data }));
    for (const sent of sends) await assert.rejects(sent, { reason: "unknown" });
    await world.pass(10);
    assert.equal(world.joins, 2);
    assert.equal(room.end, null);
  });

  it("waits between one rejoin and the next", async () => {
    await enter();
    world.on("POST tickets", () => problem(410, "ended", { reason: "unknown" }));
    for (let turn = 0; turn < 20; turn += 1) {
      FakeEventSource.last.fail(2);
      await world.pass(1_000);
    }
    assert.ok(world.joins >= 3 && world.joins < 15, `${world.joins} joins in 20 s`);
  });

  it("ends where its chosen id has been given to somebody else", async () => {
    await enter();
    world.on("POST /rooms/r/peers", () => problem(409, "peer-exists"));
    FakeEventSource.last.emit("end", { reason: "unknown", retry: "never" });
    await world.pass(1_000);
    assert.deepEqual(room.end, { reason: "unknown", retry: "never", detail: "peer-exists" });
  });
});
