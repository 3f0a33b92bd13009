import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, mock } from "node:test";
import { negotiate } from "../../web/client/switchboard.js";
import { FakePeerConnection } from "./harness/peer.mjs";
import { settle } from "./harness/world.mjs";

describe("perfect negotiation", () => {
  let sides;
  beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1e12 }));
  afterEach(() => {
    for (const { negotiation } of sides ?? []) negotiation.close();
    mock.timers.reset();
  });

  /** Two sides whose messages lie on the way until `carry` takes them across. */
  const pair = ({ initiators = [true, false] } = {}) => {
    sides = [0, 1].map((at) => ({ pc: new FakePeerConnection(), sent: [], way: [], problems: [], at }));
    for (const side of sides) {
      side.negotiation = negotiate(side.pc, {
        polite: side.at === 1,
        initiator: initiators[side.at],
        send: (message) => {
          const copy = structuredClone(message);
          side.sent.push(copy);
          side.way.push(copy);
        },
        failed: (error) => side.problems.push(error),
      });
    }
    return sides;
  };
  const carry = async (from) => {
    const to = sides[1 - from.at];
    for (const message of from.way.splice(0)) void to.negotiation.receive(message);
    await settle();
  };
  /** Until nothing is on the way and no batch is waiting. */
  const finish = async () => {
    for (let turn = 0; turn < 20; turn += 1) {
      await settle();
      for (const side of sides) await carry(side);
      mock.timers.tick(60);
    }
  };
  const descriptions = (side) => side.sent.filter((message) => !Array.isArray(message)).map(({ type }) => type);
  const noProblems = () => assert.deepEqual(sides.flatMap(({ problems }) => problems), []);

  it("the initiator offers, the other waits, whatever it adds", async () => {
    const [a, b] = pair();
    b.pc.createDataChannel("x", { id: 0, negotiated: true });
    await finish();
    assert.deepEqual(b.sent, []);
    a.pc.createDataChannel("x", { id: 0, negotiated: true });
    await finish();
    assert.deepEqual(descriptions(a), ["offer"]);
    assert.deepEqual(descriptions(b), ["answer"]);
    noProblems();
  });

  it("start makes an offer even of nothing", async () => {
    const [a, b] = pair();
    a.negotiation.start();
    await finish();
    assert.deepEqual([descriptions(a), descriptions(b)], [["offer"], ["answer"]]);
  });

  it("sends a description before its candidates, and these in few batches that end", async () => {
    const [a, b] = pair();
    a.negotiation.start();
    await finish();
    for (const side of [a, b]) {
      assert.ok(!Array.isArray(side.sent[0]));
      const batches = side.sent.slice(1);
      assert.ok(batches.length <= 2, `${batches.length} batches`);
      const candidates = batches.flat();
      assert.equal(candidates.length, 4);
      assert.equal(candidates.at(-1).candidate, "");
      assert.ok(candidates.every(({ usernameFragment }) => usernameFragment));
    }
    assert.equal(b.pc.candidates.length, 4);
    noProblems();
  });

  it("holds back candidates that are found before their description is out", async () => {
    const [a] = pair();
    const describe = a.pc.setLocalDescription;
    a.pc.setLocalDescription = async () => {
      await describe.call(a.pc);
      await settle();
    };
    a.negotiation.start();
    for (let turn = 0; turn < 6; turn += 1) {
      await settle();
      mock.timers.tick(60);
    }
    assert.equal(a.sent[0].type, "offer");
    assert.equal(a.sent.slice(1).flat().length, 4);
  });

  it("keeps candidates that come before their offer", async () => {
    const [a, b] = pair();
    a.negotiation.start();
    await settle();
    mock.timers.tick(60);
    await settle();
    a.way.reverse();
    await carry(a);
    assert.equal(b.pc.candidates.length, 4);
    await finish();
    noProblems();
  });

  it("survives glare: the polite side rolls back, the impolite ignores, and both changes get through", async () => {
    const [a, b] = pair();
    a.pc.createDataChannel("x", { id: 0, negotiated: true });
    await finish();
    a.sent.length = b.sent.length = 0;
    a.pc.addTrack({ kind: "audio" });
    b.pc.addTrack({ kind: "video" });
    await settle();
    assert.deepEqual([descriptions(a), descriptions(b)], [["offer"], ["offer"]], "the offers cross");
    await finish();
    assert.equal(b.pc.rollbacks, 1);
    assert.equal(a.pc.rollbacks, 0);
    assert.deepEqual(descriptions(a), ["offer", "answer"]);
    assert.deepEqual(descriptions(b), ["offer", "answer", "offer"]);
    assert.deepEqual([a.pc.signalingState, b.pc.signalingState], ["stable", "stable"]);
    noProblems();
  });

  it("survives glare of the very first offers, where both sides begin", async () => {
    const [a, b] = pair({ initiators: [true, true] });
    a.negotiation.start();
    b.negotiation.start();
    await finish();
    assert.deepEqual([a.pc.signalingState, b.pc.signalingState], ["stable", "stable"]);
    assert.equal(b.pc.rollbacks, 1);
    noProblems();
  });

  it("an offer that comes while one is being made counts as crossing it", async () => {
    const [a, b] = pair({ initiators: [true, true] });
    b.negotiation.start();
    await settle();
    const [offer] = b.way.splice(0);
    a.negotiation.start();
    void a.negotiation.receive(offer);
    await finish();
    assert.equal(a.pc.rollbacks, 0);
    assert.deepEqual([a.pc.signalingState, b.pc.signalingState], ["stable", "stable"]);
    noProblems();
  });

  it("many changes on both sides end in agreement", async () => {
    const [a, b] = pair();
    a.negotiation.start();
    for (let turn = 0; turn < 8; turn += 1) {
      sides[turn % 2].pc.addTrack({ kind: "audio" });
      await settle();
      if (turn % 3 === 0) await carry(b);
      if (turn % 3 === 1) await carry(a);
    }
    await finish();
    assert.deepEqual([a.pc.signalingState, b.pc.signalingState], ["stable", "stable"]);
    assert.ok(a.pc.remoteDescription && b.pc.remoteDescription);
    noProblems();
  });

  it("drops an answer that comes twice or to no offer", async () => {
    const [a, b] = pair();
    a.negotiation.start();
    await settle();
    await carry(a);
    await settle();
    const answer = b.sent.find(({ type }) => type === "answer");
    await finish();
    await a.negotiation.receive(answer);
    assert.equal(a.pc.signalingState, "stable");
    noProblems();
  });

  it("tells of a description that cannot be applied, and goes on", async () => {
    const [a] = pair();
    a.pc.setRemoteDescription = () => Promise.reject(new Error("bad SDP"));
    await a.negotiation.receive({ type: "offer", sdp: "x" });
    assert.match(String(a.problems[0]), /bad SDP/);
  });

  it("says nothing once it is closed", async () => {
    const [a, b] = pair();
    a.negotiation.start();
    a.negotiation.close();
    await settle();
    mock.timers.tick(1_000);
    await b.negotiation.receive({ type: "offer", sdp: "v=0\r\n" });
    assert.deepEqual(a.sent, []);
  });
});
