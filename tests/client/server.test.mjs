/** The client against the real server. */

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { join, makeKey } from "../../web/client/switchboard.js";
import { NodeEventSource } from "./harness/eventsource.mjs";
import { Cutter, Hoarder, Server, binary } from "./harness/server.mjs";
import { FakeStorage } from "./harness/world.mjs";

const DEADLINE_MS = 20_000;

/** Until something is so; looked at after each event of these rooms. */
function until(isSo, what, ...rooms) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not within ${DEADLINE_MS} ms: ${what}`)), DEADLINE_MS);
    const look = () => {
      if (!isSo()) return;
      clearTimeout(timer);
      for (const room of rooms) for (const name of NAMES) room.removeEventListener(name, look);
      resolve();
    };
    for (const room of rooms) for (const name of NAMES) room.addEventListener(name, look);
    look();
  });
}

const NAMES = ["ready", "signal", "peer-joined", "peer-updated", "peer-away", "peer-back", "peer-left", "session-ended", "ping", "end", "transport", "state", "gap", "peers", "rejoined"];

describe("the client and the real server", { timeout: 120_000 }, () => {
  /** @type {Server} */
  let server;
  let count = 0;
  /** What a test started, in the order of its end. */
  const started = [];
  const rooms = [];

  before(async () => {
    binary();
    globalThis.EventSource = NodeEventSource;
    server = await Server.start();
  });
  after(async () => {
    delete globalThis.EventSource;
    await server?.stop();
  });
  afterEach(async () => {
    for (const room of rooms.splice(0)) room.close();
    for (const thing of started.splice(0).reverse()) await thing.stop();
    delete globalThis.sessionStorage;
  });

  const name = () => `room-${(count += 1)}`;
  const enter = async (url, room, options) => {
    const entered = await join(url, room, { remember: false, ...options });
    rooms.push(entered);
    entered.heard = [];
    for (const event of NAMES) entered.addEventListener(event, ({ detail }) => entered.heard.push([event, detail]));
    return entered;
  };
  const of = (room, event) => room.heard.filter(([name]) => name === event).map(([, data]) => data);
  const data = (room) => of(room, "signal").map(({ data }) => data);

  for (const transport of ["sse", "poll"]) {
    it(`meet and talk over ${transport} under a key, of which the server learns nothing`, async () => {
      const room = name();
      const key = makeKey();
      const alice = await enter(server.url, room, { peer: "alice", meta: { name: "Ada" }, transport, key });
      const bob = await enter(server.url, room, { peer: "bob", meta: { name: "Bob" }, transport, key });
      const eve = await enter(server.url, room, { peer: "eve", transport });
      await until(() => alice.peers.has("eve") && alice.peers.has("bob"), "alice sees both", alice);
      assert.deepEqual(bob.peers.get("alice").meta, { name: "Ada" });
      assert.deepEqual(alice.peers.get("bob").meta, { name: "Bob" });
      const numbers = Array.from({ length: 200 }, (_, n) => n);
      await Promise.all(numbers.map((n) => alice.send({ ...(n % 10 === 0 ? {} : { to: "bob" }), type: "n", data: n })));
      await until(() => data(bob).length === 200, "all numbers", bob);
      assert.deepEqual(data(bob), numbers);
      const [{ session }] = await alice.send({ to: "bob", type: "offer", data: { sdp: "v=0" } });
      await alice.send({ to: "bob", type: "bye", data: { why: "enough" } });
      await until(() => of(bob, "session-ended").length === 1, "the bye", bob);
      assert.deepEqual(of(bob, "session-ended")[0], { session, peer: "alice", reason: "hangup", data: { why: "enough" } });
      assert.deepEqual(bob.problems, new Map([["eve", bob.problems.get("eve")]]));
      assert.equal(bob.problems.get("eve").slug, "no-key");
      // As the server has it, so has who comes without the key.
      assert.deepEqual([...eve.problems.values()].map(({ slug }) => slug), ["sealed", "sealed"]);
      await alice.send({ to: "eve", type: "n", data: "for your eyes only" });
      const own = await fetch(`${server.url}/rooms/${room}/peers`).then((response) => response.text());
      assert.doesNotMatch(own, /Ada|Bob/);
      assert.match(own, /"sealed"/);
      assert.deepEqual(of(eve, "signal"), []);
    });
  }

  it("agree on how large a signal may be that is sealed", async () => {
    const room = name();
    const key = makeKey();
    const alice = await enter(server.url, room, { peer: "alice", key, meta: "x".repeat(2_900) });
    const bob = await enter(server.url, room, { peer: "bob", key });
    let [largest, least, refusal] = [0, 65_536, undefined];
    while (largest + 1 < least) {
      const middle = (largest + least) >> 1;
      const refused = await alice.send({ to: "bob", type: "n", data: "x".repeat(middle) }).then(() => undefined, (error) => error);
      if (refused) [least, refusal] = [middle, refused];
      else largest = middle;
    }
    assert.ok(largest > 49_000 && least < 49_152, `${largest}`);
    // The server has taken every one that was not refused here, and says the same of one that is a byte larger.
    const plain = await enter(server.url, room, { peer: "carol" });
    const theirs = await plain.send({ to: "bob", type: "n", data: "x".repeat(65_535) }).then(() => undefined, (error) => error);
    assert.deepEqual([refusal.status, refusal.slug], [theirs.status, theirs.slug]);
    assert.deepEqual([refusal.status, refusal.slug], [413, "too-large"]);
    assert.equal(bob.peers.get("alice").meta.length, 2_900);
  });

  for (const transport of ["auto", "sse", "poll"]) {
    it(`meet, talk and part over ${transport}`, async () => {
      const room = name();
      const alice = await enter(server.url, room, { peer: "alice", meta: { n: 1 }, transport });
      const bob = await enter(server.url, room, { peer: "bob", transport });
      assert.ok(alice.order < bob.order);
      assert.deepEqual(bob.peers.get("alice").meta, { n: 1 });
      await until(() => alice.peers.has("bob"), "alice sees bob", alice);
      await bob.setMeta({ n: 2 });
      await until(() => alice.peers.get("bob").meta?.n === 2, "alice sees his meta", alice);

      const [{ session, to }] = await alice.send({ to: "bob", type: "offer", data: { sdp: "o" } });
      assert.equal(to[0].peer, "bob");
      await until(() => data(bob).length === 1, "the offer", bob);
      assert.deepEqual(bob.sessions.get(session), { session, peer: "alice", state: "offered" });
      await bob.send([{ to: "alice", type: "answer", session, data: { sdp: "a" } }, { to: "alice", type: "candidate", session, data: { candidate: "c" } }]);
      await until(() => data(alice).length === 2, "answer and candidate", alice);
      assert.deepEqual(data(alice), [{ sdp: "a" }, { candidate: "c" }]);
      assert.equal(alice.sessions.get(session).state, "answered");

      await bob.send({ to: "alice", type: "bye", session, data: { tired: true } });
      await until(() => of(alice, "session-ended").length === 1, "the end of the session", alice);
      assert.deepEqual(of(alice, "session-ended")[0], { session, peer: "bob", reason: "hangup", data: { tired: true } });
      assert.equal(alice.sessions.size + bob.sessions.size, 0);
      await bob.leave();
      await until(() => of(alice, "peer-left").length === 1, "bob's leaving", alice);
      assert.deepEqual(of(alice, "peer-left"), [{ peer: "bob", reason: "left" }]);
      assert.equal(alice.transport, transport === "poll" ? "poll" : "sse");
    });
  }

  it("a switch of transport in mid-call loses and repeats nothing", async () => {
    const room = name();
    const alice = await enter(server.url, room, { peer: "alice" });
    const bob = await enter(server.url, room, { peer: "bob" });
    const total = 400;
    const modes = ["poll", "sse", "auto"];
    let used = "sse";
    for (let sent = 0; sent < total; sent += 1) {
      await alice.send({ to: "bob", type: "chat", data: sent });
      if (sent % 40 !== 20) continue;
      // The former change has come to pass, whatever the machine is busy with; signals flow during this one.
      await until(() => bob.transport === used, "the former change", bob);
      const mode = modes[(sent / 40) % 3 | 0];
      bob.setTransport(mode);
      used = mode === "poll" ? "poll" : "sse";
    }
    await until(() => data(bob).length >= total, "all of them", bob);
    assert.deepEqual(data(bob), Array.from({ length: total }, (_, n) => n));
    assert.ok(of(bob, "transport").length >= 3);
    assert.equal(of(bob, "end").length, 0);
  });

  it("a path that is cut again and again delays, loses and repeats nothing", async () => {
    const cutter = await Cutter.start(server.port);
    started.push(cutter);
    const room = name();
    const alice = await enter(cutter.url, room, { peer: "alice" });
    const bob = await enter(cutter.url, room, { peer: "bob" });
    const total = 200;
    const sends = [];
    for (let n = 0; n < total; n += 1) {
      sends.push(alice.send({ to: "bob", type: "chat", data: n }));
      if (n % 50 === 49) {
        cutter.cut();
        await Promise.all(sends);
      }
    }
    await until(() => data(bob).length >= total, "all of them", bob);
    assert.deepEqual(data(bob), Array.from({ length: total }, (_, n) => n));
    assert.ok(cutter.cuts >= 4);
    assert.deepEqual([alice.end, bob.end], [null, null]);
  });

  it("a path that holds streams back is found out within some 3 s and passed by", async () => {
    const hoarder = await Hoarder.start(server.url);
    started.push(hoarder);
    const room = name();
    const alice = await enter(server.url, room, { peer: "alice" });
    const began = Date.now();
    const bob = await enter(hoarder.url, room, { peer: "bob" });
    await alice.send({ to: "bob", type: "chat", data: 1 });
    await until(() => data(bob).length === 1, "the signal by long-poll", bob);
    // Three seconds on a machine that has nothing else to do.
    assert.ok(Date.now() - began < 15_000, `${Date.now() - began} ms`);
    assert.deepEqual(of(bob, "transport"), [{ transport: "poll", why: "unproved" }]);
    await bob.send({ to: "alice", type: "chat", data: 2 });
    await until(() => data(alice).length === 1, "the way back", alice);
    assert.ok(!hoarder.seen.some((line) => /cursor|last.?event/i.test(line)), "no cursor in a URL");
  });

  it("a newer reader elsewhere ends the room with replaced", async () => {
    const alice = await enter(server.url, name(), { peer: "alice", transport: "sse" });
    await until(() => alice.transport === "sse", "the stream", alice);
    await until(() => of(alice, "ping").length > 0, "its proof", alice);
    const token = await tokenOf(alice);
    const other = await fetch(`${server.url}/rooms/${alice.name}/peers/alice/poll?wait=0`, { headers: { Authorization: `Bearer ${token}` } });
    assert.equal(other.status, 200);
    await until(() => alice.end, "its end", alice);
    assert.equal(alice.end.reason, "replaced");
  });

  it("a reload is the same peer as a new incarnation, and the others are told", async () => {
    globalThis.sessionStorage = new FakeStorage();
    const room = name();
    const bob = await enter(server.url, room, { peer: "bob" });
    const before = await enter(server.url, room, { remember: true });
    await until(() => bob.peers.has(before.peer), "the first", bob);
    const { order } = bob.peers.get(before.peer);
    before.close();
    const after = await enter(server.url, room, { remember: true });
    assert.equal(after.peer, before.peer);
    await until(() => bob.peers.get(after.peer)?.order > order, "the second", bob);
    assert.deepEqual(of(bob, "peer-left"), [{ peer: before.peer, reason: "rejoined" }]);
  });

  it("a refusal in an array reaches the one it is about", async () => {
    const room = name();
    const alice = await enter(server.url, room, { peer: "alice" });
    const bob = await enter(server.url, room, { peer: "bob" });
    const fates = await Promise.allSettled([
      alice.send({ to: "bob", type: "chat", data: 1 }),
      alice.send({ to: "nobody", type: "chat", data: 2 }),
      alice.send({ to: "bob", type: "chat", data: "x".repeat(70_000) }),
      alice.send({ to: "bob", type: "chat", data: 3 }),
    ]);
    assert.deepEqual(fates.map(({ status, reason }) => reason?.slug ?? status), ["fulfilled", "unknown-peer", "too-large", "fulfilled"]);
    await until(() => data(bob).length === 2, "the two", bob);
    assert.deepEqual(data(bob), [1, 3]);
  });

  it("a full mailbox is waited for, and nothing is lost", async () => {
    const small = await Server.start(["--mailbox-events", "32"]);
    started.push(small);
    const room = name();
    const alice = await enter(small.url, room, { peer: "alice" });
    const bob = await enter(small.url, room, { peer: "bob", transport: "poll" });
    const sends = Array.from({ length: 60 }, (_, n) => alice.send({ to: "bob", type: "chat", data: n }));
    await Promise.all(sends);
    await until(() => data(bob).length >= 60, "all of them", bob);
    assert.deepEqual(data(bob), Array.from({ length: 60 }, (_, n) => n));
  });

  it("a server that comes back without its memory is joined again", async () => {
    const first = await Server.start();
    started.push(first);
    const room = name();
    const alice = await enter(first.url, room, { peer: "alice", meta: { n: 1 } });
    const bob = await enter(first.url, room, { peer: "bob", transport: "poll" });
    const [{ session }] = await alice.send({ to: "bob", type: "offer", data: {} });
    await until(() => bob.sessions.has(session), "the session", bob);
    await first.stop("SIGKILL");
    const second = await Server.start([], first.port);
    started.push(second);
    await until(() => of(alice, "rejoined").length + of(bob, "rejoined").length === 2, "both join again", alice, bob);
    await until(() => alice.peers.has("bob") && bob.peers.has("alice"), "they meet again", alice, bob);
    assert.deepEqual(of(bob, "session-ended"), [{ session, peer: "alice", reason: "unknown" }]);
    assert.deepEqual(bob.peers.get("alice").meta, { n: 1 });
    await alice.send({ to: "bob", type: "chat", data: "again" });
    await until(() => data(bob).includes("again"), "they talk again", bob);
  });

  it("a restart with a state file loses nothing that was accepted", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "switchboard-"));
    started.push({ stop: () => rm(folder, { recursive: true }) });
    const options = ["--state-file", path.join(folder, "state"), "--drain", "1s"];
    const first = await Server.start(options);
    started.push(first);
    const room = name();
    const alice = await enter(first.url, room, { peer: "alice" });
    const bob = await enter(first.url, room, { peer: "bob" });
    await until(() => alice.peers.has("bob"), "bob", alice);
    const sends = Array.from({ length: 20 }, (_, n) => alice.send({ to: "bob", type: "chat", data: n }));
    await Promise.all(sends);
    const stopping = first.stop("SIGTERM");
    const during = Array.from({ length: 20 }, (_, n) => alice.send({ to: "bob", type: "chat", data: 20 + n }));
    await stopping;
    const second = await Server.start(options, first.port);
    started.push(second);
    await Promise.all(during);
    await until(() => data(bob).length >= 40, "all of them", bob);
    assert.deepEqual(data(bob), Array.from({ length: 40 }, (_, n) => n));
    assert.deepEqual([of(alice, "rejoined"), of(bob, "rejoined")], [[], []]);
    assert.deepEqual(of(alice, "peer-left"), []);
  });

  it("an operator's word ends it", async () => {
    const guarded = await Server.start(["--operator-token", "op-token-for-tests"]);
    started.push(guarded);
    const room = name();
    const alice = await enter(guarded.url, room, { peer: "alice" });
    const bob = await enter(guarded.url, room, { peer: "bob", transport: "sse" });
    const carol = await enter(guarded.url, room, { peer: "carol", transport: "poll" });
    await until(() => of(bob, "ping").length > 0, "bob's stream", bob);
    const kick = await fetch(`${guarded.url}/rooms/${room}/peers/bob?detail=noise`, { method: "DELETE", headers: { Authorization: "Bearer op-token-for-tests" } });
    assert.equal(kick.status, 204);
    await until(() => bob.end, "the kick", bob);
    assert.deepEqual(bob.end, { reason: "kicked", retry: "never", detail: "noise" });
    await until(() => of(alice, "peer-left").length === 1, "the word of it", alice);
    assert.deepEqual(of(alice, "peer-left"), [{ peer: "bob", reason: "kicked" }]);
    await fetch(`${guarded.url}/rooms/${room}`, { method: "DELETE", headers: { Authorization: "Bearer op-token-for-tests" } });
    await until(() => alice.end, "the closing", alice);
    await until(() => carol.end, "the closing, by poll", carol);
    assert.deepEqual([alice.end.reason, carol.end.reason], ["room-closed", "room-closed"]);
  });
});

/** The token of a room's peer, learnt from a request of its own. */
async function tokenOf(room) {
  const { fetch } = globalThis;
  let token;
  globalThis.fetch = (url, init) => {
    token ??= init?.headers?.Authorization?.slice("Bearer ".length);
    return fetch(url, init);
  };
  try {
    await room.setMeta({});
  } finally {
    globalThis.fetch = fetch;
  }
  return token;
}
