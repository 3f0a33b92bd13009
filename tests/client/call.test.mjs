import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { connect, join } from "../../web/client/switchboard.js";
import { FakePeerConnection } from "./harness/peer.mjs";
import { FakeEventSource, World, accept, cursorOf, json, listen, problem } from "./harness/world.mjs";

const OFFER = { type: "offer", sdp: "v=0\r\na=ice-ufrag:theirs\r\n" };
const ANSWER = { type: "answer", sdp: "v=0\r\na=ice-ufrag:theirs\r\n" };
const CANDIDATE = { candidate: "candidate:9", sdpMid: "0", sdpMLineIndex: 0, usernameFragment: "theirs" };

describe("a call", () => {
  /** @type {World} */
  let world;
  let room;
  let seq;
  beforeEach(async () => {
    world = new World();
    FakePeerConnection.all = [];
    globalThis.RTCPeerConnection = FakePeerConnection;
    seq = 0;
  });
  afterEach(() => {
    room.close();
    delete globalThis.RTCPeerConnection;
    world.end();
  });
  /** This peer has order 1: it waits for bob (0) and offers to carol (2). */
  const enter = async (more = {}) => {
    const peers = [
      { peer: "bob", meta: {}, state: "live", order: 0 },
      { peer: "carol", meta: {}, state: "live", order: 2 },
    ];
    world.joinAnswer = { peers, iceServers: [{ urls: "stun:s.test" }], ...more };
    room = await join("http://server.test", "r", { peer: "me" });
    await world.pass(1);
    FakeEventSource.last.prove();
  };
  const hear = async (name, data) => {
    FakeEventSource.last.emit(name, data, cursorOf((seq += 1)));
    await world.pass(100);
  };
  const signal = (from, type, session, data) => hear("signal", { from, type, session, data });
  const sent = () => world.made("POST", "/signals").flatMap(({ body }) => body);

  it("offers to the peer with the higher order, in a session of its own", async () => {
    await enter();
    const call = connect(room, "carol");
    await world.pass(200);
    assert.equal(call.initiator, true);
    const [offer, ...candidates] = sent();
    assert.deepEqual([offer.to, offer.type, offer.session, offer.data.type], ["carol", "offer", call.session, "offer"]);
    assert.ok(candidates.length >= 4 && candidates.every(({ type, session }) => type === "candidate" && session === call.session));
    assert.ok(world.made("POST", "/signals").length <= 3, "candidates travel in arrays");
    assert.deepEqual(call.pc.configuration.iceServers, [{ urls: "stun:s.test" }]);
    await signal("carol", "answer", call.session, ANSWER);
    await signal("carol", "candidate", call.session, CANDIDATE);
    assert.equal(call.state, "connected");
    assert.equal(call.pc.candidates.length, 1);
  });

  it("waits for the peer with the lower order and answers in its session", async () => {
    await enter();
    const call = connect(room, "bob");
    await world.pass(200);
    assert.deepEqual(sent(), []);
    await signal("bob", "offer", "s-bob", OFFER);
    assert.equal(call.session, "s-bob");
    assert.deepEqual([sent()[0].type, sent()[0].session, sent()[0].to], ["answer", "s-bob", "bob"]);
    assert.equal(call.state, "connected");
  });

  it("takes up an offer and candidates that came before it was set up", async () => {
    await enter();
    await signal("bob", "offer", "s-bob", OFFER);
    await signal("bob", "candidate", "s-bob", CANDIDATE);
    const call = connect(room, "bob");
    await world.pass(200);
    assert.equal(call.session, "s-bob");
    assert.equal(sent()[0].type, "answer");
    assert.deepEqual(call.pc.candidates, [CANDIDATE]);
  });

  it("does not take up an offer whose session has ended meanwhile", async () => {
    await enter();
    await signal("bob", "offer", "s-old", OFFER);
    await hear("session-ended", { session: "s-old", peer: "bob", reason: "hangup" });
    await signal("bob", "offer", "s-new", OFFER);
    const call = connect(room, "bob");
    await world.pass(200);
    assert.equal(call.session, "s-new");
  });

  it("is deaf to other sessions and other peers", async () => {
    await enter();
    const call = connect(room, "bob");
    await signal("bob", "offer", "s1", OFFER);
    await signal("bob", "candidate", "s2", CANDIDATE);
    await signal("carol", "candidate", "s1", CANDIDATE);
    assert.equal(call.pc.candidates.length, 0);
    await hear("session-ended", { session: "s2", peer: "bob", reason: "hangup" });
    assert.equal(call.state, "connected");
  });

  it("gives way to a crossing offer of the lower order, and not to one of the higher", async () => {
    await enter();
    const [waiting, offering] = [connect(room, "bob"), connect(room, "carol")];
    await signal("bob", "offer", "s1", OFFER);
    await signal("carol", "answer", offering.session, ANSWER);
    for (const call of [waiting, offering]) call.pc.addTrack({ kind: "audio" });
    await world.pass(100);
    assert.deepEqual([waiting.pc.signalingState, offering.pc.signalingState], ["have-local-offer", "have-local-offer"]);
    await signal("bob", "offer", "s1", OFFER);
    await signal("carol", "offer", offering.session, OFFER);
    assert.deepEqual([waiting.pc.rollbacks, offering.pc.rollbacks], [1, 0]);
  });

  it("opens the same channels on both sides, by position", async () => {
    await enter();
    const call = connect(room, "bob", { channels: ["chat", { label: "files", ordered: false }] });
    assert.deepEqual(call.pc.channels.map(({ label, id, negotiated }) => [label, id, negotiated]), [["chat", 0, true], ["files", 1, true]]);
    const heard = listen(call, "channel", "message");
    const channel = call.channels.get("chat");
    channel.dispatchEvent(new Event("open"));
    channel.dispatchEvent(new MessageEvent("message", { data: "hi" }));
    assert.deepEqual(heard, [["channel", { channel }], ["message", { channel, data: "hi" }]]);
  });

  it("hangs up with a bye in its session, after the offer", async () => {
    await enter();
    const call = connect(room, "carol");
    await world.pass(200);
    const heard = listen(call, "state", "ended");
    call.hangup({ why: "dinner" });
    await world.pass(10);
    const bye = sent().at(-1);
    assert.deepEqual([bye.type, bye.to, bye.session, bye.data], ["bye", "carol", call.session, { why: "dinner" }]);
    assert.deepEqual(heard, [["state", { state: "ended" }], ["ended", { reason: "hangup", by: "us" }]]);
    assert.equal(call.pc.signalingState, "closed");
    call.hangup();
    assert.equal(heard.length, 2);
  });

  it("declines the offer that comes after it was hung up, unless a new call waits for it", async () => {
    await enter();
    connect(room, "bob").hangup();
    await signal("bob", "offer", "s1", OFFER);
    assert.deepEqual(sent().map(({ type, session }) => [type, session]), [["bye", "s1"]]);
    connect(room, "bob").hangup();
    const call = connect(room, "bob");
    await signal("bob", "offer", "s2", OFFER);
    assert.equal(call.session, "s2");
  });

  it("does not decline what comes long after", async () => {
    await enter();
    connect(room, "bob").hangup();
    await world.pass(11_000);
    await signal("bob", "offer", "s1", OFFER);
    assert.deepEqual(sent(), []);
    assert.equal(connect(room, "bob").session, "s1");
  });

  it("keeps a bounded number of signals nobody claims, and the latest of them", async () => {
    await enter();
    for (let n = 0; n < 130; n += 1) FakeEventSource.last.emit("signal", { from: "bob", type: "candidate", session: "old", data: CANDIDATE }, cursorOf((seq += 1)));
    await signal("bob", "offer", "s1", OFFER);
    const call = connect(room, "bob");
    await world.pass(200);
    assert.equal(call.session, "s1");
    assert.ok(call.pc.candidates.length < 10, "what was kept before is given up");
  });

  for (const [how, name, data] of [
    ["the other side hangs up", "session-ended", { session: "s1", peer: "bob", reason: "hangup", data: { bye: 1 } }],
    ["its session ends for another reason", "session-ended", { session: "s1", peer: "bob", reason: "timeout" }],
    ["its peer leaves", "peer-left", { peer: "bob", reason: "kicked" }],
  ]) {
    it(`ends with the reason when ${how}`, async () => {
      await enter();
      const call = connect(room, "bob");
      await signal("bob", "offer", "s1", OFFER);
      const heard = listen(call, "ended");
      await hear(name, data);
      assert.deepEqual(heard, [["ended", { reason: data.reason, by: "them", ...(data.data ? { data: data.data } : {}) }]]);
      assert.equal(call.reason, data.reason);
      assert.equal(call.pc.signalingState, "closed");
      assert.deepEqual(sent().filter(({ type }) => type === "bye"), []);
    });
  }

  it("ends with the room", async () => {
    await enter();
    const calls = [connect(room, "bob"), connect(room, "carol")];
    const heard = calls.map((call) => listen(call, "ended"));
    await world.pass(200);
    FakeEventSource.last.emit("end", { reason: "kicked", retry: "never" });
    assert.deepEqual(heard.flat(), [["ended", { reason: "kicked", by: "them" }], ["ended", { reason: "kicked", by: "them" }]]);
  });

  it("outlives a reader that ends to come back", async () => {
    await enter();
    const call = connect(room, "bob");
    await signal("bob", "offer", "s1", OFFER);
    FakeEventSource.last.emit("end", { reason: "drain", retry: "now" });
    await world.pass(2_000);
    assert.equal(call.state, "connected");
  });

  it("ends when the server has forgotten the room, and the peer that is there again is a new call", async () => {
    await enter();
    const call = connect(room, "bob");
    await signal("bob", "offer", "s1", OFFER);
    world.joinAnswer = { ...world.joinAnswer, order: 9, cursor: cursorOf(0, "00000000000000bb") };
    FakeEventSource.last.emit("end", { reason: "unknown", retry: "never" });
    await world.pass(100);
    assert.deepEqual([call.state, call.reason], ["ended", "unknown"]);
    const again = connect(room, "bob");
    assert.notEqual(again.pc, call.pc);
    assert.equal(again.state, "new");
  });

  it("ends when its offer is refused for good", async () => {
    await enter();
    world.on("POST signals", () => problem(410, "peer-left", { reason: "timeout" }));
    const call = connect(room, "carol");
    const heard = listen(call, "ended");
    await world.pass(200);
    assert.deepEqual(heard, [["ended", { reason: "timeout", by: "them" }]]);
  });

  it("carries on over a refused candidate", async () => {
    await enter();
    world.on("POST signals", ({ body }) => (body[0].type === "candidate" ? problem(422, "bad-signal") : json({ results: body.map(accept) }, 202)));
    const call = connect(room, "carol");
    const heard = listen(call, "problem");
    await world.pass(200);
    assert.equal(heard[0][1].error.slug, "bad-signal");
    assert.equal(call.state, "new");
  });

  it("sets new ICE servers for the next restart, and restarts when signaling is back after a cut", async () => {
    await enter();
    const call = connect(room, "bob");
    await signal("bob", "offer", "s1", OFFER);
    await hear("ice-servers", { iceServers: [{ urls: "turn:t.test" }], ttl: 600 });
    assert.deepEqual(call.pc.configuration.iceServers, [{ urls: "turn:t.test" }]);
    call.pc.become("disconnected");
    FakeEventSource.last.fail(2);
    await world.pass(1_000);
    assert.equal(call.pc.restarts, 0);
    FakeEventSource.last.prove({ seq });
    await world.pass(10);
    assert.equal(call.pc.restarts, 1);
  });

  it("keeps to relays where the room does, from its beginning and from its next restart on", async () => {
    await enter({ iceTransportPolicy: "relay", expires_at: "2026-01-01T00:00:00Z", username: "u", password: "p", uris: ["turn:t.test"] });
    assert.equal(room.iceTransportPolicy, "relay");
    const call = connect(room, "bob");
    assert.equal(call.pc.configuration.iceTransportPolicy, "relay");
    await signal("bob", "offer", "s1", OFFER);
    await hear("ice-servers", { iceServers: [{ urls: "turn:t.test" }], ttl: 600 });
    assert.deepEqual([room.iceTransportPolicy, call.pc.configuration.iceTransportPolicy, call.pc.restarts], ["all", "all", 0]);
    await hear("ice-servers", { iceServers: [{ urls: "turn:t.test" }], ttl: 600, iceTransportPolicy: "relay" });
    assert.deepEqual([call.pc.configuration.iceTransportPolicy, call.pc.restarts], ["relay", 0]);
  });

  it("goes by what the application says of ICE, in place of the room", async () => {
    await enter({ iceTransportPolicy: "relay" });
    const own = connect(room, "bob", { rtcConfig: { iceServers: [{ urls: "turn:own.test" }], iceTransportPolicy: "all", bundlePolicy: "max-bundle" } });
    const half = connect(room, "carol", { rtcConfig: { iceServers: [{ urls: "turn:own.test" }], iceTransportPolicy: undefined } });
    await signal("bob", "offer", "s1", OFFER);
    await hear("ice-servers", { iceServers: [{ urls: "turn:t.test" }], ttl: 600, iceTransportPolicy: "relay" });
    assert.deepEqual(own.pc.configuration, { iceServers: [{ urls: "turn:own.test" }], iceTransportPolicy: "all", bundlePolicy: "max-bundle" });
    assert.deepEqual(half.pc.configuration, { iceServers: [{ urls: "turn:own.test" }], iceTransportPolicy: "relay" });
  });

  it("restarts with the servers that it has where no fresh ones are to be had", async () => {
    await enter();
    const call = connect(room, "bob");
    await signal("bob", "offer", "s1", OFFER);
    await hear("ice-servers", { iceServers: [{ urls: "turn:old.test" }], ttl: 600, iceTransportPolicy: "relay" });
    world.on("GET /ice-servers", () => problem(503, "overloaded"));
    for (let minute = 0; minute < 10; minute += 1) {
      FakeEventSource.last.emit("ping");
      await world.pass(60_000);
    }
    call.pc.become("failed");
    await world.pass(3_000);
    assert.deepEqual([world.made("GET", "/ice-servers").length, call.pc.restarts], [1, 1]);
    assert.deepEqual(call.pc.configuration, { iceServers: [{ urls: "turn:old.test" }], iceTransportPolicy: "relay" });
  });

  it("tells its way, and none once it has ended", async () => {
    await enter();
    const call = connect(room, "bob");
    assert.equal(await call.way(), null);
    const pair = { id: "p", type: "candidate-pair", localCandidateId: "l", remoteCandidateId: "r", selected: true, currentRoundTripTime: 0.02, bytesSent: 5, bytesReceived: 7 };
    const candidate = { candidateType: "host", protocol: "udp" };
    for (const stat of [pair, { id: "l", type: "local-candidate", ...candidate }, { id: "r", type: "remote-candidate", ...candidate }]) call.pc.stats.set(stat.id, stat);
    assert.deepEqual(await call.way(), { id: "p", kind: "direct", transport: "udp", rtt: 20, sent: 5, received: 7 });
    call.hangup();
    assert.equal(await call.way(), null);
  });

  it("restarts with a peer that was away once that one is back", async () => {
    await enter();
    const call = connect(room, "bob");
    await signal("bob", "offer", "s1", OFFER);
    await hear("peer-away", { peer: "bob" });
    call.pc.become("failed");
    await world.pass(10_000);
    assert.equal(call.pc.restarts, 0);
    await hear("peer-back", { peer: "bob" });
    await world.pass(2_000);
    assert.equal(call.pc.restarts, 1);
  });

  it("that is interrupted restarts when the browser is online again or on another kind of network, not for another guess at its speed", async () => {
    const connection = Object.assign(new EventTarget(), { type: "wifi" });
    navigator.connection = connection;
    globalThis.window = new EventTarget();
    try {
      await enter();
      const call = connect(room, "bob");
      await signal("bob", "offer", "s1", OFFER);
      for (const [type, restarts] of [["wifi", 0], ["cellular", 1], ["cellular", 1], ["none", 1], ["wifi", 2]]) {
        call.pc.become("disconnected");
        connection.type = type;
        connection.dispatchEvent(new Event("change"));
        await world.pass(1_000);
        assert.equal(call.pc.restarts, restarts, type);
        await signal("bob", "answer", "s1", ANSWER);
        call.pc.become("connected");
        await world.pass(3_000);
      }
      call.pc.become("disconnected");
      window.dispatchEvent(new Event("online"));
      await world.pass(1_000);
      assert.equal(call.pc.restarts, 3);
    } finally {
      delete globalThis.window;
    }
  });

  it("ends with the reason `failed` where no path is found however often, and says so to the other side", async () => {
    await enter();
    const call = connect(room, "carol");
    const heard = listen(call, "ended");
    await world.pass(200);
    await signal("carol", "answer", call.session, ANSWER);
    call.pc.path = false;
    call.pc.become("failed");
    for (let second = 0; second < 150; second += 1) {
      FakeEventSource.last.emit("ping");
      await world.pass(1_000);
    }
    assert.deepEqual(heard, [["ended", { reason: "failed", by: "them" }]]);
    const bye = sent().at(-1);
    assert.deepEqual([bye.type, bye.to, bye.session, bye.data], ["bye", "carol", call.session, { reason: "failed" }]);
  });

  it("ends with the reason `failed` when the other side has given up", async () => {
    await enter();
    const call = connect(room, "bob");
    const heard = listen(call, "ended");
    await signal("bob", "offer", "s1", OFFER);
    await hear("session-ended", { session: "s1", peer: "bob", reason: "hangup", data: { reason: "failed" } });
    assert.deepEqual(heard, [["ended", { reason: "failed", by: "them" }]]);
  });

  it("sends the same answer to an offer that comes twice", async () => {
    await enter();
    const call = connect(room, "bob");
    for (let n = 0; n < 2; n += 1) await signal("bob", "offer", "s1", { ...OFFER, round: 1 });
    const answers = sent().filter(({ type }) => type === "answer");
    assert.deepEqual(answers.map(({ data }) => data.round), [1, 1]);
    assert.deepEqual(answers[0].data, answers[1].data);
    assert.equal(call.state, "connected");
  });

  it("replaces tracks of the same kind without a new offer", async () => {
    await enter();
    const [mic, cam, other] = [{ kind: "audio" }, { kind: "video" }, { kind: "video", other: true }];
    const stream = (...tracks) => ({ getTracks: () => tracks });
    const call = connect(room, "bob", { stream: stream(mic, cam) });
    assert.deepEqual(call.pc.tracks.map(({ sender }) => sender.track), [mic, cam]);
    await call.replaceStream(stream(other));
    assert.deepEqual(call.pc.tracks.map(({ sender }) => sender.track), [null, other]);
    await call.replaceStream(stream(mic, cam, { kind: "video", second: true }));
    assert.deepEqual(call.pc.tracks.map(({ sender }) => sender.track.kind), ["audio", "video", "video"]);
  });

  it("is not had with somebody who is not there", async () => {
    await enter();
    assert.throws(() => connect(room, "nobody"), { slug: "unknown-peer" });
  });
});
