/** What becomes of the page: hidden, kept, frozen, off the network and back. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { connect, join } from "../../web/client/switchboard.js";
import { FakePeerConnection } from "./harness/peer.mjs";
import { FakeEventSource, World, accept, cursorOf, event, json, listen, problem } from "./harness/world.mjs";

const BASE = "http://server.test";
const OTHER_EPOCH = "00000000000000bb";

describe("a room and its page", () => {
  /** @type {World} */
  let world;
  let room;
  let document;
  beforeEach(() => {
    world = new World();
    document = Object.assign(new EventTarget(), { visibilityState: "visible" });
    globalThis.document = document;
  });
  afterEach(() => {
    room?.close();
    room = undefined;
    world.end();
    delete globalThis.document;
  });
  const enter = async (options) => {
    room = await join(BASE, "r", { peer: "me", ...options });
    await world.pass(1);
    if ((options?.transport ?? "auto") !== "poll") FakeEventSource.last.prove();
    return room;
  };

  it("closes the reader and sends the leave beacon when the page goes", async () => {
    await enter();
    world.tell("pagehide", { persisted: false });
    assert.equal(FakeEventSource.last.closedByPage, true);
    assert.deepEqual(world.beacons, [{ url: "http://server.test/rooms/r/peers/me/leave", body: "token-1" }]);
  });

  it("only closes the reader when the page goes into the back/forward cache, and is back with it", async () => {
    await enter();
    FakeEventSource.last.emit("signal", { from: "bob", type: "x", data: 1 }, cursorOf(4));
    world.tell("pagehide", { persisted: true });
    assert.deepEqual(world.beacons, []);
    assert.equal(FakeEventSource.last.closedByPage, true);
    await world.pass(60_000);
    assert.equal(FakeEventSource.all.length, 1);
    world.tell("pageshow", { persisted: true });
    await world.pass(10);
    assert.equal(FakeEventSource.all.length, 2);
    assert.deepEqual(world.made("POST", "/tickets")[0].body, { cursor: cursorOf(4) });
    FakeEventSource.last.prove({ seq: 4 });
    assert.equal(room.state, "open");
  });

  it("says goodbye when a page with a call goes, and joins again where that page was kept after all", async () => {
    FakePeerConnection.all = [];
    globalThis.RTCPeerConnection = FakePeerConnection;
    await enter();
    const heard = listen(room, "rejoined", "end", "state");
    const call = connect(room, "bob");
    world.tell("pagehide", { persisted: true });
    assert.equal(world.beacons.length, 1);
    await world.pass(5_000);
    world.joinAnswer = { order: 7, cursor: cursorOf(0, OTHER_EPOCH) };
    world.tell("pageshow", { persisted: true });
    await world.pass(10);
    // The goodbye may still be on its way, so that the token is shown.
    const { peer, token, fresh } = world.made("POST", "/rooms/r/peers")[1].body;
    assert.deepEqual({ peer, token, fresh }, { peer: "me", token: "token-1", fresh: true });
    assert.equal(room.order, 7);
    assert.equal(call.state, "ended");
    FakeEventSource.last.prove({ epoch: OTHER_EPOCH });
    assert.deepEqual(heard.map(([name, { state }]) => state ?? name), ["reconnecting", "rejoined", "open"]);
    // The next time it is kept without a call.
    world.tell("pagehide", { persisted: true });
    world.tell("pageshow", { persisted: true });
    await world.pass(10);
    assert.equal(world.beacons.length, 1);
    assert.equal(world.joins, 2);
    delete globalThis.RTCPeerConnection;
  });

  it("says beforehand that a page with a call is about to go, and takes it back where that stays", async () => {
    FakePeerConnection.all = [];
    globalThis.RTCPeerConnection = FakePeerConnection;
    await enter();
    world.tell("beforeunload", {});
    assert.deepEqual(world.beacons, [], "without a call nobody is to be told");
    connect(room, "bob");
    await world.pass(10);
    world.tell("beforeunload", {});
    world.tell("beforeunload", {});
    assert.deepEqual(world.beacons, [{ url: "http://server.test/rooms/r/peers/me/leave?if=closed", body: "token-1" }]);
    assert.equal(world.made("POST", "/alive").length, 0);
    await world.pass(1_100);
    assert.equal(world.made("POST", "/alive").length, 1);
    // This time it goes.
    world.tell("beforeunload", {});
    world.tell("pagehide", { persisted: false });
    await world.pass(1_100);
    assert.deepEqual(world.beacons.slice(1).map(({ url }) => url.slice(url.indexOf("/leave"))), ["/leave?if=closed", "/leave"]);
    assert.equal(world.made("POST", "/alive").length, 1);
    delete globalThis.RTCPeerConnection;
  });

  it("is not disturbed by the pageshow of a page that has just loaded", async () => {
    room = await join(BASE, "r");
    world.tell("pageshow", { persisted: false });
    await world.pass(10);
    assert.equal(FakeEventSource.all.length, 1);
    assert.equal(room.state, "open");
    assert.equal(world.made("POST", "/tickets").length, 0);
  });

  it("looks at the clock when the page becomes visible, whatever its timers did", async () => {
    await enter();
    await world.sleepThrough(60_000);
    document.dispatchEvent(new Event("visibilitychange"));
    await world.pass(900);
    assert.equal(FakeEventSource.all.length, 1);
    await world.pass(200);
    assert.equal(FakeEventSource.all.length, 2);
  });

  it("keeps the stream of a page that was asleep when it brings what came meanwhile", async () => {
    await enter();
    const heard = listen(room, "signal", "state");
    await world.sleepThrough(60_000);
    document.dispatchEvent(new Event("resume"));
    document.dispatchEvent(new Event("visibilitychange"));
    FakeEventSource.last.emit("signal", { from: "bob", type: "x", data: 1 }, cursorOf(1));
    await world.pass(10_000);
    assert.equal(FakeEventSource.all.length, 1);
    assert.equal(FakeEventSource.last.closedByPage, undefined);
    assert.deepEqual(heard.map(([name]) => name), ["signal"]);
  });

  it("replaces a poll that got stuck while the page was frozen", async () => {
    await enter({ transport: "poll" });
    const [stuck] = world.held;
    await world.sleepThrough(10_000);
    document.dispatchEvent(new Event("resume"));
    await world.pass(900);
    assert.equal(stuck.done, false);
    await world.pass(200);
    assert.equal(stuck.done, true);
    assert.equal(world.held.length, 1);
    assert.equal(room.state, "open");
  });

  it("goes on with a poll that is answered as the page wakes", async () => {
    await enter({ transport: "poll" });
    const heard = listen(room, "signal", "state");
    const [kept] = world.held;
    await world.sleepThrough(10_000);
    document.dispatchEvent(new Event("resume"));
    kept.answer({ events: [event(1, "signal", { from: "bob", type: "x", data: 1 })], cursor: cursorOf(1) });
    await world.pass(5_000);
    assert.deepEqual(heard.map(([name]) => name), ["signal"]);
    assert.deepEqual(world.made("GET", "/poll").map(({ query }) => query.get("wait")), ["0", "25", "25"]);
  });

  it("ends its wait when the page becomes visible", async () => {
    await enter();
    FakeEventSource.last.prove();
    let down = true;
    world.on("POST tickets", () => (down ? problem(503, "draining", {}, { "Retry-After": "60" }) : json({ ticket: "t" }, 201)));
    FakeEventSource.last.fail(2);
    await world.pass(1_000);
    down = false;
    world.tell("pageshow", { persisted: false });
    await world.pass(10);
    assert.equal(FakeEventSource.all.length, 2);
  });

  it("takes a new reader at once when the network is back", async () => {
    await enter();
    FakeEventSource.last.prove();
    world.tell("online");
    await world.pass(1);
    assert.equal(FakeEventSource.all.length, 2);
    assert.equal(FakeEventSource.all[0].closedByPage, true);
  });

  describe("with a signal on a connection that died without a word", () => {
    /** Swallows so many posts. */
    const swallow = (count) => {
      let left = count;
      world.on("POST signals", ({ body }) => ((left -= 1) >= 0 ? new Promise(() => {}) : json({ results: body.map(accept) }, 202)));
    };
    const ids = () => world.made("POST", "/signals").map(({ body }) => body[0].id);

    it("sends it again at once when the network is back", async () => {
      await enter();
      swallow(1);
      const sent = room.send({ to: "bob", type: "chat", data: 1 });
      await world.pass(5_000);
      assert.equal(ids().length, 1);
      world.tell("online");
      await world.pass(10);
      assert.equal((await sent).length, 1);
      assert.equal(ids().length, 2);
      assert.equal(new Set(ids()).size, 1);
    });

    it("sends it again when its next reader is open", async () => {
      await enter();
      swallow(1);
      FakeEventSource.last.fail(2);
      void room.send({ to: "bob", type: "chat", data: 1 });
      await world.until(() => FakeEventSource.all.length === 2, 10_000);
      await world.pass(2_500);
      FakeEventSource.last.prove();
      await world.pass(10);
      assert.equal(ids().length, 2);
    });

    it("waits less for the next answers", async () => {
      await enter();
      swallow(4);
      const sent = room.send({ to: "bob", type: "chat", data: 1 });
      await world.until(() => ids().length === 5, 15_000 + 3 * 4_000 + 10_000);
      await sent;
    });

    it("waits as long as ever once an answer has come", async () => {
      await enter();
      swallow(1);
      await Promise.all([room.send({ to: "bob", type: "chat", data: 1 }), world.until(() => ids().length === 2, 16_000)]);
      swallow(1);
      void room.send({ to: "bob", type: "chat", data: 2 });
      await world.pass(14_000);
      assert.equal(ids().length, 3);
      await world.until(() => ids().length === 4, 3_000);
    });

    it("has patience again with a path that is merely slow", async () => {
      await enter();
      swallow(7);
      const slow = room.send({ to: "bob", type: "chat", data: 1 });
      await world.until(() => ids().length === 8, 200_000);
      await slow;
    });
  });
});
