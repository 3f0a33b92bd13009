/** Rooms, lines of time and figures that the console keeps and reads. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Book } from "../../web/console/book.js";
import { ladder } from "../../web/console/ladder.js";
import { parse, within } from "../../web/console/metrics.js";
import { presences } from "../../web/console/presence.js";
import { span, since } from "../../web/console/durations.js";
import { History } from "./harness/lines.mjs";

describe("the book of rooms", () => {
  const of = (book, name) => {
    const { peers, away, over } = book.rooms.get(name);
    return [peers, away, over];
  };

  it("counts who is in a room by its lines, and by the server's list where they are silent", () => {
    const book = new Book();
    book.list([{ room: "old", peers: 3 }], 0);
    book.take(new History("new").join("alice", 0).join("bob", 1).add("away", { peer: "bob" }).lines);
    assert.deepEqual([of(book, "old"), of(book, "new")], [[3, 0, false], [2, 1, false]]);
    book.take(new History("old").add("left", { peer: "x", reason: "left" }).lines);
    assert.deepEqual(of(book, "old"), [2, 0, false]);
    book.list([{ room: "old", peers: 2 }], book.lines);
    assert.deepEqual([of(book, "old"), of(book, "new")], [[2, 0, false], [0, 0, true]]);
  });

  it("does not take back by a list what was told since it was asked for", () => {
    const book = new Book();
    const asked = book.lines;
    book.take(new History("new").join("alice", 0).lines);
    book.list([], asked);
    assert.deepEqual(of(book, "new"), [1, 0, false]);
  });

  it("has a room over when its last peer is gone, and begun anew when one joins", () => {
    const book = new Book();
    const history = new History("r").join("alice", 0).add("left", { peer: "alice", reason: "left" }).add("stopped", { peer: "alice", door: "events", transport: "sse", ms: 9 });
    book.take(history.lines.splice(0));
    assert.deepEqual(of(book, "r"), [0, 0, true]);
    book.take(history.join("alice", 1).lines);
    assert.deepEqual(of(book, "r"), [1, 0, false]);
  });

  it("counts calls that failed, also by time alone, and offers that opened none", () => {
    const book = new Book();
    const history = new History("r").join("alice", 0).join("bob", 1).offer("alice", "bob", "s1");
    history.add("refused", { from: "bob", to: "alice", type: "offer", session: "s2", slug: "rate-limited" });
    book.take(history.lines);
    assert.equal(book.rooms.get("r").health(history.at).failed, 1);
    assert.equal(book.rooms.get("r").health(history.at + 60_000).failed, 2);
  });

  it("marks in every room that lines are missing, and takes who is there from the server", () => {
    const book = new Book();
    const history = new History("r").join("alice", 0);
    book.take(history.lines);
    book.gap();
    book.members("r", [{ peer: "bob", state: "away", order: 4 }], book.lines);
    const room = book.rooms.get("r");
    assert.deepEqual(room.entries.map(({ line }) => line.event), ["joined", "gap"]);
    assert.deepEqual([[...room.present], room.orders.get("bob")], [[["bob", "away"]], 4]);
  });

  it("counts nobody twice of whom both the list and older lines tell", () => {
    const book = new Book();
    const history = new History("r").join("alice", 0).join("bob", 1).join("carol", 2).add("left", { peer: "carol", reason: "left" });
    book.list([{ room: "r", peers: 2 }], 0, history.at + 5);
    assert.equal(book.rooms.get("r").peers, 2);
    // Carol's leaving is in the list already, though of her coming nothing is kept.
    history.lines.splice(2, 1);
    book.take(history.lines.splice(0));
    assert.deepEqual([book.rooms.get("r").peers, book.rooms.get("r").counted], [2, 2]);
    book.take(history.add("joined", { peer: "dave", order: 3 }, 10).lines.splice(0));
    assert.equal(book.rooms.get("r").peers, 3);
    book.take(history.add("left", { peer: "alice", reason: "left" }).lines);
    assert.equal(book.rooms.get("r").peers, 2);
  });

  it("has nobody come back who left before what is kept", () => {
    const book = new Book();
    const history = new History("r").join("keeper", 0);
    for (let n = 0; n < 2001; n += 1) history.join(`p${n}`, n + 1).add("left", { peer: `p${n}`, reason: "left" });
    book.take(history.lines.splice(0));
    const room = book.rooms.get("r");
    const here = () => presences(room.entries.map(({ line }) => line), room.ordersHere).filter(({ stays }) => stays.at(-1).to === undefined);
    assert.deepEqual([here().map(({ peer }) => peer), [...room.orders]], [["keeper"], [["keeper", 0]]]);
    for (let n = 0; n < 4000; n += 1) history.signal("a", "b", "chat");
    book.take(history.lines);
    assert.deepEqual(ladder(room.entries, { orders: room.ordersHere, present: room.present }).lanes.map(({ peer }) => peer).sort(), ["a", "b", "keeper"]);
  });

  it("has those in a room whom the server lists, but who have left since it was asked", () => {
    const book = new Book();
    const history = new History("r").join("alice", 5);
    book.take(history.lines.splice(0));
    const asked = book.lines;
    book.take(history.join("carol", 6).add("left", { peer: "alice", reason: "left" }).lines);
    const list = [{ peer: "silent", state: "away", order: 1 }, { peer: "alice", state: "live", order: 5 }];
    book.members("r", list, asked);
    const room = book.rooms.get("r");
    assert.deepEqual([[...room.present], room.ordersHere], [[["carol", "here"], ["silent", "away"]], [["carol", 6], ["silent", 1]]]);
    book.members("r", list.slice(0, 1), book.lines);
    assert.deepEqual([[...room.present], [...room.orders]], [[["silent", "away"]], [["silent", 1]]]);
    book.list([{ room: "r", peers: 0 }], book.lines);
    assert.deepEqual([room.present.size, room.orders.size], [0, 0]);
  });

  it("keeps of sessions and refused offers none that are older than its lines, but those that go on", () => {
    const book = new Book();
    const history = new History("r").join("alice", 0).join("bob", 1).call("alice", "bob", "over").end("alice", "bob", "over", "timeout").call("alice", "bob", "open");
    history.add("refused", { from: "bob", to: "alice", type: "offer", session: "s2", slug: "rate-limited" });
    book.take(history.lines.splice(0));
    const room = book.rooms.get("r");
    assert.deepEqual([room.sessions.all.map(({ id }) => id), room.health(history.at).failed], [["over", "open", "s2"], 2]);
    for (let n = 0; n < 4000; n += 1) history.signal("a", "b", "chat");
    book.take(history.lines.splice(0));
    assert.deepEqual([room.sessions.all.map(({ id }) => id), room.refusedOffers, room.health(history.at).failed], [["open"], 0, 0]);
    book.take(history.end("alice", "bob", "open", "hangup").call("alice", "bob", "over").lines);
    assert.deepEqual(room.sessions.all.map(({ id, ended }) => [id, ended?.reason]), [["open", "hangup"], ["over", undefined]]);
  });

  it("is bounded, and gives up first what is over", () => {
    const book = new Book();
    for (let n = 0; n < 700; n += 1) book.take(new History(`over-${n}`).join("a", 0).add("left", { peer: "a", reason: "left" }).lines);
    assert.equal(book.rooms.size, 500);
    assert.ok(!book.rooms.has("over-0") && book.rooms.has("over-699"));
    const busy = new History("busy").join("a", 0);
    for (let n = 0; n < 5000; n += 1) busy.signal("a", "b", "chat");
    book.take(busy.lines);
    assert.equal(book.rooms.get("busy").entries.length, 4000);
    for (let n = 0; n < 20; n += 1) {
      const history = new History(`live-${n}`).join("a", 0);
      for (let m = 0; m < 3999; m += 1) history.signal("a", "b", "chat");
      book.take(history.lines);
    }
    const kept = [...book.rooms.values()].reduce((sum, { entries }) => sum + entries.length, 0);
    assert.ok(kept <= 60_000, String(kept));
    assert.ok(!book.rooms.has("over-699") && book.rooms.has("live-0"));
  });
});

describe("the line of time of a peer", () => {
  const T = new History().at;
  const bars = ({ bars: all }) => all.map(({ transport, door, from, to, known, reason, how }) => [transport, door, from - T, to === undefined ? "on" : to - T, known ? (reason ?? "went") : "", how ?? ""]);
  const reading = (transport, how = "fresh", door = "events", more = {}) => ({ peer: "a", door, transport, how, ...more });

  it("has a bar for each reader, with the reason of its end", () => {
    const history = new History().join("a", 0).add("reading", reading("sse"), 10).add("stopped", { peer: "a", door: "events", transport: "sse", ms: 90, reason: "slow" }, 90);
    history.add("reading", reading("ndjson", "resumed"), 50).add("reading", reading("sse", "fresh", "notices"), 10).add("stopped", { peer: "a", door: "events", transport: "ndjson", ms: 40 }, 30);
    const [a] = presences(history.lines);
    assert.deepEqual(bars(a), [["sse", "events", 10, 100, "slow", "fresh"], ["ndjson", "events", 150, 190, "went", "resumed"], ["sse", "notices", 160, "on", "", "fresh"]]);
  });

  it("ends a reader where the next begins, whichever is told first, and finds the reason", () => {
    const history = new History().join("a", 0).add("reading", reading("sse"), 10).add("reading", reading("sse", "resumed"), 90).add("stopped", { peer: "a", door: "events", transport: "sse", ms: 91, reason: "replaced" }, 1);
    assert.deepEqual(bars(presences(history.lines)[0]), [["sse", "events", 10, 100, "replaced", "fresh"], ["sse", "events", 100, "on", "", "resumed"]]);
  });

  it("ends polls, of which no end is told, where another transport, an absence or the end of the membership comes", () => {
    const history = new History().join("a", 0).add("reading", reading("poll"), 10).add("reading", reading("sse"), 10).add("stopped", { peer: "a", door: "events", transport: "sse", ms: 10 }, 10);
    history.add("reading", reading("poll", "gap", "events", { gap: "evicted" }), 5).add("away", { peer: "a" }, 20).add("back", { peer: "a" }, 7).add("reading", reading("poll", "resumed")).add("left", { peer: "a", reason: "timeout" }, 30);
    const [a] = presences(history.lines);
    assert.deepEqual(bars(a), [["poll", "events", 10, 20, "", "fresh"], ["sse", "events", 20, 30, "went", "fresh"], ["poll", "events", 35, 55, "", "gap"], ["poll", "events", 62, 92, "timeout", "resumed"]]);
    assert.deepEqual(a.aways.map(({ from, to }) => [from - T, to - T]), [[55, 62]]);
    assert.deepEqual(a.stays.map(({ from, to, reason }) => [from - T, to - T, reason]), [[0, 92, "timeout"]]);
  });

  it("has polls go on after an absence, of which nobody tells that they do", () => {
    const history = new History().join("a", 0).add("reading", reading("poll"), 10).add("away", { peer: "a" }, 20).add("back", { peer: "a" }, 7).add("reading", reading("sse"), 5).add("away", { peer: "a" }, 1).add("back", { peer: "a" }, 1);
    assert.deepEqual(bars(presences(history.lines)[0]), [["poll", "events", 10, 30, "", "fresh"], ["poll", "events", 37, 42, "", ""], ["sse", "events", 42, 43, "", "fresh"]]);
  });

  it("knows how long a reader was open whose beginning is no longer kept", () => {
    const history = new History().add("stopped", { peer: "a", door: "events", transport: "sse", ms: 400, reason: "drain" }, 100);
    assert.deepEqual(bars(presences(history.lines)[0]), [["sse", "events", -300, 100, "drain", ""]]);
  });
});

describe("the server's figures", () => {
  const text = `# HELP switchboard_readers Readers.
# TYPE switchboard_readers gauge
switchboard_readers{transport="sse"} 4
switchboard_readers{transport="poll"} 2
switchboard_session_ends_total{reason="odd \\"one\\", here"} 3 1700000000000
switchboard_sessions_answered_seconds_bucket{le="0.1"} 2
switchboard_sessions_answered_seconds_bucket{le="1"} 9
switchboard_sessions_answered_seconds_bucket{le="+Inf"} 10
switchboard_sessions_answered_seconds_sum 7.5
`;

  it("are read by name and label", () => {
    const metrics = parse(text);
    assert.equal(metrics.sum("readers"), 6);
    assert.equal(metrics.sum("nothing"), undefined);
    assert.deepEqual([...metrics.by("readers", "transport")], [["sse", 4], ["poll", 2]]);
    assert.deepEqual([...metrics.by("session_ends_total", "reason")], [['odd "one", here', 3]]);
    const buckets = metrics.buckets("sessions_answered_seconds");
    assert.deepEqual(buckets, [{ upTo: 0.1, count: 2 }, { upTo: 1, count: 7 }, { upTo: Infinity, count: 1 }]);
    assert.deepEqual([within(buckets, 0.1), within(buckets, 0.5), within(buckets, 0.95), within([], 0.5)], [0.1, 1, Infinity, undefined]);
  });
});

describe("spans of time", () => {
  it("are told in a few letters", () => {
    assert.deepEqual([0, 42, 94, 95, 400, 999, 9_949, 9_950, 12_000, 119_499, 119_500, 3_600_000, 7_500_000].map(span), ["0 ms", "42 ms", "94 ms", "0.1 s", "0.4 s", "1 s", "9.9 s", "10 s", "12 s", "119 s", "2 min", "60 min", "2 h 5 min"]);
    assert.deepEqual([0, 1234, 61_230, 3_661_000].map(since), ["0.00", "1.23", "1:01.23", "1:01:01"]);
  });
});
