/** The client on bad paths to the real server: it goes on, loses, doubles and reorders nothing, and comes to rest. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { streamPasses } from "../../web/client/probe.js";
import { join } from "../../web/client/switchboard.js";
import { NodeEventSource } from "./harness/eventsource.mjs";
import { Elder, Proxy, Reaper } from "./harness/proxy.mjs";
import { Server, binary } from "./harness/server.mjs";
import { FakeStorage } from "./harness/world.mjs";

const DEADLINE_MS = 60_000;
const NAMES = ["signal", "transport", "state", "gap", "rejoined", "end", "peer-away", "peer-left"];

describe("on a bad path", { timeout: 240_000, concurrency: true }, () => {
  /** @type {Server} */
  let server;
  let count = 0;
  const rows = [];

  before(async () => {
    binary();
    globalThis.EventSource = NodeEventSource;
    globalThis.sessionStorage = new FakeStorage();
    server = await Server.start();
  });
  after(async () => {
    delete globalThis.EventSource;
    delete globalThis.sessionStorage;
    await server?.stop();
    console.log(rows.join("\n"));
  });

  /** Bob comes by the bad way and ada by the good one. */
  async function meet(t, way, options = {}) {
    t.after(() => way.stop());
    const name = `bad-${(count += 1)}`;
    const ada = await enter(t, server.url, name, { peer: "ada" });
    const began = Date.now();
    const bob = await enter(t, way.url, name, { peer: "bob", ...options });
    bob.began = began;
    if (options.transport === "poll") await until(() => bob.transport !== null, "bob reads");
    return { ada, bob };
  }

  async function enter(t, url, name, options) {
    const room = await join(url, name, { remember: false, ...options });
    t.after(() => room.close());
    room.heard = [];
    for (const event of NAMES) room.addEventListener(event, ({ detail }) => room.heard.push({ event, detail, at: Date.now() }));
    return room;
  }

  const of = (room, event) => room.heard.filter((heard) => heard.event === event);
  const numbers = (room) => of(room, "signal").map(({ detail }) => detail.data);
  const memory = (way) => JSON.parse(globalThis.sessionStorage.getItem(`switchboard:path:${way.url}`));

  /** Sends one number after the other, at these intervals, until told to stop. */
  function counts(t, room, to, pauses) {
    t.after(() => (stopped = true));
    let sent = 0;
    let stopped = false;
    const done = (async () => {
      while (!stopped) {
        await room.send({ to, type: "n", data: sent });
        sent += 1;
        await pause(pauses[sent % pauses.length]);
      }
    })();
    // What fails a test is said by what waits for it.
    done.catch(() => {});
    return async () => {
      stopped = true;
      await done;
      return sent;
    };
  }

  async function hasAll(room, sent) {
    await until(() => numbers(room).length >= sent, `${sent} numbers, ${numbers(room).length} came`);
    assert.deepEqual(numbers(room), Array.from({ length: sent }, (_, n) => n));
    // Nothing went wrong as far as the application can tell.
    for (const event of ["gap", "rejoined", "end"]) assert.deepEqual(of(room, event), [], event);
    assert.equal(room.end, null);
  }

  const tell = (path, bob, more) =>
    rows.push(`${path.padEnd(34)} ${of(bob, "transport").map(({ detail, at }) => `${detail.transport} (${detail.why}) after ${at - bob.began} ms`).join(", ")}; ${more}`);

  it("that holds each write until the next one, the long-poll takes over in time", async (t) => {
    const way = await Proxy.start(server.url, { holds: true });
    const { ada, bob } = await meet(t, way);
    await until(() => bob.transport === "poll", "the long-poll");
    const stop = counts(t, ada, "bob", [100]);
    const up = of(bob, "transport").find(({ detail }) => detail.transport === "poll");
    // 4 s on a machine that has nothing else to do.
    assert.ok(up.at - bob.began < 30_000, `${up.at - bob.began} ms`);
    await pause(2_000);
    await hasAll(bob, await stop());
    assert.deepEqual(of(bob, "state"), [], "nothing for a user to see");
    assert.equal(memory(way).fault, "unproved");
    tell("each write held until the next", bob, "no state told");
  });

  it("that holds each write until the next one, what others say meanwhile does not hide it", async (t) => {
    const way = await Proxy.start(server.url, { holds: true });
    const { ada, bob } = await meet(t, way);
    // What they say can free a ping just in time; then the heartbeats after it show what the path is like.
    counts(t, ada, "bob", [60_000, 1_100, 700, 650]);
    await until(() => bob.transport === "poll", "the long-poll");
    assert.equal(of(bob, "transport").at(-1).detail.why, "unproved");
    await hasAll(bob, 4);
    assert.deepEqual(of(bob, "state"), []);
    assert.equal(await streamPasses(way.url), false, "a probe does not lead it back");
    assert.equal(await streamPasses(server.url), true);
    tell("the same, while others speak", bob, "no state told");
  });

  it("that delays every byte by 300 ms, the stream is kept", async (t) => {
    const way = await Proxy.start(server.url, { delayMs: 300 });
    const { ada, bob } = await meet(t, way);
    const stop = counts(t, ada, "bob", [150]);
    await pause(6_000);
    await hasAll(bob, await stop());
    assert.equal(bob.transport, "sse");
    assert.equal(memory(way), null);
    tell("+300 ms there and back", bob, `${way.count(({ url }) => url.includes("/events"))} stream`);
  });

  it("of HTTP/1.0, the stream is kept", async (t) => {
    const way = await Elder.start(server.url);
    const { ada, bob } = await meet(t, way);
    const stop = counts(t, ada, "bob", [100]);
    await pause(5_000);
    await hasAll(bob, await stop());
    assert.equal(bob.transport, "sse");
    assert.deepEqual([...way.statusLines], ["HTTP/1.0"]);
    bob.setTransport("poll");
    await until(() => bob.transport === "poll", "the long-poll");
    const sent = numbers(bob).length;
    await ada.send({ to: "bob", type: "n", data: sent });
    await hasAll(bob, sent + 1);
    tell("HTTP/1.0", bob, "by both transports");
  });

  for (const [what, bounds, pauses, hold] of [
    ["is cut when idle for 5 s", { idleMs: 5_000 }, [7_300, 2_100, 6_100, 40], 4],
    ["lets no response get older than 10 s", { ageMs: 10_000 }, [170], 9],
  ]) {
    it(`that ${what}, streams are left for polls that fit`, async (t) => {
      const way = await Reaper.start(server.url, bounds);
      const { ada, bob } = await meet(t, way);
      const stop = counts(t, ada, "bob", pauses);
      await until(() => bob.transport === "poll", "the long-poll");
      const fell = of(bob, "transport").at(-1);
      assert.equal(fell.detail.why, "cut");
      const streams = way.cuts.length;
      assert.ok(streams >= 3 && streams <= 4, `${streams} streams`);
      // Ada is quiet for a while, so that polls are held as long as they may be.
      const sent = await stop();
      await until(() => memory(way)?.hold !== undefined, "the hold is learnt");
      const { hold: learnt } = memory(way);
      assert.ok(learnt >= 1 && learnt <= hold, `${learnt} s`);
      assert.equal(memory(way).fault, "cut");
      const calm = { cuts: way.cuts.length, states: of(bob, "state").length, aways: of(ada, "peer-away").length, at: Date.now() };
      await pause(25_000);
      assert.equal(way.cuts.length, calm.cuts, "no cut any more");
      assert.equal(of(bob, "state").length, calm.states, "the application hears of nothing");
      assert.equal(of(ada, "peer-away").length, calm.aways, "nor do the others");
      await ada.send({ to: "bob", type: "n", data: sent });
      await hasAll(bob, sent + 1);
      assert.equal(bob.state, "open");
      tell(what, bob, `${calm.cuts} cuts until polls of ${learnt} s, then none in 25 s`);

      // The next page of the tab begins where this one ended.
      bob.close();
      const again = await enter(t, way.url, bob.name, { peer: "bob-again" });
      await until(() => again.transport !== null, "bob again");
      assert.equal(again.transport, "poll");
      await pause(learnt * 1000 + 500);
      assert.equal(way.cuts.length, calm.cuts);
    });
  }

  it("that drops Last-Event-ID, polls go on by POST, and streams by new tickets", async (t) => {
    const way = await Proxy.start(server.url, { strips: ["last-event-id"] });
    const { ada, bob } = await meet(t, way, { transport: "poll" });
    const stop = counts(t, ada, "bob", [20]);
    await until(() => numbers(bob).length >= 50, "some numbers");
    assert.equal(memory(way).byPost, true);
    assert.ok(way.count(({ method, url }) => method === "GET" && url.includes("/poll")) <= 1, "one GET, to learn of it");
    assert.ok(way.count(({ method, url }) => method === "POST" && url.includes("/poll")) >= 2);
    // Acknowledged: a reader that shows no cursor gets only what is new.
    const polls = way.count(({ url }) => url.includes("/poll"));
    assert.ok(polls < 120, `${polls} polls for some 50 numbers`);

    bob.setTransport("sse");
    await until(() => bob.transport === "sse", "the stream");
    for (let round = 0; round < 3; round += 1) {
      const had = numbers(bob).length;
      way.cut();
      await until(() => numbers(bob).length > had + 5, "more numbers");
      assert.equal(bob.transport, "sse");
    }
    await hasAll(bob, await stop());
    const statuses = way.seen.filter(({ url }) => url.includes("/events")).map(({ status }) => status);
    assert.deepEqual(statuses, [200, 401, 200, 200, 200], "the browser's own reconnect is refused once and not tried again");
    assert.deepEqual(way.seen.filter(({ url }) => /cursor|[0-9a-f]{16}-\d/.test(url)), [], "no cursor in a URL");
    tell("Last-Event-ID dropped", bob, `streams ${statuses.join(" ")}`);
  });

  it("that keeps answers to GET, polls go on by POST", async (t) => {
    const way = await Proxy.start(server.url, { keeps: true });
    const { ada, bob } = await meet(t, way, { transport: "poll" });
    const stop = counts(t, ada, "bob", [100]);
    await until(() => numbers(bob).length >= 30, "some numbers");
    await hasAll(bob, await stop());
    const gets = way.count(({ method, url }) => method === "GET" && url.includes("/poll"));
    assert.ok(gets <= 10, `${gets} polls by GET`);
    tell("answers to GET kept", bob, `${gets} polls by GET`);
  });

  for (const [how, cuts] of [["refuses", false], ["swallows", true]]) {
    it(`that ${how} DELETE and PATCH, nothing is missed`, async (t) => {
      const way = await Proxy.start(server.url, { passes: ["GET", "POST"], cuts });
      const { ada, bob } = await meet(t, way);
      await bob.setMeta({ n: 2 });
      await bob.send({ to: "ada", type: "n", data: 0 });
      await hasAll(ada, 1);
      await bob.leave("done");
      await until(() => of(ada, "peer-left").length === 1, "bob's leaving");
      assert.deepEqual(of(ada, "peer-left")[0].detail, { peer: "bob", reason: "left" });
      assert.deepEqual([...new Set(way.seen.map(({ method }) => method))].sort(), ["GET", "POST"]);
    });
  }
});

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(isSo, what) {
  for (const deadline = Date.now() + DEADLINE_MS; !isSo(); await pause(20)) {
    if (Date.now() > deadline) throw new Error(`not within ${DEADLINE_MS} ms: ${what}`);
  }
}
