import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { SwitchboardError, join } from "../../web/client/switchboard.js";
import { World, accept, json, problem } from "./harness/world.mjs";

describe("sending", () => {
  /** @type {World} */
  let world;
  let room;
  beforeEach(async () => {
    world = new World();
    room = await join("http://server.test", "r", { transport: "poll" });
    await world.pass(1);
  });
  afterEach(() => {
    room.close();
    world.end();
  });
  const chat = (data, to = "bob") => ({ to, type: "chat", data });
  const sent = () => world.made("POST", "/signals").map(({ body }) => body.map(({ data }) => data));
  const refusedOf = (slug, status, index, body) =>
    json({ results: body.slice(0, index).map(accept), refused: { index, problem: { type: `/problems/${slug}`, status, detail: "" } } }, 202);
  /** What a promise comes to, looked at after time has passed. */
  const fate = (promise) => {
    const seen = { value: undefined, error: undefined };
    promise.then((value) => (seen.value = value), (error) => (seen.error = error));
    return seen;
  };

  it("collects what is sent while a request is under way into one array, in order", async () => {
    let answer;
    world.on("POST signals", ({ body }) => new Promise((resolve) => (answer = () => resolve(json({ results: body.map(accept) }, 202)))));
    const fates = [1, 2, 3, 4].map((n) => fate(room.send(chat(n))));
    await world.pass(10);
    assert.deepEqual(sent(), [[1]]);
    answer();
    await world.pass(10);
    assert.deepEqual(sent(), [[1], [2, 3, 4]]);
    answer();
    await world.pass(10);
    assert.ok(fates.every(({ value }) => value?.length === 1));
  });

  it("sends at most 100 signals and 250 kB in a request", async () => {
    const many = fate(room.send(Array.from({ length: 150 }, (_, n) => chat(n))));
    await world.pass(10);
    assert.deepEqual(sent().map((batch) => batch.length), [100, 50]);
    assert.equal(many.value.length, 150);
    world.requests.length = 0;
    const large = fate(room.send(Array.from({ length: 8 }, () => chat("x".repeat(60_000)))));
    await world.pass(10);
    assert.deepEqual(sent().map((batch) => batch.length), [4, 4]);
    assert.equal(large.value.length, 8);
  });

  it("gives each signal an id of its own, and keeps one that is given", async () => {
    await room.send([chat(1), { ...chat(2), id: "mine" }, chat(3)]);
    const ids = world.made("POST", "/signals")[0].body.map(({ id }) => id);
    assert.equal(new Set(ids).size, 3);
    assert.equal(ids[1], "mine");
    for (const id of ids) assert.match(id, /^[A-Za-z0-9._~-]{1,64}$/);
  });

  it("repeats with the same ids over network failures, 5xx and 429 until it is answered", async () => {
    const faults = [
      () => Promise.reject(new TypeError("cut")),
      () => new Response("Bad gateway", { status: 502 }),
      () => problem(503, "overloaded"),
      () => problem(429, "rate-limited", {}, { "Retry-After": "1" }),
      () => new Response("<html>portal</html>", { status: 200 }),
    ];
    world.on("POST signals", ({ body }) => (faults.length > 0 ? faults.shift()() : json({ results: body.map(accept) }, 202)));
    const one = fate(room.send([chat(1), chat(2)]));
    await world.pass(60_000);
    const requests = world.made("POST", "/signals");
    assert.equal(requests.length, 6);
    assert.equal(new Set(requests.map(({ body }) => body.map(({ id }) => id).join())).size, 1);
    assert.equal(one.value.length, 2);
  });

  it("rejects an offer over the number of open sessions, which no waiting helps, and goes on with what follows", async () => {
    const over = { limit: "sessions", retry_after: 1 };
    world.on("POST signals", ({ body }) => {
      const index = body.findIndex(({ type }) => type === "offer");
      if (index < 0) return json({ results: body.map(accept) }, 202);
      if (index === 0) return problem(429, "rate-limited", over, { "Retry-After": "1" });
      return json({ results: body.slice(0, index).map(accept), refused: { index, problem: { type: "/problems/rate-limited", status: 429, detail: "", ...over } } }, 202);
    });
    const offer = { to: "bob", type: "offer", session: "s", data: {} };
    const alone = fate(room.send(offer));
    const among = fate(room.send([chat(1), offer, chat(2)]));
    await world.pass(10);
    for (const { error } of [alone, among]) assert.deepEqual([error?.slug, error?.limit, error?.passing], ["rate-limited", "sessions", false]);
    assert.deepEqual(among.error.results.map((result) => result !== null), [true, false, true]);
  });

  it("heeds Retry-After", async () => {
    let first = true;
    world.on("POST signals", ({ body }) => {
      if (!first) return json({ results: body.map(accept) }, 202);
      first = false;
      return problem(429, "rate-limited", {}, { "Retry-After": "9" });
    });
    const one = fate(room.send(chat(1)));
    await world.pass(8_900);
    assert.equal(sent().length, 1);
    await world.pass(1_000);
    assert.equal(sent().length, 2);
    assert.ok(one.value);
  });

  it("rejects the one that is refused and sends those after it again, in order", async () => {
    world.on("POST signals", ({ body }) => {
      const index = body.findIndex(({ data }) => data === "bad");
      if (index < 0) return json({ results: body.map(accept) }, 202);
      if (index === 0) return problem(404, "unknown-peer");
      return refusedOf("unknown-peer", 404, index, body);
    });
    const hold = fate(room.send(chat(0)));
    const fates = [1, 2, "bad", 3, "bad", 4].map((data) => fate(room.send(chat(data))));
    await world.pass(100);
    assert.deepEqual(sent(), [[0], [1, 2, "bad", 3, "bad", 4], [3, "bad", 4], [4]]);
    assert.deepEqual(fates.map(({ error }) => error?.slug), [undefined, undefined, "unknown-peer", undefined, "unknown-peer", undefined]);
    assert.ok(fates[2].error instanceof SwitchboardError && fates[2].error.status === 404);
    assert.ok(hold.value && fates[5].value);
  });

  it("rejects an array of which one was refused, and says what became of the others", async () => {
    world.on("POST signals", ({ body }) => (body.length === 3 ? refusedOf("unknown-peer", 404, 1, body) : json({ results: body.map(accept) }, 202)));
    const all = fate(room.send([chat(1), chat(2), chat(3)]));
    await world.pass(10);
    assert.equal(all.error.slug, "unknown-peer");
    assert.deepEqual(all.error.results.map((result) => result !== null), [true, false, true]);
  });

  it("finds the one that is too large when a whole request is refused", async () => {
    world.on("POST signals", ({ body }) => (body.some(({ data }) => data === "huge") ? problem(413, "too-large") : json({ results: body.map(accept) }, 202)));
    const all = fate(room.send([chat(1), chat("huge"), chat(3)]));
    await world.pass(100);
    assert.deepEqual(all.error.results.map((result) => result !== null), [true, false, true]);
  });

  it("waits for a full mailbox without holding up the others, and lets nothing overtake in it", async () => {
    let full = true;
    world.on("POST signals", ({ body }) => {
      const index = full ? body.findIndex(({ to }) => to === "bob") : -1;
      if (index < 0) return json({ results: body.map(accept) }, 202);
      if (index === 0) return problem(429, "mailbox-full", {}, { "Retry-After": "3" });
      return refusedOf("mailbox-full", 429, index, body);
    });
    const signals = [chat(1), chat(2, "carol"), chat(3), chat(4, "carol"), { type: "chat", data: 5 }, chat(6, "carol")];
    const fates = signals.map((signal) => fate(room.send(signal)));
    await world.pass(100);
    assert.ok(fates[1].value && fates[3].value, "carol's before the broadcast are through");
    assert.equal(fates[4].value, undefined, "the broadcast waits for bob's");
    full = false;
    await world.pass(5_000);
    assert.ok(fates.every(({ value }) => value));
    const order = sent().flat();
    const last = (data) => order.lastIndexOf(data);
    assert.ok(last(1) < last(3) && last(3) < last(5) && last(5) < last(6));
  });

  it("takes back what an abort finds unsent", async () => {
    let answer;
    world.on("POST signals", ({ body }) => new Promise((resolve) => (answer = () => resolve(json({ results: body.map(accept) }, 202)))));
    const abort = new AbortController();
    const first = fate(room.send(chat(1)));
    const second = fate(room.send(chat(2), { signal: abort.signal }));
    const third = fate(room.send(chat(3)));
    await world.pass(10);
    abort.abort();
    answer();
    await world.pass(10);
    answer();
    await world.pass(10);
    assert.deepEqual(sent(), [[1], [3]]);
    assert.equal(second.error.name, "AbortError");
    assert.ok(first.value && third.value);
  });

  it("tries again at once when the network is back", async () => {
    world.on("POST signals", () => Promise.reject(new TypeError("offline")));
    const one = fate(room.send(chat(1)));
    await world.pass(120_000);
    const before = sent().length;
    world.on("POST signals", ({ body }) => json({ results: body.map(accept) }, 202));
    world.tell("online");
    await world.pass(1);
    assert.equal(sent().length, before + 1);
    assert.ok(one.value);
  });

  it("gives up on a proxy's own refusal after some tries", async () => {
    world.on("POST signals", () => new Response("<h1>Forbidden</h1>", { status: 403 }));
    const one = fate(room.send(chat(1)));
    await world.pass(120_000);
    assert.equal(one.error.status, 403);
    assert.equal(one.error.foreign, true);
  });

  it("leave waits for what is still to be sent, then refuses what comes after", async () => {
    let answer;
    world.on("POST signals", ({ body }) => new Promise((resolve) => (answer = () => resolve(json({ results: body.map(accept) }, 202)))));
    const bye = fate(room.send(chat("bye")));
    const leaving = room.leave("done");
    await world.pass(100);
    assert.equal(world.requests.filter(({ path }) => path.endsWith("/leave")).length, 0);
    answer();
    await world.pass(10);
    await leaving;
    assert.ok(bye.value);
    const [left] = world.requests.filter(({ path }) => path.endsWith("/leave"));
    assert.equal(left.query.get("detail"), "done");
    await assert.rejects(room.send(chat(1)), { status: 410, slug: "ended", reason: "left" });
  });
});
