/** What a server's operator is told of how calls fare, and when not. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { connect, join } from "../../web/client/switchboard.js";
import { FakePeerConnection } from "./harness/peer.mjs";
import { FakeEventSource, World, cursorOf, json, problem } from "./harness/world.mjs";

const ANSWER = { type: "answer", sdp: "v=0\r\na=ice-ufrag:theirs\r\n" };
const RELAYED = new Map([
  ["T", { id: "T", type: "transport", selectedCandidatePairId: "P", bytesSent: 1, bytesReceived: 1 }],
  ["P", { id: "P", type: "candidate-pair", localCandidateId: "L", remoteCandidateId: "R", transportId: "T", currentRoundTripTime: 0.01 }],
  ["L", { id: "L", type: "local-candidate", candidateType: "relay", protocol: "udp", relayProtocol: "tls" }],
  ["R", { id: "R", type: "remote-candidate", candidateType: "srflx", protocol: "udp", address: "198.51.100.7" }],
]);

describe("reports of a call", () => {
  /** @type {World} */
  let world;
  let room;
  let seq;
  beforeEach(() => {
    world = new World();
    FakePeerConnection.all = [];
    FakePeerConnection.finds = 3;
    globalThis.RTCPeerConnection = FakePeerConnection;
    seq = 0;
    world.on("POST reports", () => new Response(null, { status: 204 }));
  });
  afterEach(() => {
    room.close();
    delete globalThis.RTCPeerConnection;
    world.end();
  });
  /** This peer has order 1, and offers to carol. */
  const enter = async ({ wanted = true, ...options } = {}) => {
    world.joinAnswer = { peers: [{ peer: "carol", meta: {}, state: "live", order: 2 }], reports: wanted };
    room = await join("http://server.test", "r", { peer: "me", ...options });
    await world.pass(1);
    FakeEventSource.last.prove();
  };
  const hear = async (name, data) => {
    FakeEventSource.last.emit(name, data, cursorOf((seq += 1)));
    await world.pass(10);
  };
  const offered = async (stats = RELAYED) => {
    const call = connect(room, "carol");
    call.pc.stats = stats;
    await world.pass(200);
    return call;
  };
  const answered = async (call) => hear("signal", { from: "carol", type: "answer", session: call.session, data: ANSWER });
  const told = () => world.made("POST", "/reports").map(({ body }) => body);

  it("say that it is connected, by which way, and no address", async () => {
    await enter();
    const call = await offered();
    await answered(call);
    await world.pass(2000);
    assert.deepEqual(told(), [{ session: call.session, ice: "connected", way: "relay-tls" }]);
    assert.equal(world.made("POST", "/reports")[0].headers.authorization, `Bearer ${world.made("POST", "/signals")[0].headers.authorization.split(" ")[1]}`);
  });

  it("come once a second at most, with the last state in any case", async () => {
    await enter();
    const call = await offered();
    await answered(call);
    for (const state of ["disconnected", "connected", "disconnected", "failed"]) {
      call.pc.become(state);
      await world.pass(50);
    }
    assert.deepEqual(told().map(({ ice }) => ice), ["connected"]);
    await world.pass(1000);
    assert.deepEqual(told().map(({ ice }) => ice), ["connected", "failed"]);
    await world.pass(5000);
    assert.equal(told().length, 2);
  });

  it("say it again a second later where the browser did not know the way yet, and only once", async () => {
    await enter();
    const call = await offered(new Map());
    await answered(call);
    await world.pass(100);
    assert.deepEqual(told(), [{ session: call.session, ice: "connected" }]);
    call.pc.stats = RELAYED;
    await world.pass(1500);
    assert.deepEqual(told()[1], { session: call.session, ice: "connected", way: "relay-tls" });
    await world.pass(5000);
    assert.equal(told().length, 2);
  });

  /** As Chromium has it where no path was found. */
  const fail = (call) => {
    call.pc.iceConnectionState = "disconnected";
    call.pc.dispatchEvent(new Event("iceconnectionstatechange"));
    call.pc.connectionState = "failed";
    call.pc.dispatchEvent(new Event("connectionstatechange"));
  };

  it("say where there is no way, of which kinds this side has found candidates, and no more of it", async () => {
    await enter();
    const call = await offered();
    call.pc.path = false;
    await answered(call);
    FakePeerConnection.finds = 0;
    for (let n = 0; n < 3; n += 1) {
      fail(call);
      // It looks for others at once.
      await world.pass(6_000);
      call.pc.become("connecting");
    }
    assert.ok(call.pc.restarts > 0);
    assert.deepEqual(told(), ["disconnected", "failed"].map((ice) => ({ session: call.session, ice, found: ["host"] })));
    call.pc.become("connected");
    await world.pass(1500);
    fail(call);
    await world.pass(1500);
    assert.deepEqual(told().slice(2).map(({ ice }) => ice), ["connected", "disconnected", "failed"]);
    call.hangup();
    await world.pass(1500);
    assert.equal(told().at(-1).ice, "closed");
  });

  it("have a failure told, though the call ends at once, and take back one that was none", async () => {
    await enter();
    const call = await offered();
    call.pc.path = false;
    await answered(call);
    fail(call);
    await world.pass(10);
    call.hangup();
    await world.pass(1500);
    assert.deepEqual(told().map(({ ice }) => ice), ["disconnected", "failed"]);

    const other = await offered();
    other.pc.path = false;
    await answered(other);
    await world.pass(21_000);
    // The state of ICE need not change any more where DTLS was late.
    other.pc.connectionState = "connected";
    other.pc.dispatchEvent(new Event("connectionstatechange"));
    await world.pass(1500);
    assert.deepEqual(told().slice(2).map(({ ice }) => ice), ["failed", "connected"]);
  });

  it("tell what there was to try, although an attempt of the other side's came first", async () => {
    await enter();
    const call = await offered();
    call.pc.path = false;
    await answered(call);
    call.pc.iceGatheringState = "gathering";
    call.pc.dispatchEvent(new Event("icegatheringstatechange"));
    call.pc.become("failed");
    await world.pass(1500);
    assert.deepEqual(told(), [{ session: call.session, ice: "failed", found: ["host"] }]);
  });

  it("have the other side's giving up as a failure", async () => {
    await enter();
    const call = await offered();
    call.pc.path = false;
    await answered(call);
    await hear("session-ended", { session: call.session, peer: "carol", reason: "hangup", data: { reason: "failed" } });
    await world.pass(1500);
    assert.deepEqual([call.reason, told().map(({ ice }) => ice)], ["failed", ["failed", "closed"]]);
  });

  it("are no matter of DTLS where ICE is up", async () => {
    await enter();
    const call = await offered();
    await answered(call);
    await world.pass(1500);
    call.pc.connectionState = "failed";
    call.pc.dispatchEvent(new Event("connectionstatechange"));
    await world.pass(1000);
    assert.deepEqual(told().map(({ ice }) => ice), ["connected"]);
  });

  it("that do not reach the server are made again, unless there is something newer", async () => {
    world.on("POST reports", () => Promise.reject(new TypeError("network")));
    await enter();
    const call = await offered();
    await answered(call);
    await world.pass(2000);
    const before = told().length;
    world.on("POST reports", () => new Response(null, { status: 204 }));
    await world.pass(30_000);
    assert.ok(told().length > before, "told again");
    assert.deepEqual([...new Set(told().map(({ ice }) => ice))], ["connected"]);
    const after = told().length;
    await world.pass(60_000);
    assert.equal(told().length, after);
  });

  it("say so too where the browser says nothing, once the first path should have been found", async () => {
    FakePeerConnection.finds = 0;
    await enter();
    const call = await offered();
    call.pc.path = false;
    await answered(call);
    await world.pass(19_000);
    assert.deepEqual(told(), []);
    await world.pass(3_000);
    assert.deepEqual(told(), [{ session: call.session, ice: "failed", found: [] }]);
    assert.equal(call.state, "failed", "so is the page");
    await world.pass(200_000);
    assert.deepEqual([call.state, call.reason], ["ended", "failed"]);
    assert.deepEqual(told().map(({ ice }) => ice), ["failed", "closed"]);
  });

  it("say that it is closed when it ends", async () => {
    await enter();
    const call = await offered();
    await answered(call);
    await world.pass(1500);
    call.hangup();
    await world.pass(1500);
    assert.deepEqual(told().map(({ ice }) => ice), ["connected", "closed"]);
  });

  it("are not made of a call that nobody else knows of", async () => {
    await enter();
    const call = connect(room, "carol");
    call.hangup();
    await world.pass(2000);
    assert.deepEqual(told(), []);
  });

  it("that fail, or are refused, are nobody's concern", async () => {
    world.on("POST reports", () => problem(429, "rate-limited"));
    await enter();
    const call = await offered();
    const problems = [];
    call.addEventListener("problem", ({ detail }) => problems.push(detail));
    await answered(call);
    await world.pass(2000);
    assert.deepEqual([told().length, problems.length, call.state], [1, 0, "connected"]);
  });

  for (const [name, options] of Object.entries({ "the server does not want any": { wanted: false }, "the application does not": { reports: false } })) {
    it(`are not made where ${name}`, async () => {
      await enter(options);
      const call = await offered();
      await answered(call);
      call.hangup();
      await world.pass(3000);
      assert.deepEqual(told(), []);
    });
  }
});
