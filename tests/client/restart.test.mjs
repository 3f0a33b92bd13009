import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, mock } from "node:test";
import { negotiate } from "../../web/client/switchboard.js";
import { FakePeerConnection } from "./harness/peer.mjs";
import { settle } from "./harness/world.mjs";

const STEP_MS = 100;

describe("a connection that is lost", () => {
  /** The side that offers first and does not give way, and the polite one. */
  let a;
  let b;
  let began;
  beforeEach(async () => {
    mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1e12 });
    [a, b] = [0, 1].map((at) => side(at));
    a.negotiation.start();
    await pass(300);
    for (const each of [a, b]) {
      assert.equal(each.pc.connectionState, "connected");
      each.sent.length = 0;
    }
    began = Date.now();
  });
  afterEach(() => {
    for (const each of [a, b]) {
      assert.deepEqual(each.problems, []);
      each.negotiation.close();
    }
    mock.timers.reset();
  });

  const side = (at) => {
    const made = { pc: new FakePeerConnection(), sent: [], way: [], problems: [], gaveUp: [], unmet: [], reachable: true, prepare: () => {}, loses: () => false, strips: false };
    made.negotiation = negotiate(made.pc, {
      polite: at === 1,
      initiator: at === 0,
      send: (message) => {
        const copy = structuredClone(message);
        if (made.strips) delete copy.round;
        made.sent.push({ at: Date.now() - began, message: copy });
        if (!made.loses(copy)) made.way.push(copy);
      },
      failed: (error) => made.problems.push(error),
      beforeRestart: () => made.prepare(),
      reachable: () => made.reachable,
      gaveUp: () => made.gaveUp.push(Date.now() - began),
      noFirstPath: () => made.unmet.push(Date.now() - began),
    });
    return made;
  };
  /** Time passes, and what is sent arrives. */
  const pass = async (ms) => {
    for (const until = Date.now() + ms; Date.now() < until; ) {
      await settle();
      for (const [from, to] of [[a, b], [b, a]]) for (const message of from.way.splice(0)) void to.negotiation.receive(message);
      await settle();
      mock.timers.tick(STEP_MS);
    }
    await settle();
  };
  /** There is no path, and both sides know. */
  const lose = (state) => {
    for (const each of [a, b]) {
      each.pc.path = false;
      each.pc.become(state);
    }
  };
  const find = () => {
    for (const each of [a, b]) each.pc.path = true;
  };
  const descriptions = ({ sent }, type) => sent.filter(({ message }) => message.type === type);
  /** When they were sent, in seconds. */
  const seconds = (sent) => sent.map(({ at }) => Math.round(at / 100) / 10);
  const offers = (each) => seconds(descriptions(each, "offer"));
  const fragment = ({ pc }) => pc.localDescription.sdp;
  const isOffer = ({ type }) => type === "offer";
  const isAnswer = ({ type }) => type === "answer";

  it("is restarted at once when it has failed, by the side that does not give way", async () => {
    lose("failed");
    find();
    await pass(5_000);
    assert.deepEqual([offers(a), offers(b)], [[0], []]);
    assert.deepEqual([a.pc.connectionState, b.pc.connectionState], ["connected", "connected"]);
  });

  it("is restarted when it stays disconnected for three seconds, and no sooner", async () => {
    lose("disconnected");
    await pass(2_000);
    for (const each of [a, b]) each.pc.become("connected");
    await pass(5_000);
    assert.deepEqual([offers(a), offers(b)], [[], []]);
    lose("disconnected");
    await pass(6_000);
    assert.deepEqual([offers(a), offers(b)], [[10], []]);
  });

  it("is restarted by the polite side where only that one sees the loss", async () => {
    b.pc.become("disconnected");
    await pass(6_000);
    assert.deepEqual([offers(a), offers(b)], [[], [4.5]]);
    assert.equal(b.pc.connectionState, "connected");
  });

  it("is restarted again and again at growing intervals, and in the end given up by both", async () => {
    lose("failed");
    await pass(200_000);
    // Each attempt has its time from the answer on, which takes a tenth of a second here.
    assert.deepEqual([offers(a).map(Math.floor), offers(b)], [[0, 6, 18, 33, 48, 63, 78, 93, 108, 123], []]);
    for (const [gaveUp, ...more] of [a.gaveUp, b.gaveUp]) {
      assert.ok(gaveUp > 135_000 && gaveUp < 145_000, `given up after ${gaveUp} ms`);
      assert.deepEqual(more, []);
    }
  });

  it("and never was, without a word of the browser's, is looked for and given up all the same", async () => {
    for (const each of [a, b]) each.negotiation.close();
    [a, b] = [0, 1].map((at) => side(at));
    for (const each of [a, b]) each.pc.path = false;
    began = Date.now();
    a.negotiation.start();
    await pass(19_000);
    assert.deepEqual([offers(a), a.unmet, b.unmet], [[0], [], []]);
    await pass(190_000);
    assert.deepEqual([a.unmet.length, b.unmet.length], [1, 1]);
    assert.deepEqual([offers(a).map(Math.floor).slice(0, 3), offers(b), offers(a).length], [[0, 20, 26], [], 11]);
    for (const { gaveUp } of [a, b]) assert.equal(gaveUp.length, 1);
  });

  it("and never was is not looked for while the other side is away, nor once it is up or over", async () => {
    for (const each of [a, b]) each.negotiation.close();
    const begin = async () => {
      [a, b] = [0, 1].map((at) => side(at));
      for (const each of [a, b]) each.pc.path = false;
      began = Date.now();
      a.negotiation.start();
      await pass(1_000);
    };
    await begin();
    for (const each of [a, b]) each.reachable = false;
    await pass(70_000);
    assert.deepEqual([offers(a), a.unmet, b.unmet], [[0], [], []]);
    a.reachable = b.reachable = true;
    await pass(30_000);
    assert.deepEqual([a.unmet.length, b.unmet.length, offers(a).length > 1], [1, 1, true]);
    for (const each of [a, b]) each.negotiation.close();

    await begin();
    // The state is told late.
    for (const each of [a, b]) each.pc.connectionState = "connected";
    await pass(30_000);
    assert.deepEqual([offers(a), a.unmet, b.unmet], [[0], [], []]);
    for (const each of [a, b]) each.negotiation.close();

    await begin();
    for (const each of [a, b]) each.negotiation.close();
    await pass(30_000);
    assert.deepEqual([a.unmet, b.unmet], [[], []]);
  });

  it("is not restarted where it has come up while that was prepared", async () => {
    for (const each of [a, b]) each.prepare = () => new Promise((resolve) => setTimeout(resolve, 2_000));
    lose("failed");
    await pass(1_000);
    find();
    for (const each of [a, b]) each.pc.become("connected");
    await pass(20_000);
    assert.deepEqual([offers(a), offers(b), a.pc.restarts, b.pc.restarts], [[], [], 0, 0]);
  });

  it("starts to count anew once it was up", async () => {
    lose("failed");
    await pass(50_000);
    find();
    await pass(30_000);
    assert.equal(a.pc.connectionState, "connected");
    const before = offers(a).length;
    lose("failed");
    await pass(100_000);
    assert.equal(offers(a).length - before, 8);
    assert.deepEqual([a.gaveUp, b.gaveUp], [[], []]);
  });

  it("flaps within an attempt without calling for another", async () => {
    lose("failed");
    await pass(1_000);
    for (const state of ["checking", "failed", "checking", "failed"]) a.pc.become(state);
    await pass(4_000);
    assert.deepEqual(offers(a), [0]);
  });

  it("is given up soon where ICE has a path again and DTLS has failed for good", async () => {
    lose("failed");
    const seen = (ice) => {
      a.pc.iceConnectionState = ice;
      a.pc.dispatchEvent(new Event("iceconnectionstatechange"));
    };
    seen("connected");
    await pass(1_000);
    seen("checking");
    await pass(3_000);
    assert.deepEqual(a.gaveUp, []);
    seen("connected");
    await pass(3_000);
    assert.equal(a.gaveUp.length, 1);
  });

  it("survives the glare of two restarts: one round on new credentials", async () => {
    lose("failed");
    find();
    const former = [fragment(a), fragment(b)];
    for (const each of [a, b]) each.negotiation.restart();
    await settle();
    assert.deepEqual([offers(a), offers(b)], [[0], [0]], "the offers cross");
    await pass(5_000);
    assert.deepEqual([a.pc.rollbacks, b.pc.rollbacks], [0, 1]);
    assert.deepEqual([a.pc.signalingState, b.pc.signalingState], ["stable", "stable"]);
    assert.ok(fragment(a) !== former[0] && fragment(b) !== former[1]);
    assert.deepEqual([a.pc.connectionState, b.pc.connectionState], ["connected", "connected"]);
  });

  for (const { what, loses, from } of [
    { what: "offer", loses: isOffer, from: () => a },
    { what: "answer", loses: isAnswer, from: () => b },
  ]) {
    it(`sends a restart's offer again, word for word, where the ${what} was lost`, async () => {
      lose("failed");
      find();
      let lost = 0;
      from().loses = (message) => loses(message) && (lost += 1) === 1;
      await pass(5_000);
      assert.deepEqual([a.pc.signalingState, lost], ["have-local-offer", 1]);
      const remote = b.pc.remoteDescription;
      await pass(5_000);
      const [first, second] = descriptions(a, "offer").map(({ message }) => message);
      assert.deepEqual(second, first);
      assert.deepEqual([a.pc.signalingState, a.pc.connectionState, b.pc.connectionState], ["stable", "connected", "connected"]);
      assert.ok(what === "offer" || b.pc.remoteDescription === remote, "an offer that was answered is not applied twice");
    });
  }

  it("takes one answer to an offer that was sent twice, and no second for the next offer", async () => {
    lose("failed");
    const held = [];
    b.loses = (message) => isAnswer(message) && held.push(message) > 0;
    await pass(7_000);
    b.loses = () => false;
    assert.equal(held.length, 2);
    assert.deepEqual(held[0], held[1]);
    await a.negotiation.receive(held[0]);
    assert.equal(a.pc.signalingState, "stable");
    a.pc.addTrack({ kind: "audio" });
    await settle();
    assert.equal(a.pc.signalingState, "have-local-offer");
    await a.negotiation.receive(held[1]);
    assert.equal(a.pc.signalingState, "have-local-offer");
    await pass(1_000);
    assert.equal(a.pc.signalingState, "stable");
  });

  it("is mended also where the other side knows nothing of rounds", async () => {
    for (const each of [a, b]) each.strips = true;
    lose("failed");
    find();
    let lost = 0;
    a.loses = (message) => isOffer(message) && (lost += 1) === 1;
    await pass(10_000);
    assert.deepEqual([a.pc.signalingState, b.pc.signalingState, a.pc.connectionState, b.pc.connectionState], ["stable", "stable", "connected", "connected"]);
  });

  it("is not troubled by candidates of before the restart that come late", async () => {
    const late = a.pc.remoteDescription.sdp.match(/ice-ufrag:(\S+)/)[1];
    lose("failed");
    find();
    await pass(2_000);
    const taken = a.pc.candidates.length;
    await a.negotiation.receive([{ candidate: `candidate:1 1 udp 1 10.0.0.1 9 typ host ufrag ${late}`, sdpMid: "0", sdpMLineIndex: 0, usernameFragment: late }]);
    assert.equal(a.pc.candidates.length, taken);
    lose("failed");
    await pass(1_000);
    assert.ok(!a.pc.candidates.slice(taken).some(({ usernameFragment }) => usernameFragment === late));
  });

  it("waits while the other side would not hear of it", async () => {
    a.reachable = b.reachable = false;
    lose("failed");
    await pass(60_000);
    assert.deepEqual([offers(a), offers(b)], [[], []]);
    a.reachable = b.reachable = true;
    b.negotiation.reachableAgain(true);
    a.negotiation.reachableAgain(false);
    await pass(4_000);
    assert.deepEqual([offers(a), offers(b)], [[], [60]], "whose signaling was cut goes first");
    await pass(3_000);
    assert.deepEqual(a.gaveUp, []);
  });

  it("that goes on over a change of network is left alone, and restarted at once when it gets lost soon after", async () => {
    for (let n = 0; n < 5; n += 1) a.negotiation.restart();
    await pass(20_000);
    assert.deepEqual([offers(a), offers(b)], [[], []]);
    lose("disconnected");
    await pass(1_000);
    assert.deepEqual([offers(a), offers(b)], [[20], []]);
  });

  it("that was lost to a change of network is restarted with each further change, two seconds apart", async () => {
    lose("disconnected");
    for (let n = 0; n < 5; n += 1) a.negotiation.restart();
    await pass(5_000);
    assert.deepEqual(offers(a), [0, 2]);
  });

  it("a change of network while signaling is away is told of once it is back", async () => {
    a.reachable = false;
    a.negotiation.restart();
    lose("disconnected");
    await pass(10_000);
    assert.deepEqual(offers(a), []);
    a.reachable = true;
    a.negotiation.reachableAgain(true);
    await pass(1_000);
    assert.deepEqual(offers(a), [10]);
  });

  it("does not wait for ever for fresh servers, nor fail without them", async () => {
    a.prepare = () => new Promise(() => {});
    a.pc.path = false;
    a.pc.become("failed");
    await pass(5_000);
    assert.deepEqual(offers(a), [4]);
    a.prepare = () => Promise.reject(new Error("no servers"));
    await pass(6_000);
    assert.deepEqual(offers(a).map(Math.floor), [4, 10]);
  });

  it("an offer that changes what is sent is sent again, too, until it is answered", async () => {
    let lost = 0;
    a.loses = (message) => isOffer(message) && (lost += 1) < 3;
    a.pc.addTrack({ kind: "audio" });
    await pass(60_000);
    assert.deepEqual(offers(a), [0, 8, 24]);
    assert.equal(a.pc.signalingState, "stable");
  });
});
