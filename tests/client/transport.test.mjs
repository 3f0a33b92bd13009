import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { join } from "../../web/client/switchboard.js";
import { FakeEventSource, World, cursorOf, event, json, listen, problem } from "./harness/world.mjs";

const BASE = "http://server.test";
const POLL_MEMORY = "switchboard:path:http://server.test";

describe("the transport ladder", () => {
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
    room = await join(BASE, "r", options);
    await world.pass(1);
    return room;
  };

  it("opens an EventSource with the ticket of the join", async () => {
    await enter();
    assert.equal(FakeEventSource.all.length, 1);
    assert.equal(FakeEventSource.last.url, `${BASE}/rooms/r/peers/${room.peer}/events?ticket=join-ticket-1&clock=1`);
    assert.equal(world.made("POST", "/tickets").length, 0);
  });

  it("keeps a stream whose ready and ping came within 3 s", async () => {
    await enter();
    const heard = listen(room, "transport", "state");
    FakeEventSource.last.ready();
    await world.pass(300);
    FakeEventSource.last.emit("ping");
    await world.pass(10_000);
    assert.equal(room.transport, "sse");
    assert.deepEqual(heard, [["transport", { transport: "sse", why: "joined" }]]);
    assert.equal(world.made("GET", "/poll").length, 0);
    assert.equal(world.storage.getItem(POLL_MEMORY), null);
  });

  it("goes on by long-poll at the same cursor when ready came but the ping did not, and remembers it", async () => {
    await enter();
    const heard = listen(room, "transport");
    FakeEventSource.last.ready();
    FakeEventSource.last.emit("signal", { from: "bob", type: "chat", data: 1 }, cursorOf(7));
    await world.pass(2_900);
    assert.equal(world.made("GET", "/poll").length, 0, "3 s are not over");
    await world.pass(200);
    const [poll] = world.made("GET", "/poll");
    assert.equal(poll.headers["last-event-id"], cursorOf(7));
    assert.equal(FakeEventSource.last.closedByPage, true);
    assert.deepEqual(heard.at(-1), ["transport", { transport: "poll", why: "unproved" }]);
    assert.equal(world.storage.getItem(POLL_MEMORY), '{"fault":"unproved"}');
  });

  /** A stream whose pings are written at these times after ready, and come so much later. */
  const pings = async (written, late) => {
    const stream = FakeEventSource.last;
    const began = Date.now() + 3_600_000;
    stream.ready({ sent_ms: began });
    const comings = written.map((at, n) => ({ sent_ms: began + at, comes: at + late[n] })).sort((a, b) => a.comes - b.comes);
    let now = 0;
    for (const { sent_ms, comes } of comings) {
      await world.pass(comes - now);
      now = comes;
      stream.emit("ping", { sent_ms });
    }
  };

  for (const [what, late] of [
    ["come as they are written, whatever the clocks say", [0, 0, 0]],
    ["come with a delay of their own", [410, 190, 430]],
    ["were late but once", [0, 900, 0]],
  ]) {
    it(`keeps a stream whose pings ${what}`, async () => {
      await enter();
      await pings([300, 1200, 2400], late);
      await world.pass(10_000);
      assert.equal(room.transport, "sse");
      assert.equal(world.made("GET", "/poll").length, 0);
    });
  }

  it("leaves a stream whose writes each come with the next one, before the 3 s are over", async () => {
    await enter();
    const heard = listen(room, "state");
    // Its ready has come with the first ping, 300 ms late itself.
    await pings([300, 1200], [600, 900]);
    await world.pass(10);
    assert.equal(room.transport, "poll");
    assert.equal(world.storage.getItem(POLL_MEMORY), '{"fault":"unproved"}');
    assert.deepEqual(heard, []);
  });

  it("leaves a proved stream when heartbeats come a heartbeat late", async () => {
    await enter();
    await pings([300, 1200, 2400], [0, 0, 0]);
    const stream = FakeEventSource.last;
    for (let beat = 0; beat < 2; beat += 1) {
      assert.equal(room.transport, "sse");
      await world.pass(15_000);
      stream.emit("ping", { sent_ms: Date.now() + 3_600_000 - 15_000 });
    }
    await world.pass(10);
    assert.equal(room.transport, "poll");
  });

  it("leaves streams that break three times within a minute each, and is slow to come back", async () => {
    await enter();
    const heard = listen(room, "transport");
    for (let turn = 0; turn < 3; turn += 1) {
      FakeEventSource.last.prove();
      await world.pass(6_000);
      FakeEventSource.last.fail(0);
      await world.pass(2_000);
    }
    assert.deepEqual(heard.at(-1), ["transport", { transport: "poll", why: "cut" }]);
    assert.equal(world.storage.getItem(POLL_MEMORY), '{"fault":"cut"}');
    await world.pass(420_000);
    assert.equal(FakeEventSource.all.length, 1);
    assert.equal(world.made("GET", "/probe").length, 0);
  });

  it("keeps a stream that lasts between two breaks", async () => {
    await enter();
    for (let turn = 0; turn < 5; turn += 1) {
      FakeEventSource.last.prove();
      for (let beat = 0; beat < 5; beat += 1) {
        await world.pass(15_000);
        FakeEventSource.last.emit("ping");
      }
      FakeEventSource.last.fail(0);
      await world.pass(2_000);
    }
    FakeEventSource.last.prove();
    assert.equal(room.transport, "sse");
  });

  it("learns the age at which polls are cut, asks again at once, and tells nobody", async () => {
    await enter({ transport: "poll" });
    const heard = listen(room, "state");
    for (const wait of ["25", "12"]) {
      assert.equal(world.held[0].request.query.get("wait"), wait);
      await world.pass(5_000);
      world.held[0].fail();
      await world.pass(10);
    }
    assert.equal(world.held[0].request.query.get("wait"), "3");
    assert.equal(world.storage.getItem(POLL_MEMORY), '{"hold":3}');
    assert.deepEqual(heard, []);
    world.tell("online");
    await world.pass(10);
    assert.equal(world.held[0].request.query.get("wait"), "25", "another network");
  });

  it("polls by POST once an answer shows that the cursor was not seen", async () => {
    await enter({ transport: "poll" });
    const heard = listen(room, "signal", "gap");
    const events = [event(1, "signal", { from: "bob", type: "x", data: 1 })];
    world.held[0].answer({ events, cursor: cursorOf(1) });
    await world.pass(10);
    world.held[0].answer({ events, cursor: cursorOf(1), peers: [], sessions: [] });
    await world.pass(10);
    const [asked, ...more] = world.made("POST", "/poll");
    assert.deepEqual(asked.body, { cursor: cursorOf(1), wait: 0 });
    assert.deepEqual(more.map(({ body }) => body), [{ cursor: cursorOf(1), wait: 25 }]);
    assert.deepEqual(heard.map(([name]) => name), ["signal"]);
    assert.equal(world.storage.getItem(POLL_MEMORY), '{"byPost":true}');
  });

  it("falls back after 3 s when nothing came at all", async () => {
    await enter();
    await world.pass(3_100);
    assert.equal(room.transport, "poll");
  });

  it("does not remember the long-poll while that fails too", async () => {
    world.on("GET poll", () => Promise.reject(new TypeError("offline")));
    await enter();
    await world.pass(3_500);
    assert.ok(world.made("GET", "/poll").length > 0);
    assert.equal(world.storage.getItem(POLL_MEMORY), null);
  });

  it("does not remember a fallback where streams were proved before", async () => {
    await enter();
    FakeEventSource.last.prove();
    FakeEventSource.last.fail(2);
    await world.until(() => FakeEventSource.all.length === 2, 1_000);
    await world.pass(3_100);
    assert.equal(room.transport, "poll");
    assert.equal(world.storage.getItem(POLL_MEMORY), null);
  });

  it("starts with the long-poll in a tab that remembers it", async () => {
    world.storage.setItem(POLL_MEMORY, '{"fault":"unproved"}');
    await enter();
    assert.equal(FakeEventSource.all.length, 0);
    assert.equal(room.transport, "poll");
  });

  it("uses the long-poll where there is no EventSource", async () => {
    world.end();
    world = new World({ eventSource: false });
    await enter();
    assert.equal(room.transport, "poll");
  });

  it("forced to sse it does not fall back, forced to poll it does not probe", async () => {
    await enter({ transport: "sse" });
    await world.pass(20_000);
    assert.equal(world.made("GET", "/poll").length, 0);
    room.setTransport("poll");
    await world.pass(1_200_000);
    assert.equal(room.transport, "poll");
    assert.equal(world.made("GET", "/probe").length, 0);
  });

  it("drops what both readers bring, and loses nothing, over a switch in mid-stream", async () => {
    await enter();
    const heard = listen(room, "signal");
    const stream = FakeEventSource.last;
    stream.prove();
    stream.emit("signal", { from: "bob", type: "x", data: 1 }, cursorOf(1));
    stream.emit("signal", { from: "bob", type: "x", data: 2 }, cursorOf(2));
    world.holdAll = true;
    room.setTransport("poll");
    await world.pass(10);
    stream.emit("signal", { from: "bob", type: "x", data: "late" }, cursorOf(3));
    const [poll] = world.held;
    assert.equal(poll.request.headers["last-event-id"], cursorOf(2));
    poll.answer({
      events: [
        event(1, "signal", { from: "bob", type: "x", data: 1 }),
        event(2, "signal", { from: "bob", type: "x", data: 2 }),
        event(3, "signal", { from: "bob", type: "x", data: 3 }),
        event(4, "signal", { from: "bob", type: "x", data: 4 }),
      ],
      cursor: cursorOf(4),
    });
    await world.pass(10);
    room.setTransport("sse");
    await world.pass(10);
    const [ticket] = world.made("POST", "/tickets");
    assert.deepEqual(ticket.body, { cursor: cursorOf(4) });
    FakeEventSource.last.ready({ seq: 3 });
    FakeEventSource.last.emit("signal", { from: "bob", type: "x", data: 4 }, cursorOf(4));
    FakeEventSource.last.emit("signal", { from: "bob", type: "x", data: 5 }, cursorOf(5));
    assert.deepEqual(heard.map(([, { data }]) => data), [1, 2, 3, 4, 5]);
  });

  it("keeps the working poll open until the ticket of the stream that follows it is there", async () => {
    await enter({ transport: "poll" });
    world.held[0].answer({ events: [event(1, "signal", { from: "bob", type: "x", data: 0 })], cursor: cursorOf(1) });
    await world.pass(10);
    let give;
    world.on("POST tickets", () => new Promise((resolve) => (give = resolve)));
    room.setTransport("sse");
    await world.pass(100);
    const [poll] = world.held;
    const heard = listen(room, "signal");
    poll.answer({ events: [event(2, "signal", { from: "bob", type: "x", data: 1 })], cursor: cursorOf(2) });
    await world.pass(100);
    assert.equal(heard.length, 1);
    assert.equal(FakeEventSource.all.length, 0);
    give(json({ ticket: "t" }, 201));
    await world.pass(10);
    FakeEventSource.last.prove({ seq: 1 });
    FakeEventSource.last.emit("signal", { from: "bob", type: "x", data: 1 }, cursorOf(2));
    assert.equal(heard.length, 1, "the stream's repetition is dropped");
    assert.equal(world.held.length, 0, "the poll is closed");
  });

  it("never puts a cursor or a token into a URL", async () => {
    await enter();
    FakeEventSource.last.prove({ seq: 5 });
    FakeEventSource.last.fail(2);
    await world.pass(1_000);
    FakeEventSource.last.prove({ seq: 5 });
    room.setTransport("poll");
    await world.pass(1_000);
    await room.send({ to: "bob", type: "x", data: 1 });
    const urls = [...world.requests.map(({ url }) => url), ...FakeEventSource.all.map(({ url }) => url)];
    for (const url of urls) {
      assert.doesNotMatch(url, new RegExp(`${cursorOf(0).slice(0, 16)}|cursor|last.?event|token-`, "i"), url);
    }
    assert.ok(urls.some((url) => url.includes("/poll")) && urls.some((url) => url.includes("/events")));
  });

  it("lets the browser reconnect by itself once, and takes over when that fails", async () => {
    await enter();
    const first = FakeEventSource.last;
    const states = listen(room, "state");
    first.prove();
    first.fail(0);
    assert.equal(room.state, "reconnecting");
    await world.pass(2_000);
    assert.equal(FakeEventSource.all.length, 1);
    first.prove();
    assert.equal(room.state, "open");
    first.fail(0);
    first.fail(0);
    await world.pass(600);
    assert.equal(FakeEventSource.all.length, 2);
    assert.equal(world.made("POST", "/tickets").length, 1);
    assert.deepEqual(states.map(([, { state }]) => state), ["reconnecting", "open", "reconnecting"]);
  });

  it("asks for a ticket at its cursor when EventSource has given up for good", async () => {
    await enter();
    FakeEventSource.last.prove();
    FakeEventSource.last.emit("signal", { from: "bob", type: "x", data: 1 }, cursorOf(9));
    FakeEventSource.last.fail(2);
    await world.pass(600);
    assert.deepEqual(world.made("POST", "/tickets")[0].body, { cursor: cursorOf(9) });
    assert.match(FakeEventSource.last.url, /events\?ticket=ticket-1/);
    assert.equal(FakeEventSource.all.length, 2);
  });

  it("gives up on streams that are refused three times in a row although tickets are given", async () => {
    await enter();
    for (let turn = 0; turn < 3; turn += 1) {
      FakeEventSource.last.fail(2);
      await world.pass(2_500);
    }
    assert.equal(room.transport, "poll");
    assert.equal(FakeEventSource.all.length, 3);
  });

  it("keeps trying tickets with back-off while the server is out of reach, and does not blame the stream", async () => {
    await enter();
    FakeEventSource.last.prove();
    world.on("POST tickets", () => Promise.reject(new TypeError("refused")));
    FakeEventSource.last.fail(2);
    await world.pass(120_000);
    const tries = world.made("POST", "/tickets").length;
    assert.ok(tries >= 5 && tries <= 40, `${tries} tries in two minutes`);
    assert.equal(room.state, "reconnecting");
    world.on("POST tickets", () => json({ ticket: "again" }, 201));
    await world.pass(31_000);
    assert.match(FakeEventSource.last.url, /again/);
  });

  it("waits at least as long as Retry-After says", async () => {
    await enter();
    FakeEventSource.last.prove();
    let refused = 0;
    world.on("POST tickets", () => ((refused += 1) === 1 ? problem(503, "overloaded", {}, { "Retry-After": "7" }) : json({ ticket: "t" }, 201)));
    FakeEventSource.last.fail(2);
    await world.pass(6_900);
    assert.equal(refused, 1);
    await world.pass(3_000);
    assert.equal(refused, 2);
  });

  it("replaces a stream that has been silent for 2.5 heartbeats by the wall clock", async () => {
    await enter();
    FakeEventSource.last.prove();
    await world.pass(30_000);
    assert.equal(FakeEventSource.all.length, 1);
    await world.pass(13_000);
    assert.equal(FakeEventSource.all.length, 2);
  });

  it("asks for proof of a stream that goes over from sse to auto", async () => {
    await enter({ transport: "sse" });
    FakeEventSource.last.ready();
    await world.pass(10_000);
    room.setTransport("auto");
    await world.pass(3_100);
    assert.equal(room.transport, "poll");
  });

  it("shortens its hold where the path cuts long ones", async () => {
    await enter({ transport: "poll" });
    assert.equal(world.held[0].request.query.get("wait"), "25");
    await world.pass(15_000);
    world.held[0].fail();
    await world.pass(1_000);
    assert.equal(world.held[0].request.query.get("wait"), "12");
  });

  it("proof of life: posts alive with an event when the last request is 30 s old", async () => {
    await enter();
    FakeEventSource.last.prove();
    await world.pass(15_000);
    FakeEventSource.last.emit("ping");
    await world.pass(10);
    assert.equal(world.made("POST", "/alive").length, 0);
    await world.pass(15_000);
    FakeEventSource.last.emit("ping");
    await world.pass(10);
    assert.equal(world.made("POST", "/alive").length, 1);
    FakeEventSource.last.emit("ping");
    await world.pass(10);
    assert.equal(world.made("POST", "/alive").length, 1);
  });

  describe("on the long-poll by fallback", () => {
    const ticks = (gapsMs) => () => {
      let index = 0;
      const body = new ReadableStream({
        async pull(controller) {
          if (index === gapsMs.length) return controller.close();
          const gap = gapsMs[index];
          index += 1;
          if (gap > 0) await new Promise((resolve) => setTimeout(resolve, gap));
          controller.enqueue(new TextEncoder().encode(`event: tick\ndata: {"at":${Date.now()}}\n\n`));
        },
      });
      return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
    };

    it("goes back to the stream once a probe's ticks come spread, and forgets the fallback when it is proved", async () => {
      await enter();
      await world.pass(3_100);
      world.on("GET /probe", ticks([0, 250, 250, 250, 250, 250, 250, 250]));
      await world.until(() => FakeEventSource.all.length === 2, 80_000);
      assert.equal(world.made("GET", "/probe").length, 1);
      assert.notEqual(world.storage.getItem(POLL_MEMORY), null);
      FakeEventSource.last.prove();
      assert.equal(room.transport, "sse");
      assert.equal(world.storage.getItem(POLL_MEMORY), null);
    });

    for (const [how, gaps] of [
      ["bunched", [1750, 0, 0, 0, 0, 0, 0, 0]],
      ["in two heaps", [0, 0, 0, 0, 1750, 0, 0, 0]],
      ["too close to be what was sent", [1200, 50, 50, 50, 50, 50, 50, 50]],
      ["and stop half-way", [0, 250, 250, 250, 250]],
    ]) {
      it(`stays where the ticks come ${how}`, async () => {
        await enter();
        await world.pass(3_100);
        world.on("GET /probe", ticks(gaps));
        await world.pass(80_000);
        assert.ok(world.made("GET", "/probe").length >= 1);
        assert.equal(FakeEventSource.all.length, 1);
        assert.equal(room.transport, "poll");
      });
    }

    it("goes back to the stream too when the probe ends between two polls", async () => {
      await enter();
      await world.pass(3_100);
      world.on("GET /probe", ticks([0, 250, 250, 250, 250, 250, 250, 250]));
      world.on("GET poll", () => problem(503, "busy", { retry_after: 3600 }, { "Retry-After": "3600" }));
      world.held[0].fail();
      await world.until(() => FakeEventSource.all.length === 2, 80_000);
      FakeEventSource.last.prove();
      assert.equal(room.transport, "sse");
    });

    it("returns to the poll when the stream is not proved after all", async () => {
      await enter();
      await world.pass(3_100);
      world.on("GET /probe", ticks([0, 250, 250, 250, 250, 250, 250, 250]));
      await world.until(() => FakeEventSource.all.length === 2, 80_000);
      await world.pass(3_100);
      assert.equal(FakeEventSource.last.closedByPage, true);
      assert.equal(room.transport, "poll");
      assert.equal(world.held.length, 1);
    });
  });
});
