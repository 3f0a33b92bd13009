/** The ladder's rows, lifelines and text, from lists of lines. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { entriesOf, ladder, withoutFirst } from "../../web/console/ladder.js";
import { Sessions } from "../../web/console/sessions.js";
import { asText, label, sentence } from "../../web/console/telling.js";
import { History } from "./harness/lines.mjs";

const drawn = (history, options) => ladder(entriesOf(history.lines), options);

/** Rows in short: what, from whom, to whom, how often. */
const short = ({ rows }) => rows.map(({ kind, peer, from, to, count, line }) => [kind === "arrow" ? line.type : kind, peer ?? from, peer ? undefined : (to ?? (from && "all")), count > 1 ? `x${count}` : undefined].filter(Boolean).join(" "));

const room = () => new History().join("alice", 0).join("bob", 1);

describe("the ladder", () => {
  it("has a row for each that passes, in order, and one arrow for the candidates of a side", () => {
    const history = room().call("alice", "bob", "s1").signal("alice", undefined, "chat").signal("bob", "alice", "bye", "s1").end("alice", "bob", "s1", "hangup", "bob", 900).add("left", { peer: "bob", reason: "left" });
    assert.deepEqual(short(drawn(history)), ["joined alice", "joined bob", "offer alice bob", "candidate alice bob x3", "answer bob alice", "candidate bob alice x2", "chat alice all", "bye bob alice", "ended bob alice", "left bob"]);
  });

  it("folds the candidates of both sides where they come in turns", () => {
    const history = room().offer("alice", "bob", "s1").answer("bob", "alice", "s1");
    for (let n = 0; n < 3; n += 1) history.candidates("alice", "bob", "s1", 1).candidates("bob", "alice", "s1", 1);
    assert.deepEqual(short(drawn(history)).slice(-2), ["candidate alice bob x3", "candidate bob alice x3"]);
  });

  it("begins a new arrow of candidates after anything else of the session, after a pause, and for another state", () => {
    const history = room().offer("alice", "bob", "s1").candidates("alice", "bob", "s1", 2).answer("bob", "alice", "s1").candidates("alice", "bob", "s1", 2);
    history.signal("alice", "bob", "candidate", "s1", {}, 3000).signal("alice", "bob", "candidate", "s1", { state: "queued" });
    history.add("away", { peer: "bob" }).signal("alice", "bob", "candidate", "s1", { state: "queued" });
    const found = drawn(history);
    assert.deepEqual(short(found).slice(2), ["offer alice bob", "candidate alice bob x2", "answer bob alice", "candidate alice bob x2", "candidate alice bob", "candidate alice bob", "away bob", "candidate alice bob"]);
    assert.equal(found.rows.reduce((sum, { line, count }) => sum + (line.type === "candidate" ? count : 0), 0), 7);
  });

  it("holds candidates of several sessions apart", () => {
    const history = room().join("carol", 2).offer("alice", "bob", "s").offer("alice", "carol", "s");
    for (let n = 0; n < 2; n += 1) history.candidates("alice", "bob", "s", 1).candidates("alice", "carol", "s", 1);
    const found = drawn(history);
    assert.deepEqual(short(found).slice(-2), ["candidate alice bob x2", "candidate alice carol x2"]);
    assert.deepEqual(found.rows.slice(-2).map(({ session }) => session.number), [0, 1]);
  });

  it("says how long the first answer took, and not of a renegotiation", () => {
    const history = room().call("alice", "bob", "s1").signal("bob", "alice", "offer", "s1").signal("alice", "bob", "answer", "s1");
    assert.deepEqual(drawn(history).rows.filter(({ line }) => line.type === "answer").map(label), ["answer · after 0.2 s", "answer"]);
  });

  it("shortens a long silence to one row", () => {
    const found = drawn(room().signal("alice", "bob", "chat", undefined, {}, 4999).signal("alice", "bob", "chat", undefined, {}, 61_000));
    assert.deepEqual(short(found), ["joined alice", "joined bob", "chat alice bob", "pause", "chat alice bob"]);
    assert.equal(label(found.rows[3]), "61 s of silence");
    // Candidates that were folded were no silence.
    const folded = room().offer("alice", "bob", "s1");
    for (let n = 0; n < 10; n += 1) folded.signal("alice", "bob", "candidate", "s1", {}, 1900);
    assert.ok(!short(drawn(folded.signal("bob", "alice", "chat"))).includes("pause"));
  });

  it("has no session where the offer was refused, and nobody there who never came", () => {
    const history = new History().join("alice", 0).add("refused", { from: "alice", to: "carol", type: "offer", session: "s1", slug: "unknown-peer" }, 10);
    const { lanes } = ladder(entriesOf(history.lines), { present: new Set(["alice"]) });
    assert.deepEqual(lanes.map(({ peer, here, presence, activities }) => [peer, here, presence.length, activities.length]), [["carol", false, 0, 0], ["alice", true, 1, 0]]);
  });

  it("of a session that is over has the lifelines of its two, who have gone since", () => {
    const history = new History().join("alice", 0).join("bob", 1).call("alice", "bob", "s1").end("alice", "bob", "s1", "hangup");
    for (const peer of ["alice", "bob"]) history.add("left", { peer, reason: "left" }, 1000);
    const entries = entriesOf(history.lines);
    const { lanes, rows } = ladder(entries, { session: entries.at(-3).session, present: new Set() });
    assert.deepEqual(lanes.map(({ peer, here, presence }) => [peer, here, presence]), ["alice", "bob"].map((peer) => [peer, false, [{ from: -1, to: rows.length, away: false }]]));
  });

  it("tells refusals with their slug, folded where one is refused again and again", () => {
    const history = room().offer("alice", "bob", "s1");
    for (let n = 0; n < 3; n += 1) history.add("refused", { from: "alice", to: "bob", type: "candidate", session: "s1", slug: "mailbox-full" }, 100);
    history.add("refused", { from: "alice", type: "chat", slug: "rate-limited" });
    const found = drawn(history).rows.slice(-2);
    assert.deepEqual(found.map(label), ["candidate ×3 · mailbox-full", "chat · rate-limited"]);
    assert.deepEqual(found.map(sentence), ["alice -x bob: candidate ×3 refused: mailbox-full [s1]", "alice -x all: chat refused: rate-limited"]);
  });

  it("has lifelines in the order in which peers joined, of whoever was there before first", () => {
    const history = new History().signal("zoe", "amy", "chat").join("late", 7).join("later", 9);
    assert.deepEqual(drawn(history).lanes.map(({ peer }) => peer), ["zoe", "amy", "late", "later"]);
    assert.deepEqual(drawn(history, { orders: [["amy", 1], ["zoe", 4], ["silent", 2]] }).lanes.map(({ peer }) => peer), ["amy", "silent", "zoe", "late", "later"]);
  });

  it("has a lifeline begin with the join and end with the end, dashed while its peer is away", () => {
    const history = room().add("away", { peer: "bob" }).add("back", { peer: "bob" }).add("left", { peer: "bob", reason: "rejoined" }).join("bob", 2).add("stopped", { peer: "bob", door: "events", transport: "sse", ms: 1 });
    const [alice, bob] = drawn(history).lanes;
    assert.deepEqual([alice.presence, alice.here], [[{ from: 0, to: 6, away: false }], true]);
    assert.deepEqual(bob.presence, [{ from: 1, to: 2, away: false }, { from: 2, to: 3, away: true }, { from: 3, to: 4, away: false }, { from: 5, to: 6, away: false }]);
    const before = new History().signal("alice", "bob", "chat").add("back", { peer: "bob" }).add("left", { peer: "bob", reason: "left" });
    assert.deepEqual(drawn(before).lanes.map(({ presence, here }) => [presence, here]), [
      [[{ from: -1, to: 3, away: false }], true],
      [[{ from: -1, to: 1, away: true }, { from: 1, to: 2, away: false }], false],
    ]);
  });

  it("shows from where to where a session lasts, and from where it is answered", () => {
    const history = room().join("carol", 2).call("alice", "bob", "s1").offer("alice", "carol", "s2").end("alice", "bob", "s1", "hangup", "bob", 1).offer("bob", "alice", "s3");
    const [alice, bob, carol] = drawn(history).lanes.map(({ activities }) => activities.map(({ from, to, answered, slot, session }) => [session.id, from, answered, to, slot]));
    assert.deepEqual(alice, [["s1", 3, 5, 8, 0], ["s2", 7, 10, 10, 1], ["s3", 9, 10, 10, 0]]);
    assert.deepEqual(bob, [["s1", 3, 5, 8, 0], ["s3", 9, 10, 10, 0]]);
    assert.deepEqual(carol, [["s2", 7, 10, 10, 0]]);
  });

  it("is the same without its first rows, but for them", () => {
    const history = room().call("alice", "bob", "s1").end("alice", "bob", "s1", "hangup", "bob", 1).offer("bob", "alice", "s2").add("away", { peer: "bob" });
    const whole = drawn(history);
    const { lanes, rows, began } = withoutFirst(whole, 4);
    assert.deepEqual([rows, began], [whole.rows.slice(4), whole.began]);
    assert.deepEqual(lanes.map(({ presence }) => presence.map(({ from, to, away }) => [from, to, away])), [[[-1, 5, false]], [[-1, 4, false], [4, 5, true]]]);
    assert.deepEqual(lanes[0].activities.map(({ from, answered, to }) => [from, answered, to]), [[-1, 0, 2], [3, 5, 5]]);
    assert.deepEqual(withoutFirst(whole, 7).lanes[0].activities.map(({ from, to }) => [from, to]), [[0, 2]]);
  });

  it("of one session has its own lines, and how its two came and went meanwhile", () => {
    const history = room().join("carol", 2).offer("alice", "bob", "s1").offer("alice", "carol", "s2").add("away", { peer: "bob" }).add("away", { peer: "carol" }).answer("bob", "alice", "s1").signal("alice", undefined, "chat");
    history.end("alice", "bob", "s1", "timeout", "bob", 5000).add("left", { peer: "bob", reason: "timeout" });
    const entries = entriesOf(history.lines);
    const found = ladder(entries, { session: entries[3].session });
    assert.deepEqual(short(found), ["offer alice bob", "away bob", "answer bob alice", "ended bob alice", "left bob"]);
    assert.deepEqual(found.lanes.map(({ peer, presence }) => [peer, presence.length]), [["alice", 1], ["bob", 2]]);
    assert.equal(found.began, history.lines[0].at);
  });

  it("tells of readers where one asks for them, and of their gaps in any case", () => {
    const history = room().add("reading", { peer: "bob", door: "events", transport: "sse", how: "fresh" }).add("stopped", { peer: "bob", door: "events", transport: "sse", ms: 5000, reason: "slow" }).add("reading", { peer: "bob", door: "events", transport: "poll", how: "gap", gap: "evicted" });
    assert.deepEqual(drawn(history).rows.slice(2).map(label), ["long-poll with a gap (evicted)"]);
    assert.deepEqual(drawn(history, { readers: true }).rows.slice(2).map(label), ["event stream", "event stream over: it read too slowly after 5 s", "long-poll with a gap (evicted)"]);
  });

  it("says where lines are missing", () => {
    assert.deepEqual(short(drawn(room().add("gap").signal("alice", "bob", "chat"))), ["joined alice", "joined bob", "gap", "chat alice bob"]);
    // Who is there afterwards is known from what follows, or from who is there now.
    const history = room().join("carol", 2).call("alice", "bob", "s1").add("gap").join("bob", 9).add("left", { peer: "carol", reason: "left" });
    const found = drawn(history, { present: new Set(["bob"]) });
    assert.deepEqual(found.lanes.map(({ peer, here, presence }) => [peer, here, presence.map(({ from, to }) => `${from}-${to}`).join(" ")]), [["alice", false, "0-7"], ["carol", false, "2-7 7-9"], ["bob", true, "1-7 8-10"]].sort((a, b) => found.lanes.findIndex(({ peer }) => peer === a[0]) - found.lanes.findIndex(({ peer }) => peer === b[0])));
    assert.deepEqual(found.lanes.flatMap(({ activities }) => activities.map(({ to }) => to)), [7, 7]);
  });

  it("leaves out that a connection was closed whose session had ended", () => {
    const history = room().call("alice", "bob", "s1").ice("alice", "s1", "connected", "direct").ice("bob", "s1", "closed").end("alice", "bob", "s1", "hangup", "bob", 9).ice("alice", "s1", "closed");
    assert.deepEqual(drawn(history).rows.filter(({ kind }) => kind === "ice").map(label), ["ICE connected · direct", "ICE closed"]);
  });

  it("can be copied as text, with every row, the verdicts, and nothing that the envelopes do not say", () => {
    const history = room().call("alice", "bob", "s1").ice("alice", "s1", "connected", "relay-tls", 170).signal("bob", "alice", "bye", "s1", {}, 65_000).end("alice", "bob", "s1", "hangup", "bob", 65_400);
    const sessions = new Sessions();
    const entries = entriesOf(history.lines, sessions);
    const text = asText(ladder(entries), { room: "demo", server: "https://calls.example", now: history.at, sessions: sessions.all });
    assert.equal(text, `Room demo at https://calls.example
Time 0 is 2026-09-21 14:13:20.000 UTC; copied 2026-09-21 14:14:25.396 UTC
2 peers: alice, bob

[s1] alice -> bob  connected after 0.4 s, through the relay by TLS; bob hung up after 65 s

   0.00  alice joined (order 0)
   0.00  bob joined (order 1)
   0.00  alice -> bob: offer [s1], 100 B
   0.00  alice -> bob: candidate ×3 [s1], 300 B, within 10 ms
   0.21  bob -> alice: answer · after 0.2 s [s1], 100 B
   0.22  bob -> alice: candidate ×2 [s1], 200 B, within 5 ms
   0.39  alice: ICE connected · relay-tls (through the relay by TLS) [s1]
         … 65 s of silence
1:05.39  bob -> alice: bye [s1], 100 B
1:05.39  bob -- alice: ended (hangup): bob hung up after 65 s [s1]
`);
  });
});
