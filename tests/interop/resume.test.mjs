/** Our stream, read by parsers that others wrote: cut in the midst of events, resumed, ended. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startServer } from "../browser/harness/server.mjs";
import { HOSTILE } from "./harness/hostile.mjs";
import { openParsers } from "./harness/parsers.mjs";
import { Peer } from "./harness/peer.mjs";
import { Scissors } from "./harness/scissors.mjs";
import { Source } from "./harness/source.mjs";

/** @type {Awaited<ReturnType<typeof startServer>>} */
let server;
before(async () => void (server = await startServer("--heartbeat", "1s")));
after(() => server?.stop());

/** Where the stream is cut, each time later: in the data, before the blank line, in the next id, in a character. */
const CUTS = [["cut-1"], [`cut-2"}\n`], [`cut-3"}`, "id: "], [Buffer.concat([Buffer.from("cut-4 "), Buffer.from("😀").subarray(0, 2)])]];
const BATCHES = [
  [`"${"y".repeat(30_000)}cut-1${"y".repeat(30_000)}"`, ...HOSTILE.slice(0, 4)],
  [`"before"`, `"cut-2"`, ...HOSTILE.slice(0, 8)],
  [`"cut-3"`, ...HOSTILE.slice(4, 12)],
  [`"cut-4 😀"`, ...HOSTILE],
];
const LAST = `"the last"`;

test("every parser reads each hostile signal once and in order, over four cuts, and stops at the end", { concurrency: true }, async (t) => {
  const source = await Source.open(t);
  const parsers = await openParsers(t, source.url);
  await Promise.all(parsers.map((parser) => t.test(parser.name, async (t) => {
    const scissors = await Scissors.open(t, server.url, CUTS);
    const room = `resume-${parser.name}`;
    const alice = await Peer.join(server.url, room, "alice");
    const bob = await Peer.join(server.url, room, "bob");
    await alice.send("bob", "words", ...HOSTILE);
    const { pathname } = new URL(bob.url);
    const following = parser.follow({ ...bob, url: scissors.url + pathname });
    following.catch(() => {});
    await scissors.passes("event: ping");
    for (const batch of BATCHES) {
      const cut = scissors.cut();
      // What is behind the cut comes while nobody reads.
      await alice.send("bob", "words", ...batch);
      await cut;
    }
    const last = scissors.passes(LAST);
    await alice.send("bob", "words", LAST);
    await last;
    await scissors.passes("event: ping");
    await bob.leave();

    const connections = await following;
    const seen = connections.flat();
    assert.equal(scissors.cuts, CUTS.length);
    const of = (name) => seen.filter(([event]) => event === name).map(([, data, id]) => ({ ...JSON.parse(data), at: id }));
    const signals = of("signal");
    const sent = [...HOSTILE, ...BATCHES.flat(), LAST].map((text) => JSON.parse(text));
    assert.deepEqual(signals.map(({ data }) => data), sent);
    assert.ok(signals.every(({ from, type }) => from === "alice" && type === "words"));
    assert.deepEqual(seen.filter(([event]) => !["ready", "signal", "ping", "end"].includes(event)), []);

    const places = signals.map(({ at }) => at.split("-"));
    assert.equal(new Set(places.map(([epoch]) => epoch)).size, 1);
    places.slice(1).forEach(([, seq], n) => assert.ok(Number(seq) > Number(places[n][1]), `${seq} after ${places[n][1]}`));

    const readies = of("ready");
    assert.deepEqual(readies.map(({ resumed }) => resumed), readies.map((_, at) => at > 0));
    // A browser may throw away what it has not handed on yet when the connection breaks; the same comes again.
    if (connections.length > 1) assert.deepEqual(connections.map(([[event]]) => event), Array(CUTS.length + 1).fill("ready"));
    else assert.ok(readies.length > 1);
    for (const { at, cursor } of readies) assert.equal(at, cursor);
    assert.ok(of("ping").length >= 1);
    const [event, data] = seen.at(-1);
    assert.equal(event, "end");
    assert.deepEqual(JSON.parse(data), { reason: "left", retry: "never" });
  })));
});
