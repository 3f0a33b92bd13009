/** A room with a key: the order of what is told and sent while things are opened and sealed, and what is not handed on. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, mock } from "node:test";
import { Secrecy } from "../../web/client/secrecy.js";
import { connect, join, makeKey } from "../../web/client/switchboard.js";
import { FakePeerConnection } from "./harness/peer.mjs";
import { FakeEventSource, World, accept, cursorOf, event, json, listen, problem } from "./harness/world.mjs";

const KEY = makeKey();
const TOLD = ["signal", "peer-joined", "peer-updated", "peer-away", "peer-left", "session-ended", "problem", "state", "end", "ready", "ping", "gap", "rejoined"];
const OFFER = { type: "offer", sdp: "v=0\r\na=ice-ufrag:theirs\r\n" };

/** Cryptography takes its time on threads of its own, which no clock of a test moves. */
async function until(isSo) {
  for (let turn = 0; turn < 20_000 && !isSo(); turn += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(isSo(), `not so: ${isSo}`);
}

/** All that is under way and not held comes to its end. */
async function calm() {
  // A round through the same threads, behind whatever else is there.
  for (let round = 0; round < 5; round += 1) {
    await crypto.subtle.digest("SHA-256", new Uint8Array(8));
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Holds the results of a method of `crypto.subtle` back, to let them go in any order. */
function hold(method) {
  const original = crypto.subtle[method].bind(crypto.subtle);
  const held = [];
  mock.method(crypto.subtle, method, async (...given) => {
    const result = original(...given);
    result.catch(() => {});
    await new Promise((go) => held.push(go));
    return result;
  });
  return held;
}

describe("a room with a key", () => {
  /** @type {World} */
  let world;
  let room;
  let bob;
  let seq;
  beforeEach(async () => {
    world = new World();
    bob = await Secrecy.of(KEY, "r");
    seq = 0;
    FakePeerConnection.all = [];
    globalThis.RTCPeerConnection = FakePeerConnection;
  });
  afterEach(() => {
    room?.close();
    room = undefined;
    delete globalThis.RTCPeerConnection;
    world.end();
  });

  const enter = async (options = {}) => {
    world.joinAnswer = { peers: [{ peer: "bob", meta: await bob.sealMeta("bob", { name: "Bob" }), state: "live", order: 0 }], ...world.joinAnswer };
    room = await join("http://server.test", "r", { peer: "me", key: KEY, ...options });
    await world.pass(1);
    if (options.transport !== "poll") FakeEventSource.last.prove();
    await calm();
    return listen(room, ...TOLD);
  };
  const emit = (name, data) => FakeEventSource.last.emit(name, data, cursorOf((seq += 1)));
  const says = async (data, more = {}) => ({ from: "bob", ...(await bob.seal("bob", { to: "me", type: "chat", data, ...more })), to: undefined });
  const names = (heard) => heard.map(([name, detail]) => (name === "signal" ? detail.data : name));
  const signals = () => world.made("POST", "/signals").flatMap(({ body }) => body);

  it("hands on what it opens, and nobody between sees it", async () => {
    const heard = await enter({ meta: { name: "Me" } });
    assert.equal(room.sealed, true);
    assert.deepEqual(room.peers.get("bob").meta, { name: "Bob" });
    emit("signal", await says({ secret: "word" }, { session: "s1" }));
    emit("peer-joined", { peer: "carol", meta: await bob.sealMeta("carol", { name: "Carol" }), order: 2 });
    emit("peer-updated", { peer: "carol", meta: await bob.sealMeta("carol", { name: "Caroline" }), order: 2 });
    emit("session-ended", { session: "s1", peer: "bob", reason: "hangup", data: (await bob.seal("bob", { to: "me", type: "bye", session: "s1", data: "so long" })).data });
    emit("session-ended", { session: "s2", peer: "bob", reason: "left" });
    await until(() => heard.length >= 5);
    assert.deepEqual(heard.map(([name]) => name), ["signal", "peer-joined", "peer-updated", "session-ended", "session-ended"]);
    assert.deepEqual(heard[0][1], { from: "bob", type: "chat", session: "s1", data: { secret: "word" } });
    assert.deepEqual(room.peers.get("carol").meta, { name: "Caroline" });
    assert.deepEqual(heard[3][1], { session: "s1", peer: "bob", reason: "hangup", data: "so long" });
    assert.deepEqual(heard[4][1], { session: "s2", peer: "bob", reason: "left" });
    await room.send([{ to: "bob", type: "offer", data: OFFER }, { type: "chat", data: "to all of you" }, { to: "bob", type: "call-again" }]);
    await room.setMeta({ name: "Myself" });
    const asked = JSON.stringify(world.requests.map(({ url, headers, body }) => [url, headers, body]));
    for (const word of ["v=0", "to all of you", "Myself", '"Me"', KEY]) assert.ok(!asked.includes(word), word);
    assert.ok(!JSON.stringify(world.storage.keys().map((key) => [key, world.storage.getItem(key)])).includes(KEY));
    // They open on the other side, each with what the server tells of it.
    const [offer, toAll, again] = signals();
    assert.deepEqual((await bob.openSignal({ from: "me", ...offer }, "bob")).data, OFFER);
    assert.equal((await bob.openSignal({ from: "me", ...toAll }, "bob")).data, "to all of you");
    assert.equal((await bob.openSignal({ from: "me", ...again }, "bob")).error, undefined);
    const metas = [...world.made("POST", "/rooms/r/peers").map(({ body }) => body.meta), ...world.made("POST", "/meta").map(({ body }) => body)];
    const { peers } = await bob.openPeers(metas.map((meta) => ({ peer: "me", meta })));
    assert.deepEqual(peers.map(({ meta }) => meta.name), ["Me", "Myself"]);
  });

  it("tells everything in the order in which it came, however long each takes to open", async () => {
    const heard = await enter();
    const left = { peer: "bob", reason: "left" };
    const coming = [await says(1), await says(2), await says(3)];
    const bye = (await bob.seal("bob", { to: "me", type: "bye", session: "s", data: 4 })).data;
    const carol = { peer: "carol", meta: await bob.sealMeta("carol", {}), order: 2 };
    const held = hold("decrypt");
    emit("signal", coming[0]);
    emit("peer-away", { peer: "bob", grace_ms: 1 });
    emit("signal", coming[1]);
    emit("session-ended", { session: "s", peer: "bob", reason: "hangup", data: bye });
    emit("peer-joined", carol);
    emit("signal", coming[2]);
    emit("peer-left", left);
    FakeEventSource.last.emit("ping");
    await until(() => held.length === 5);
    await calm();
    assert.deepEqual(heard, [], "nothing overtakes the first");
    for (const go of held.slice(1).reverse()) go();
    await calm();
    assert.deepEqual(heard, []);
    held[0]();
    await until(() => heard.some(([name]) => name === "ping"));
    assert.deepEqual(names(heard), [1, "peer-away", 2, "session-ended", "peer-joined", 3, "peer-left", "ping"]);
    assert.deepEqual([...room.peers.keys()], ["carol"]);
    // With nothing to open there is nothing to wait for.
    emit("peer-away", { peer: "carol", grace_ms: 1 });
    assert.equal(heard.at(-1)[0], "peer-away");
  });

  it("has another reader go on where it has handed on, and takes no event twice", async () => {
    const heard = await enter();
    emit("signal", await says(1));
    await until(() => heard.length === 1);
    const [two, three, four] = [await says(2), await says(3), await says(4)];
    const held = hold("decrypt");
    emit("signal", two);
    emit("signal", three);
    await until(() => held.length === 2);
    FakeEventSource.last.fail(2);
    await world.until(() => FakeEventSource.all.length === 2, 5_000);
    const tickets = world.made("POST", "/tickets").map(({ body }) => body.cursor);
    assert.deepEqual(tickets, [cursorOf(1)], "of what has come and is not handed on, nothing is acknowledged");
    FakeEventSource.last.ready({ seq: 1, replayed: 3 });
    for (const [n, signal] of [two, three, four].entries()) FakeEventSource.last.emit("signal", signal, cursorOf(n + 2));
    await until(() => held.length === 5);
    for (const go of held.reverse()) go();
    await until(() => names(heard).includes(4));
    assert.deepEqual(heard.filter(([name]) => name === "signal" || name === "problem").map(([, { data }]) => data), [1, 2, 3, 4]);
    assert.equal(room.problems.size, 0);
  });

  it("polls on only when all of an answer is handed on", async () => {
    const heard = await enter({ transport: "poll" });
    await until(() => world.held.length === 1);
    const held = hold("decrypt");
    const first = event(1, "signal", await says(1));
    const polls = () => world.requests.filter(({ path }) => path.endsWith("/poll")).length;
    const before = polls();
    world.held[0].answer({ events: [first, event(2, "peer-away", { peer: "bob" }), event(3, "signal", await says(2))], cursor: cursorOf(3) });
    await until(() => held.length === 2);
    held[1]();
    await calm();
    await world.pass(1_000);
    assert.equal(polls(), before, "the next poll acknowledges, so it waits");
    assert.deepEqual(heard, []);
    held[0]();
    await until(() => heard.length === 3);
    assert.deepEqual(names(heard), [1, "peer-away", 2]);
    await until(() => polls() > before);
    assert.equal(world.requests.at(-1).headers["last-event-id"], cursorOf(3));
  });

  it("is not over before what came first is told", async () => {
    const heard = await enter();
    const held = hold("decrypt");
    emit("signal", await says("last words"));
    FakeEventSource.last.emit("end", { reason: "kicked", retry: "never" });
    await until(() => held.length === 1);
    await calm();
    assert.equal(room.end, null);
    held[0]();
    await until(() => room.end !== null);
    assert.deepEqual(names(heard), ["last words", "end", "state"]);
    await assert.rejects(room.send({ to: "bob", type: "chat", data: 1 }), { slug: "ended", reason: "kicked" });
  });

  it("is not over by the answer to a request before what came first is told", async () => {
    const heard = await enter();
    const held = hold("decrypt");
    emit("signal", await says("last words"));
    await until(() => held.length === 1);
    world.on("POST signals", () => problem(410, "ended", { reason: "kicked" }));
    const sending = assert.rejects(room.send({ to: "bob", type: "chat", data: 1 }), { slug: "ended" });
    await calm();
    assert.equal(room.end, null);
    held[0]();
    await sending;
    assert.deepEqual(names(heard), ["last words", "end", "state"]);
  });

  it("drops what is still to be opened when the application leaves", async () => {
    const heard = await enter();
    const held = hold("decrypt");
    emit("signal", await says(1));
    emit("peer-away", { peer: "bob" });
    await until(() => held.length === 1);
    await room.leave();
    held[0]();
    await calm();
    assert.deepEqual(names(heard), ["end", "state"]);
  });

  describe("sending", () => {
    it("seals each signal once: what is sent again is the same to the byte", async () => {
      await enter();
      const bodies = [];
      const { fetch } = globalThis;
      globalThis.fetch = (url, init) => {
        if (String(url).endsWith("/signals")) bodies.push(init.body);
        return fetch(url, init);
      };
      const faults = [() => Promise.reject(new TypeError("cut")), () => problem(503, "overloaded"), () => problem(429, "rate-limited", {}, { "Retry-After": "1" }), () => problem(429, "mailbox-full")];
      world.on("POST signals", ({ body }) => (faults.length > 0 ? faults.shift()() : json({ results: body.map(accept) }, 202)));
      const sent = room.send([{ to: "bob", type: "offer", data: OFFER }, { to: "bob", type: "candidate", session: "s", data: [1] }]);
      await until(() => bodies.length === 1);
      await world.pass(60_000);
      const results = await sent;
      assert.equal(bodies.length, 5);
      assert.equal(new Set(bodies).size, 1);
      assert.equal(results.length, 2);
      assert.equal(room.sessions.size, 1);
    });

    it("keeps the order, however long each takes to seal, and goes in as few requests as before", async () => {
      await enter();
      const held = hold("encrypt");
      const seven = Promise.all([1, 2, 3, 4, 5, 6, 7].map((data) => room.send({ to: data % 3 === 0 ? undefined : "bob", type: "chat", data })));
      await until(() => held.length === 7);
      await calm();
      assert.deepEqual(signals(), []);
      for (const go of held.reverse()) go();
      await seven;
      const opened = await Promise.all(signals().map((signal) => bob.openSignal({ from: "me", ...signal }, "bob")));
      assert.deepEqual(opened.map(({ data }) => data), [1, 2, 3, 4, 5, 6, 7]);
      assert.ok(opened.every((message) => bob.isNext(message)));
      assert.equal(world.made("POST", "/signals").length, 1);
    });

    it("sends what a signal was when it was given", async () => {
      await enter();
      const data = { n: 1 };
      const sent = room.send({ to: "bob", type: "chat", data });
      data.n = 2;
      await sent;
      assert.deepEqual((await bob.openSignal({ from: "me", ...signals()[0] }, "bob")).data, { n: 1 });
      await assert.rejects(room.send({ to: "bob", type: "chat", data: 7n }), TypeError);
    });

    it("takes back what an abort finds unsealed, and refuses it when the room is over", async () => {
      await enter();
      const held = hold("encrypt");
      const abort = new AbortController();
      const first = room.send({ to: "bob", type: "chat", data: 1 }, { signal: abort.signal });
      const second = room.send({ to: "bob", type: "chat", data: 2 });
      await until(() => held.length === 2);
      abort.abort();
      await assert.rejects(first, { name: "AbortError" });
      for (const go of held) go();
      await second;
      assert.equal(signals().length, 1);
      const third = room.send({ to: "bob", type: "chat", data: 3 });
      await until(() => held.length === 3);
      room.close();
      held[2]();
      await assert.rejects(third, { slug: "ended" });
      await calm();
      assert.equal(signals().length, 1);
    });

    it("leaves only once what is to be said is sealed and sent", async () => {
      await enter();
      const held = hold("encrypt");
      const bye = room.send({ to: "bob", type: "bye", session: "s", data: "so long" });
      await until(() => held.length === 1);
      const leaving = room.leave();
      await calm();
      assert.equal(world.made("POST", "/leave").length, 0);
      held[0]();
      await bye;
      await leaving;
      assert.equal(world.made("POST", "/leave").length, 1);
    });

    it("refuses the one that is too large once sealed, as the server would, and sends those beside it", async () => {
      await enter();
      const sent = room.send([{ to: "bob", type: "chat", data: 1 }, { to: "bob", type: "chat", data: "x".repeat(50_000) }, { to: "bob", type: "chat", data: 3 }]);
      await assert.rejects(sent, (error) => error.status === 413 && error.slug === "too-large" && /sealed/.test(error.detail) && error.results.map((result) => result !== null).join() === "true,false,true");
      assert.equal(signals().length, 2);
      await assert.rejects(room.setMeta("x".repeat(4_000)), { status: 413, slug: "too-large" });
      await assert.rejects(join("http://server.test", "r", { key: KEY, meta: "x".repeat(4_000) }), { status: 413, slug: "too-large" });
    });

    it("waits for a full mailbox as it does without a key", async () => {
      await enter();
      let full = true;
      world.on("POST signals", ({ body }) => (full ? problem(429, "mailbox-full", {}, { "Retry-After": "3" }) : json({ results: body.map(accept) }, 202)));
      const one = room.send({ to: "bob", type: "chat", data: 1 });
      await until(() => signals().length === 1);
      await world.pass(1_000);
      assert.equal(signals().length, 1);
      full = false;
      await world.pass(10_000);
      await one;
    });
  });

  describe("what can't be read", () => {
    it("is not handed on, and told once for each peer, also what is not sealed at all", async () => {
      const heard = await enter();
      const kept = [];
      room.backlog.claim({ peer: "bob", session: undefined, take: (signal) => kept.push(signal) });
      emit("signal", { from: "bob", type: "offer", session: "s1", data: OFFER });
      emit("signal", { from: "bob", type: "candidate", session: "s1", data: [] });
      emit("signal", { from: "bob", type: "call-again", data: null });
      emit("signal", await says("still here"));
      await until(() => names(heard).includes("still here"));
      assert.deepEqual(names(heard), ["problem", "still here"]);
      const { peer, type, error } = heard[0][1];
      assert.deepEqual([peer, type, error.slug], ["bob", "offer", "no-key"]);
      assert.match(error.detail, /bob has no key/);
      assert.deepEqual(kept, []);
      assert.deepEqual([...room.sessions], []);
      assert.equal(room.problems.size, 0, "bob has the key, whoever made those up");
    });

    it("moves the cursor all the same", async () => {
      const heard = await enter();
      emit("signal", { from: "bob", type: "chat", data: 1 });
      await until(() => heard.length === 1);
      FakeEventSource.last.fail(2);
      await world.pass(5_000);
      assert.deepEqual(world.made("POST", "/tickets").map(({ body }) => body.cursor), [cursorOf(1)]);
    });

    it("is an offer into which an operator writes another fingerprint, or moves from another session, or brings again", async () => {
      const heard = await enter();
      const offer = await says(OFFER, { type: "offer", session: "s1" });
      const [version, id, box] = offer.data.sealed.split(".");
      const bytes = Buffer.from(box, "base64url");
      bytes[40] ^= 1;
      emit("signal", { ...offer, data: { sealed: `${version}.${id}.${bytes.toString("base64url")}` } });
      emit("signal", { ...offer, session: "s2" });
      emit("signal", { ...offer, from: "carol" });
      emit("signal", offer);
      emit("signal", offer);
      emit("peer-away", { peer: "bob" });
      await until(() => names(heard).includes("peer-away"));
      const told = heard.map(([name, detail]) => (name === "problem" ? `${detail.peer} ${detail.error.slug}` : name));
      assert.deepEqual(told, ["bob tampered", "carol tampered", "signal", "bob replayed", "peer-away"]);
      assert.deepEqual(heard[2][1].data, OFFER);
    });

    it("is the bye's data, not the end that it came with", async () => {
      const heard = await enter();
      emit("session-ended", { session: "s1", peer: "bob", reason: "hangup", data: { reason: "failed" } });
      await until(() => heard.length === 2);
      assert.deepEqual(heard[0], ["session-ended", { session: "s1", peer: "bob", reason: "hangup" }]);
      assert.deepEqual([heard[1][0], heard[1][1].peer, heard[1][1].error.slug], ["problem", "bob", "no-key"]);
    });

    it("is known of those who were there before, and of those who come, until they go", async () => {
      const other = await Secrecy.of(makeKey(), "r");
      world.joinAnswer = {
        peers: [
          { peer: "bob", meta: await other.sealMeta("bob", { name: "Bob" }), state: "live", order: 0 },
          { peer: "dave", meta: { name: "Dave" }, state: "live", order: 1 },
        ],
      };
      const heard = await enter();
      assert.deepEqual([...room.problems].map(([peer, { slug }]) => `${peer} ${slug}`), ["bob other-key", "dave no-key"]);
      assert.deepEqual([...room.peers.values()].map(({ meta }) => meta), [null, null]);
      let known;
      room.addEventListener("peer-joined", ({ detail }) => (known = room.problems.get(detail.peer)?.slug), { once: true });
      emit("peer-joined", { peer: "erin", meta: { name: "Erin" }, order: 5 });
      await until(() => heard.length === 2);
      assert.equal(known, "no-key", "known when she is told of");
      assert.deepEqual(heard.map(([name, { peer }]) => `${name} ${peer}`), ["peer-joined erin", "problem erin"]);
      emit("peer-left", { peer: "erin", reason: "left" });
      emit("peer-joined", { peer: "erin", meta: await bob.sealMeta("erin", {}), order: 6 });
      await until(() => heard.length === 4);
      assert.equal(room.problems.has("erin"), false);
    });

    it("ends a call with who has no key, and no other by what an operator puts in", async () => {
      world.joinAnswer = { peers: [{ peer: "bob", meta: {}, state: "live", order: 5 }, { peer: "carol", meta: await bob.sealMeta("carol", {}), state: "live", order: 6 }] };
      await enter();
      const toBob = connect(room, "bob");
      const told = listen(toBob, "problem", "ended");
      const toCarol = connect(room, "carol");
      const heard = listen(toCarol, "problem", "ended");
      await world.pass(200);
      assert.deepEqual(told.map(([name, { error, reason }]) => [name, error?.slug ?? reason]), [["problem", "no-key"], ["ended", "no-key"]]);
      assert.match(told[0][1].error.message, /bob has no key to this room/);
      await until(() => signals().length > 0);
      assert.ok(signals().every(({ to }) => to === "carol"), "bob is offered nothing");
      const carol = await Secrecy.of(KEY, "r");
      emit("signal", { from: "carol", type: "answer", session: toCarol.session, data: { type: "answer", sdp: "v=0\r\na=fingerprint:sha-256 operator\r\na=ice-ufrag:op\r\n" } });
      await until(() => heard.length === 1);
      assert.deepEqual([heard[0][0], heard[0][1].error.slug], ["problem", "no-key"]);
      assert.equal(toCarol.pc.remoteDescription, null, "what the operator made up was not taken");
      emit("signal", { from: "carol", ...(await carol.seal("carol", { to: "me", type: "answer", session: toCarol.session, data: { type: "answer", sdp: "v=0\r\na=ice-ufrag:theirs\r\n", round: 1 } })) });
      await until(() => toCarol.pc.remoteDescription !== null);
      await world.pass(200);
      assert.equal(toCarol.state, "connected", "and what carol says is");
      assert.equal(heard.length, 1);
    });

    it("is told to members without a key, who are handed none of it", async () => {
      world.joinAnswer = { peers: [{ peer: "bob", meta: await bob.sealMeta("bob", {}), state: "live", order: 0 }] };
      room = await join("http://server.test", "r", { peer: "me" });
      await world.pass(1);
      FakeEventSource.last.prove();
      assert.equal(room.sealed, false);
      assert.equal(room.problems.get("bob").slug, "sealed");
      assert.match(room.problems.get("bob").message, /join with the key/);
      const heard = listen(room, ...TOLD);
      const call = connect(room, "bob");
      const told = listen(call, "ended");
      emit("signal", await says(OFFER, { type: "offer", session: "s" }));
      emit("peer-joined", { peer: "carol", meta: await bob.sealMeta("carol", {}), order: 3 });
      emit("signal", { from: "bob", type: "chat", data: { sealed: "by the application itself" } });
      assert.deepEqual(heard.map(([name, { peer, from }]) => `${name} ${peer ?? from}`), ["peer-joined carol", "problem carol", "signal bob"]);
      await world.pass(100);
      assert.deepEqual(told, [["ended", { reason: "sealed", by: "them" }]]);
    });
  });

  it("joins again with its meta sealed anew, after what the former membership was told", async () => {
    const heard = await enter({ meta: { name: "Me" } });
    const held = hold("decrypt");
    emit("signal", await says("before"));
    const carol = { peer: "carol", meta: await bob.sealMeta("carol", { name: "Carol" }), state: "live", order: 4 };
    await until(() => held.length === 1);
    world.joinAnswer = { peers: [carol], cursor: cursorOf(0, "00000000000000bb") };
    FakeEventSource.last.emit("end", { reason: "unknown", retry: "never" });
    held.shift()();
    await until(() => held.length > 0);
    for (const go of held.splice(0)) go();
    await until(() => names(heard).includes("peer-joined"));
    assert.deepEqual(names(heard), ["before", "state", "peer-left", "rejoined", "peer-joined"]);
    assert.deepEqual(room.peers.get("carol").meta, { name: "Carol" });
    const [first, second] = world.made("POST", "/rooms/r/peers").map(({ body }) => body.meta);
    assert.notEqual(first.sealed, second.sealed);
    const { peers } = await Secrecy.of(KEY, "r").then((other) => {
      mock.restoreAll();
      return other.openPeers([{ peer: "me", meta: second }]);
    });
    assert.deepEqual(peers[0].meta, { name: "Me" });
  });
});
