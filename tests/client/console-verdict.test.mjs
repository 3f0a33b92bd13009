/** What the console says became of a session, from lists of lines. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { entriesOf } from "../../web/console/ladder.js";
import { Sessions } from "../../web/console/sessions.js";
import { PATIENCE_MS, verdict } from "../../web/console/verdict.js";
import { History } from "./harness/lines.mjs";

/** @param {History} history @param {number} [laterMs] */
function verdicts(history, laterMs = 0) {
  const sessions = new Sessions();
  entriesOf(history.lines, sessions);
  return sessions.all.map((session) => {
    const { level, words } = verdict(session, history.at + laterMs);
    return `${level}: ${words}`;
  });
}

const only = (history, laterMs) => {
  const all = verdicts(history, laterMs);
  assert.equal(all.length, 1, all.join("\n"));
  return all[0];
};

const room = () => new History().join("alice", 0).join("bob", 1);

describe("the verdict on a session", () => {
  it("is that it waits for an answer, and later that there never was one", () => {
    const history = room().offer("alice", "bob", "s1").candidates("alice", "bob", "s1", 4);
    assert.equal(only(history), "open: offered, waiting for bob");
    assert.equal(only(history, PATIENCE_MS), "bad: offered, never answered");
    history.signal("alice", "bob", "bye", "s1", {}, 12_000).end("alice", "bob", "s1", "hangup", "alice", 12_000);
    assert.equal(only(history), "bad: offered, never answered; alice hung up after 12 s");
  });

  it("says where nobody was there to answer", () => {
    assert.equal(only(room().offer("alice", "bob", "s1", "away"), 60_000), "bad: offered, never answered: bob was away");
    assert.equal(only(room().offer("alice", "bob", "s1", "queued"), 60_000), "bad: offered, never answered: bob had no reader open");
    const late = room().offer("alice", "bob", "s1", "queued").candidates("alice", "bob", "s1", 1).signal("alice", "bob", "candidate", "s1", { state: "away" });
    assert.equal(only(late, 60_000), "bad: offered, never answered");
  });

  it("names the side from which no candidate came", () => {
    const history = room().offer("alice", "bob", "s1").candidates("alice", "bob", "s1", 4).answer("bob", "alice", "s1");
    assert.equal(only(history), "open: answered after 0.2 s, no candidate from bob");
    assert.equal(only(history, PATIENCE_MS), "warn: answered after 0.2 s, no candidate from bob");
    history.ice("alice", "s1", "failed", undefined, 14_795);
    assert.equal(only(history), "bad: answered after 0.2 s, no candidate from bob; ICE failed at alice after 15 s");
  });

  it("names the side that found none, though it said that these were all, and what each had to try", () => {
    const history = room().call("alice", "bob", "s1").add("report", { peer: "alice", session: "s1", ice: "failed", found: ["host", "relay"] }, 14_790);
    assert.equal(only(history), "bad: answered after 0.2 s, never connected; ICE failed at alice (found host, relay) after 15 s");
    history.add("report", { peer: "bob", session: "s1", ice: "failed", found: [] });
    assert.equal(only(history), "bad: answered after 0.2 s, no candidate from bob; ICE failed at alice (found host, relay) and bob after 15 s");
    history.add("report", { peer: "bob", session: "s1", ice: "failed", found: ["host"] }).add("report", { peer: "alice", session: "s1", ice: "failed", found: ["host", "srflx"] });
    assert.equal(only(history), "bad: answered after 0.2 s, never connected; ICE failed at alice (found host, srflx) and bob (found host) after 15 s, no relay on either side");
  });

  it("is bad where pages report, and none of them reports a connection", () => {
    const history = room().call("alice", "bob", "s1").ice("alice", "s1", "disconnected", undefined, 4_800);
    assert.equal(only(history), "bad: answered after 0.2 s; no path at alice");
    assert.equal(only(history, PATIENCE_MS), "bad: answered after 0.2 s, not connected; no path at alice");
    history.ice("bob", "s1", "disconnected").end("alice", "bob", "s1", "hangup", "bob", 15_000);
    assert.equal(only(history, PATIENCE_MS), "bad: answered after 0.2 s, never connected; no path at alice and bob; bob hung up after 15 s");
    // Who hangs up at once has not waited for it.
    const short = room().call("alice", "bob", "s1").end("alice", "bob", "s1", "hangup", "bob", 900).ice("alice", "s1", "closed");
    assert.equal(only(short), "none: answered after 0.2 s, never connected; bob hung up after 0.9 s");
  });

  it("is told of an offer that was refused, and beside a call whose offer was taken at last", () => {
    const history = room();
    const refuse = (to, type, slug) => history.add("refused", { from: "alice", to, type, session: "s1", slug }, 10);
    for (let n = 0; n < 2; n += 1) refuse("carol", "offer", "mailbox-full");
    refuse("carol", "candidate", "unknown-session");
    assert.equal(only(history), "bad: offer refused: mailbox-full (2 times)");
    history.call("alice", "carol", "s1").ice("carol", "s1", "connected", "direct", 50);
    assert.equal(only(history), "warn: connected after 0.3 s, directly; refused: offer mailbox-full, candidate unknown-session (3 times)");
    // The same id for another: what is reported is of the call that there is.
    refuse("dave", "offer", "unknown-peer").ice("alice", "s1", "connected", "direct").end("alice", "carol", "s1", "hangup", "alice", 900);
    refuse("carol", "offer", "peer-left");
    assert.deepEqual(verdicts(history).slice(1), ["bad: offer refused: unknown-peer", "bad: offer refused: peer-left"]);
    assert.match(verdicts(history)[0], /^warn: connected .* alice hung up/);
  });

  it("cuts made-up ids, and says who gave up where there was no way", () => {
    const [a, b] = ["0b7c2c1e-8f5d-4a64-9d43-1f0e0ad1a6ac", "70ec0000-8f5d-4a64-9d43-1f0e0ad1a6ac"];
    const history = new History().join(a, 0).join(b, 1).call(a, b, "s1");
    for (const peer of [a, b]) history.add("report", { peer, session: "s1", ice: "failed", found: [] }, 10_000);
    history.end(a, b, "s1", "hangup", b, 156_000);
    assert.equal(only(history), "bad: answered after 0.2 s, no candidate from 0b7c2c1e, nor from 70ec0000; ICE failed at 0b7c2c1e and 70ec0000 after 10 s, no relay on either side; 70ec0000 gave up after 2 min 36 s");
  });

  it("does not miss candidates of who went at once", () => {
    const history = room().offer("alice", "bob", "s1").candidates("alice", "bob", "s1", 4).answer("bob", "alice", "s1").end("alice", "bob", "s1", "left", "bob", 1_600);
    assert.equal(only(history), "none: answered after 0.2 s; bob left after 1.6 s");
  });

  it("does not call failed what was not seen whole", () => {
    const long = new History().add("session", { session: "s1", from: "alice", to: "bob", state: "ended", reason: "hangup", answered: true, after_ms: 600_000 }).ice("bob", "s1", "closed");
    assert.equal(only(long), "none: answered, never connected; alice hung up after 600 s".replace("600 s", "10 min"));
    const torn = room().call("alice", "bob", "s1").add("gap").signal("alice", "bob", "offer", "s1").ice("bob", "s1", "disconnected", undefined, 60_000);
    assert.equal(only(torn), "none: answered after 0.2 s, not connected; no path at bob");
  });

  it("counts from the first failure, and does not miss a relay in a call that was up", () => {
    const history = room().call("alice", "bob", "s1").ice("alice", "s1", "failed", undefined, 14_790).ice("alice", "s1", "failed", undefined, 60_000);
    assert.match(only(history), /ICE failed at alice after 15 s$/);
    const up = room().call("alice", "bob", "s1").ice("alice", "s1", "connected", "direct", 170);
    for (const peer of ["alice", "bob"]) up.add("report", { peer, session: "s1", ice: "failed", found: ["host"] }, 10_000);
    assert.match(only(up), /ICE failed at alice \(found host\) and bob \(found host\) after 10 s$/);
  });

  it("does not blame a side where both have their candidates within the descriptions", () => {
    const history = room().offer("alice", "bob", "s1").answer("bob", "alice", "s1", 50);
    assert.equal(only(history, 60_000), "none: answered after 50 ms, no candidates sent apart");
    assert.equal(only(history.ice("bob", "s1", "connected", "direct", 350)), "good: connected after 0.4 s, directly");
  });

  it("is that it connected, after how long and by which way", () => {
    const at = (way) => room().call("alice", "bob", "s1").ice("alice", "s1", "connected", way, 170);
    assert.equal(only(at("direct")), "good: connected after 0.4 s, directly");
    assert.equal(only(at("stun")), "good: connected after 0.4 s, through NAT by STUN");
    assert.equal(only(at("relay-udp")), "good: connected after 0.4 s, through the relay");
    assert.equal(only(at(undefined)), "good: connected after 0.4 s");
    // Who has not been told of a candidate takes it for one behind a NAT.
    assert.equal(only(at("stun").ice("bob", "s1", "connected", "direct")), "good: connected after 0.4 s, directly");
    // Whose relay it is not, does not know by what it is reached.
    assert.equal(only(at("relay-udp").ice("bob", "s1", "connected", "relay-tls")), "good: connected after 0.4 s, through the relay by TLS");
    assert.equal(only(at("relay-tls").ice("bob", "s1", "connected", "relay-udp")), "good: connected after 0.4 s, through the relay by TLS");
  });

  it("says nothing of a connection that nobody reports", () => {
    const history = room().call("alice", "bob", "s1");
    assert.equal(only(history, 60_000), "none: answered after 0.2 s");
    history.signal("bob", "alice", "bye", "s1").end("alice", "bob", "s1", "hangup", "bob", 35_000);
    assert.equal(only(history), "none: answered after 0.2 s; bob hung up after 35 s");
  });

  it("says whose doing the end was, and marks the ends that nobody wanted", () => {
    const ended = (reason, peer) => only(room().call("alice", "bob", "s1").ice("bob", "s1", "connected", "direct", 170).end("alice", "bob", "s1", reason, peer, 12_000));
    assert.equal(ended("timeout", "bob"), "bad: connected after 0.4 s, directly; bob lost (timeout) after 12 s");
    assert.equal(ended("hangup", "alice"), "good: connected after 0.4 s, directly; alice hung up after 12 s");
    assert.equal(ended("kicked", "bob"), "good: connected after 0.4 s, directly; bob kicked after 12 s");
    assert.equal(ended("room-closed"), "good: connected after 0.4 s, directly; the room was closed after 12 s");
    assert.equal(ended("rejoined", "bob"), "good: connected after 0.4 s, directly; bob joined anew after 12 s");
    assert.equal(ended("something-new", "bob"), "bad: connected after 0.4 s, directly; bob ended it (something-new) after 12 s");
  });

  it("tells a connection that was interrupted, one that was lost and one that came back", () => {
    const history = room().call("alice", "bob", "s1").ice("alice", "s1", "connected", "direct", 170).ice("alice", "s1", "disconnected", undefined, 5000);
    assert.equal(only(history), "warn: connected after 0.4 s, directly; interrupted at alice");
    history.ice("alice", "s1", "failed", undefined, 9600);
    assert.equal(only(history), "bad: connected after 0.4 s, directly; ICE failed at alice after 15 s");
    history.ice("alice", "s1", "connected", "relay-udp", 2000);
    assert.equal(only(history), "good: connected after 0.4 s, through the relay");
  });

  it("keeps the last word before a connection is closed", () => {
    const history = room().call("alice", "bob", "s1").ice("bob", "s1", "failed", undefined, 14_800).ice("bob", "s1", "closed");
    assert.equal(only(history), "bad: answered after 0.2 s, never connected; ICE failed at bob after 15 s");
  });

  it("tells what was refused while it lasted, and not what came too late", () => {
    const history = room().offer("alice", "bob", "s1");
    for (let n = 0; n < 3; n += 1) history.add("refused", { from: "alice", to: "bob", type: "candidate", session: "s1", slug: "mailbox-full" }, 10);
    history.answer("bob", "alice", "s1").candidates("bob", "alice", "s1", 1).end("alice", "bob", "s1", "hangup", "bob", 5000);
    history.add("refused", { from: "alice", to: "bob", type: "candidate", session: "s1", slug: "session-over" });
    assert.equal(only(history), "warn: answered after 0.2 s; bob hung up after 5 s; refused: candidate mailbox-full (3 times)");
  });

  it("holds apart what bears the same id: other pairs, and the same pair in a later membership", () => {
    const history = room().join("carol", 2).call("alice", "bob", "s").offer("carol", "alice", "s");
    history.end("alice", "bob", "s", "rejoined", "bob", 3000).join("bob", 3).offer("alice", "bob", "s");
    assert.deepEqual(verdicts(history, PATIENCE_MS), [
      "none: answered after 0.2 s; bob joined anew after 3 s",
      "bad: offered, never answered",
      "bad: offered, never answered",
    ]);
    history.ice("carol", "s", "failed");
    assert.match(verdicts(history)[1], /ICE failed at carol/);
    // Without an id a report is of the only session that it can be of, or of none.
    history.ice("bob", undefined, "connected").ice("alice", undefined, "failed");
    assert.match(verdicts(history)[2], /^good: connected/);
    assert.doesNotMatch(verdicts(history).join(), /failed at alice/);
  });

  it("is the same whether the state or the signal is told first", () => {
    const turned = new History().join("alice", 0).join("bob", 1);
    turned.add("session", { session: "s1", from: "alice", to: "bob", state: "offered" }).signal("alice", "bob", "offer", "s1", {}, 0).candidates("alice", "bob", "s1", 2);
    turned.add("session", { session: "s1", from: "bob", to: "alice", state: "answered", after_ms: 10 }).signal("bob", "alice", "answer", "s1", {}, 0).candidates("bob", "alice", "s1", 2);
    turned.add("session", { session: "s1", from: "bob", to: "alice", state: "ended", reason: "hangup", answered: true, after_ms: 900 }).signal("bob", "alice", "bye", "s1", {}, 0);
    assert.equal(only(turned), "none: answered after 10 ms; bob hung up after 0.9 s");
  });

  it("does not take for an absence what only is no longer kept", () => {
    assert.equal(only(new History().candidates("bob", "alice", "s1", 2), 60_000), "none: begun before what is kept");
    assert.equal(only(new History().signal("bob", "alice", "answer", "s1").candidates("bob", "alice", "s1", 2), 60_000), "none: answered");
    const ended = new History().end("alice", "bob", "s1", "timeout", "bob", 61_000);
    assert.equal(only(ended), "bad: begun before what is kept; bob lost (timeout) after 61 s");
    assert.match(only(new History().add("session", { session: "s1", from: "bob", to: "alice", state: "ended", reason: "left", answered: true, after_ms: 61_000 })), /^none: answered; bob left/);
  });

  it("does not judge what lines have gone missing of, until it is heard of again", () => {
    const offered = room().offer("alice", "bob", "s1").add("gap");
    assert.equal(only(offered, 60_000), "none: offered; how it went on is not known");
    assert.equal(only(offered.end("alice", "bob", "s1", "timeout", "bob", 30_000)), "bad: offered, never answered; bob lost (timeout) after 30 s");
    // The same id once more, in a room that has begun anew.
    assert.deepEqual(verdicts(room().offer("alice", "bob", "s1").add("gap").join("alice", 0).join("bob", 1).offer("alice", "bob", "s1").answer("bob", "alice", "s1")), ["none: offered; how it went on is not known", "open: answered after 0.2 s, no candidates sent apart"]);
    const connected = room().call("alice", "bob", "s1").ice("bob", "s1", "connected", "direct", 170).add("gap");
    assert.equal(only(connected), "good: connected after 0.4 s, directly; how it went on is not known");
    assert.equal(only(connected.signal("alice", "bob", "offer", "s1")), "good: connected after 0.4 s, directly");
  });

  it("counts nothing twice that was sent again, and nothing that opens no session", () => {
    const history = room().offer("alice", "bob", "s1").signal("alice", "bob", "candidate", "s1", { repeat: true }).answer("bob", "alice", "s1").candidates("bob", "alice", "s1", 1);
    assert.equal(only(history, PATIENCE_MS), "warn: answered after 0.2 s, no candidate from alice");
    const messages = room().signal("alice", "bob", "chat", "s9").signal("alice", undefined, "chat", "s9");
    assert.deepEqual(verdicts(messages), []);
  });
});
