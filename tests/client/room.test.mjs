import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { join } from "../../web/client/switchboard.js";
import { FakeEventSource, World, accept, cursorOf, event, json, listen, problem } from "./harness/world.mjs";

const OTHER_EPOCH = "00000000000000bb";

/** Takes signals by no token but a later one than the first. */
const untilRenewed = ({ headers, body }) => (headers.authorization === "Bearer token-1" ? problem(401, "bad-token", { reason: "expired" }) : json({ results: body.map(accept) }, 202));

describe("a room", () => {
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
  const carol = { peer: "carol", meta: { n: 1 }, state: "live", order: 2 };

  describe("its events", () => {
    it("keeps peers and sessions by what the wire tells", async () => {
      await enter();
      const stream = FakeEventSource.last;
      const changes = listen(room, "peers");
      assert.deepEqual([...room.peers.keys()], ["bob"]);
      stream.emit("peer-joined", { peer: "carol", meta: { n: 1 }, order: 2 }, cursorOf(1));
      stream.emit("peer-updated", { peer: "carol", meta: { n: 2 }, order: 2 }, cursorOf(2));
      stream.emit("peer-away", { peer: "bob", grace_ms: 30000 }, cursorOf(3));
      assert.deepEqual(room.peers.get("carol"), { ...carol, meta: { n: 2 } });
      assert.equal(room.peers.get("bob").state, "away");
      stream.emit("peer-back", { peer: "bob" }, cursorOf(4));
      assert.equal(room.peers.get("bob").state, "live");
      stream.emit("signal", { from: "bob", type: "offer", session: "s1", data: {} }, cursorOf(5));
      assert.deepEqual(room.sessions.get("s1"), { session: "s1", peer: "bob", state: "offered" });
      await room.send({ to: "bob", type: "answer", session: "s1", data: {} });
      assert.equal(room.sessions.get("s1").state, "answered");
      stream.emit("session-ended", { session: "s1", peer: "bob", reason: "hangup" }, cursorOf(6));
      stream.emit("peer-left", { peer: "bob", reason: "left" }, cursorOf(7));
      assert.equal(room.sessions.size, 0);
      assert.deepEqual([...room.peers.keys()], ["carol"]);
      assert.equal(changes.length, 5);
    });

    it("a session ends with the bye of this side, one or all with that peer", async () => {
      await enter();
      await room.send([
        { to: "bob", type: "offer", session: "s1", data: {} },
        { to: "bob", type: "offer", session: "s2", data: {} },
        { to: "bob", type: "offer", session: "s3", data: {} },
        { to: "bob", type: "bye", session: "s2" },
      ]);
      assert.deepEqual([...room.sessions.keys()], ["s1", "s3"]);
      await room.send({ to: "bob", type: "bye" });
      assert.equal(room.sessions.size, 0);
    });

    it("an answer that tells of an opening after its end opens nothing", async () => {
      await enter();
      let answer;
      world.on("POST signals", ({ body }) => new Promise((resolve) => (answer = () => resolve(json({ results: [{ id: body[0].id, session: "s1", to: [] }] }, 202)))));
      const sent = room.send({ to: "bob", type: "offer", session: "s1", data: {} });
      await world.pass(10);
      FakeEventSource.last.emit("session-ended", { session: "s1", peer: "bob", reason: "hangup" }, cursorOf(1));
      answer();
      await sent;
      assert.equal(room.sessions.size, 0);
    });

    it("does not take the id that EventSource repeats on ping for one of its own", async () => {
      await enter();
      const heard = listen(room, "ping", "signal", "wake");
      const stream = FakeEventSource.last;
      stream.emit("signal", { from: "bob", type: "x", data: 1 }, cursorOf(1));
      stream.emit("ping");
      stream.emit("ping");
      stream.emit("wake", { pending: 1 });
      assert.deepEqual(heard.map(([name]) => name), ["signal", "ping", "ping", "wake"]);
    });

    it("come out of the iterator too, those before it first", async () => {
      await enter();
      FakeEventSource.last.emit("signal", { from: "bob", type: "x", data: 1 }, cursorOf(1));
      const names = [];
      const reading = (async () => {
        for await (const { id, event: name, data } of room) names.push([name, id, name === "signal" ? data.data : undefined]);
      })();
      FakeEventSource.last.emit("signal", { from: "bob", type: "x", data: 2 }, cursorOf(2));
      room.close();
      await reading;
      const signals = names.filter(([name]) => name === "signal");
      assert.deepEqual(signals, [["signal", cursorOf(1), 1], ["signal", cursorOf(2), 2]]);
      assert.deepEqual(names.slice(-2).map(([name]) => name), ["end", "state"]);
    });

    it("takes over new ICE servers", async () => {
      await enter();
      const servers = [{ urls: "turn:t.test", username: "u", credential: "c" }];
      FakeEventSource.last.emit("signal", { from: "bob", type: "n", data: 1 }, cursorOf(1));
      // An EventSource gives what has no id that of the event before.
      FakeEventSource.last.emit("ice-servers", { iceServers: servers, ttl: 600 }, cursorOf(1));
      assert.deepEqual(room.iceServers, servers);
      world.on("GET /ice-servers", () => json({ iceServers: [], ttl: 600 }));
      assert.deepEqual(await room.freshIceServers(), servers);
      await world.pass(601_000);
      assert.deepEqual(await room.freshIceServers(), []);
    });

    it("takes over whether its members hide their addresses, and only a word that it knows", async () => {
      await enter();
      assert.equal(room.iceTransportPolicy, "all");
      for (const [told, policy] of [["relay", "relay"], ["none", "all"], ["relay", "relay"], [undefined, "all"]]) {
        FakeEventSource.last.emit("ice-servers", { iceServers: [], ttl: 600, iceTransportPolicy: told }, cursorOf(0));
        assert.equal(room.iceTransportPolicy, policy);
      }
    });
  });

  describe("after a gap", () => {
    const gapped = { resumed: false, gap: { reason: "evicted", lost: 3 } };

    it("puts peers and sessions right and tells what must have happened", async () => {
      await enter();
      const stream = FakeEventSource.last;
      stream.emit("peer-joined", { peer: "carol", meta: {}, order: 2 }, cursorOf(1));
      stream.emit("signal", { from: "carol", type: "offer", session: "s1", data: {} }, cursorOf(2));
      const heard = listen(room, "gap", "session-ended", "peer-left", "peer-joined", "peer-updated", "peer-away");
      const dave = { peer: "dave", meta: { d: 1 }, state: "live", order: 5 };
      stream.prove({ seq: 9, ...gapped, peers: [{ ...bob, meta: { new: 1 }, state: "away" }, dave], sessions: [] });
      assert.deepEqual(heard, [
        ["gap", { reason: "evicted", lost: 3, peers: [{ ...bob, meta: { new: 1 }, state: "away" }, dave], sessions: [] }],
        ["session-ended", { session: "s1", peer: "carol", reason: "unknown" }],
        ["peer-left", { peer: "carol", reason: "unknown" }],
        ["peer-updated", { peer: "bob", meta: { new: 1 }, order: 0 }],
        ["peer-away", { peer: "bob", grace_ms: 30000 }],
        ["peer-joined", { peer: "dave", meta: { d: 1 }, order: 5 }],
      ]);
      assert.deepEqual([...room.peers.keys()], ["bob", "dave"]);
      assert.equal(room.sessions.size, 0);
    });

    it("a peer that came back as a new incarnation has left and joined", async () => {
      await enter();
      const heard = listen(room, "peer-left", "peer-joined");
      FakeEventSource.last.prove({ seq: 9, ...gapped, peers: [{ ...bob, order: 7 }], sessions: [] });
      assert.deepEqual(heard.map(([name, { peer }]) => [name, peer]), [["peer-left", "bob"], ["peer-joined", "bob"]]);
    });

    it("tells a departure that is still replayed once, with its true reason", async () => {
      await enter();
      const stream = FakeEventSource.last;
      const heard = listen(room, "session-ended", "peer-left", "peer-joined", "signal");
      stream.emit("peer-joined", { peer: "carol", meta: {}, order: 2 }, cursorOf(1));
      stream.ready({ seq: 4, ...gapped, peers: [{ peer: "dave", meta: {}, state: "live", order: 3 }], sessions: [], replayed: 3 });
      assert.deepEqual([...room.peers.keys()], ["dave"], "the maps are right at once");
      stream.emit("peer-left", { peer: "bob", reason: "timeout" }, cursorOf(5));
      stream.emit("peer-joined", { peer: "dave", meta: {}, order: 3 }, cursorOf(6));
      assert.deepEqual([...room.peers.keys()], ["dave"]);
      stream.emit("signal", { from: "dave", type: "x", data: 1 }, cursorOf(7));
      assert.deepEqual(heard.map(([name, data]) => [name, data.peer ?? data.from, data.reason]), [
        ["peer-joined", "carol", undefined],
        ["peer-left", "bob", "timeout"],
        ["peer-joined", "dave", undefined],
        ["signal", "dave", undefined],
        ["peer-left", "carol", "unknown"],
      ]);
    });

    it("a replay that breaks off is made up for by the next reader", async () => {
      await enter();
      const stream = FakeEventSource.last;
      const heard = listen(room, "peer-left");
      stream.ready({ seq: 4, ...gapped, peers: [], sessions: [], replayed: 2 });
      stream.emit("signal", { from: "x", type: "x", data: 1 }, cursorOf(5));
      stream.fail(2);
      await world.pass(600);
      assert.deepEqual(heard, []);
      FakeEventSource.last.ready({ seq: 5, replayed: 1 });
      FakeEventSource.last.emit("peer-left", { peer: "bob", reason: "kicked" }, cursorOf(6));
      assert.deepEqual(heard, [["peer-left", { peer: "bob", reason: "kicked" }]]);
    });

    it("reads a log that starts again from the front", async () => {
      await enter();
      const stream = FakeEventSource.last;
      const heard = listen(room, "signal");
      stream.emit("signal", { from: "bob", type: "x", data: 1 }, cursorOf(50));
      stream.ready({ seq: 0, resumed: false, gap: { reason: "reset" }, peers: [bob], sessions: [], replayed: 1 });
      stream.emit("signal", { from: "bob", type: "x", data: 2 }, cursorOf(1));
      stream.prove({ epoch: OTHER_EPOCH, resumed: false, gap: { reason: "reset" }, peers: [bob], sessions: [] });
      stream.emit("signal", { from: "bob", type: "x", data: 3 }, cursorOf(1, OTHER_EPOCH));
      assert.deepEqual(heard.map(([, { data }]) => data), [1, 2, 3]);
    });

    it("is told by a poll's answer too, once more pages have come", async () => {
      world.holdAll = true;
      await enter({ transport: "poll" });
      const heard = listen(room, "gap", "peer-left", "signal");
      world.held[0].answer({
        gap: { reason: "overflow" },
        peers: [],
        sessions: [],
        events: [event(1, "signal", { from: "bob", type: "x", data: 1 })],
        cursor: cursorOf(1),
        more: true,
      });
      await world.pass(10);
      assert.deepEqual(heard.map(([name]) => name), ["gap", "signal"]);
      world.held[0].answer({ events: [event(2, "signal", { from: "bob", type: "x", data: 2 })], cursor: cursorOf(2) });
      await world.pass(10);
      assert.deepEqual(heard.map(([name]) => name), ["gap", "signal", "signal", "peer-left"]);
      assert.equal(world.held[0].request.body.cursor, cursorOf(2));
    });

    it("a snapshot without a gap is no gap", async () => {
      await enter();
      const heard = listen(room, "gap", "peer-joined", "peer-left");
      FakeEventSource.last.prove({ resumed: false, peers: [bob], sessions: [] });
      assert.deepEqual(heard, []);
    });
  });

  describe("its end", () => {
    for (const reason of ["left", "timeout", "kicked", "room-closed", "rejoined", "replaced"]) {
      it(`comes with the reason ${reason} from the stream, once and for good`, async () => {
        await enter();
        const heard = listen(room, "end", "state");
        FakeEventSource.last.emit("end", { reason, retry: "never", detail: "why" });
        await world.pass(60_000);
        assert.deepEqual(heard, [
          ["end", { reason, retry: "never", detail: "why" }],
          ["state", { state: "ended", why: reason }],
        ]);
        assert.deepEqual(room.end, { reason, retry: "never", detail: "why" });
        assert.equal(room.transport, null);
        assert.equal(FakeEventSource.all.length, 1);
        assert.equal(FakeEventSource.last.closedByPage, true);
        await assert.rejects(room.send({ to: "bob", type: "x" }), { reason });
      });
    }

    it("is learnt from the ticket where EventSource was only told 204", async () => {
      await enter();
      const heard = listen(room, "end");
      world.on("POST tickets", () => problem(410, "ended", { reason: "kicked" }));
      FakeEventSource.last.fail(2);
      await world.pass(1_000);
      assert.equal(heard[0][1].reason, "kicked");
      assert.equal(room.state, "ended");
    });

    it("is learnt from a poll, by its last event or by 410", async () => {
      await enter({ transport: "poll" });
      world.held[0].answer({ events: [{ event: "end", data: { reason: "room-closed", retry: "never" } }] });
      await world.pass(10);
      assert.equal(room.end.reason, "room-closed");
      room = undefined;
      await enter({ transport: "poll", remember: false });
      world.held[0].answer(problem(410, "ended", { reason: "timeout" }));
      await world.pass(10);
      assert.equal(room.end.reason, "timeout");
    });

    it("is learnt from a send, and what waits is refused with the reason", async () => {
      await enter();
      world.on("POST signals", () => problem(410, "ended", { reason: "timeout" }));
      await assert.rejects(room.send({ to: "bob", type: "x" }), { slug: "ended", reason: "timeout" });
      assert.equal(room.end.reason, "timeout");
    });

    it("now comes back at once, later a while later, and neither ends the room", async () => {
      await enter();
      const heard = listen(room, "end", "state");
      FakeEventSource.last.emit("end", { reason: "drain", retry: "now" });
      await world.pass(1_100);
      assert.equal(FakeEventSource.all.length, 2);
      FakeEventSource.last.prove();
      assert.equal(room.state, "open");
      FakeEventSource.last.emit("end", { reason: "busy", retry: "later" });
      await world.pass(1_900);
      assert.equal(FakeEventSource.all.length, 2);
      await world.pass(1_000);
      assert.equal(FakeEventSource.all.length, 3);
      assert.equal(room.end, null);
      assert.deepEqual(heard.map(([name, { reason, state }]) => reason ?? state), ["drain", "reconnecting", "open", "busy", "reconnecting"]);
    });

    it("is not what `replaced` means when an overtaken request of our own did it", async () => {
      await enter();
      room.setTransport("poll");
      await world.pass(10);
      world.held[0].answer({ superseded: true });
      await world.pass(1_000);
      assert.equal(room.state, "open");
      assert.equal(world.held.length, 1);
      world.held[0].answer({ superseded: true });
      await world.pass(1_000);
      assert.equal(room.end.reason, "replaced", "a second time it is another page");
    });

    it("leave tells the server, close tells nobody", async () => {
      await enter();
      await room.leave();
      assert.equal(room.end.reason, "left");
      assert.equal(world.requests.filter(({ path }) => path.endsWith("/leave")).length, 1);
      await enter();
      room.close();
      await world.pass(10_000);
      assert.equal(room.end.reason, "closed");
      assert.equal(world.requests.filter(({ path }) => path.endsWith("/leave")).length, 1);
    });

    it("leave resolves only where the server was told, whatever answers in its place", async () => {
      await enter();
      world.on("POST leave", () => new Response("<p>Sign in to use this network</p>", { status: 200 }));
      const left = assert.rejects(room.leave(), { name: "SwitchboardError", slug: "network" });
      await world.pass(20_000);
      await left;
      assert.equal(world.made("POST", "/leave").length, 4);
      assert.equal(room.end.reason, "left", "for this page it is over");
    });
  });

  it("leaves when the signal of its join is aborted", async () => {
    const abort = new AbortController();
    await enter({ signal: abort.signal });
    abort.abort();
    await world.pass(10);
    assert.equal(room.end.reason, "left");
  });

  it("replaces its meta, and joins again with the new one", async () => {
    await enter({ meta: 1 });
    await room.setMeta({ two: 2 });
    assert.deepEqual(world.made("POST", "/meta")[0].body, { two: 2 });
    FakeEventSource.last.emit("end", { reason: "unknown", retry: "never" });
    await world.pass(100);
    assert.deepEqual(world.made("POST", "/rooms/r/peers")[1].body.meta, { two: 2 });
  });

  it("renews an access token that has run out, where it was given a way to", async () => {
    let asked = 0;
    await enter({ accessToken: () => `access-${(asked += 1)}` });
    FakeEventSource.last.emit("end", { reason: "expired", retry: "later" });
    await world.pass(100);
    const [, renewal] = world.made("POST", "/rooms/r/peers");
    assert.equal(renewal.headers.authorization, "Bearer access-2");
    assert.equal(renewal.body.token, "token-1");
    assert.equal(FakeEventSource.all.length, 2);
  });

  it("keeps what is refused for want of access until that is renewed, and sends it then", async () => {
    await enter({ accessToken: () => "access" });
    world.on("POST signals", untilRenewed);
    const sent = room.send({ to: "bob", type: "x", data: 1 });
    await world.pass(100);
    FakeEventSource.last.prove();
    await sent;
    const posts = world.made("POST", "/signals").map(({ headers }) => headers.authorization);
    assert.deepEqual(posts, ["Bearer token-1", "Bearer token-2"]);
    assert.equal(room.state, "open");
  });

  it("waits for the application where its access token was a fixed word", async () => {
    await enter({ accessToken: "old" });
    world.on("POST signals", untilRenewed);
    const sent = room.send({ to: "bob", type: "x", data: 1 });
    await world.pass(10_000);
    assert.equal(world.made("POST", "/signals").length, 1, "nothing is repeated in vain");
    assert.equal(room.state, "reconnecting");
    await room.renew("new");
    await world.pass(100);
    FakeEventSource.last.prove();
    await sent;
    assert.equal(room.state, "open");
  });

  it("goes on in the same incarnation under a new access token", async () => {
    await enter({ accessToken: "old" });
    await room.renew(() => "new");
    const [first, second] = world.made("POST", "/rooms/r/peers");
    assert.equal(first.headers.authorization, "Bearer old");
    assert.equal(second.headers.authorization, "Bearer new");
    assert.equal(second.body.token, "token-1");
    assert.equal(second.body.fresh, undefined);
  });
});
