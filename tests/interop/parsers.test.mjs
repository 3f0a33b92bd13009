/** The same streams to every parser, and to the standard: those of our server, and those that only others send. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { startServer } from "../browser/harness/server.mjs";
import { DEVIATIONS, ofOurs, ofTorn } from "./harness/deviations.mjs";
import { HOSTILE } from "./harness/hostile.mjs";
import { openParsers, standIn } from "./harness/parsers.mjs";
import { Peer } from "./harness/peer.mjs";
import { cuts, seeded } from "./harness/seeded.mjs";
import { Source } from "./harness/source.mjs";
import { interpret } from "./harness/standard.mjs";
import { STREAMS, bytesOf } from "./harness/streams.mjs";

const RANDOM = 60;

/** Streams as our server writes them. @param {import("node:test").TestContext} t */
async function recorded(t) {
  const server = await startServer();
  t.after(() => server.stop());
  /** @param {string} room @param {string} query @param {string[]} signals */
  const record = async (room, query, signals) => {
    const [bob, alice] = [await Peer.join(server.url, room, "bob"), await Peer.join(server.url, room, "alice")];
    await alice.send("bob", "words", ...signals);
    await alice.leave();
    let left = false;
    return bob.record(query, (text) => {
      if (!left && text.includes("event: ping")) void bob.leave();
      left ||= text.includes("event: ping");
    });
  };
  const probe = await fetch(`${server.url}/probe`);
  return {
    short: await record("short", "", [`"é€😀\\n"`]),
    padded: await record("padded", "?pad=1", HOSTILE.slice(0, 4)),
    hostile: await record("hostile", "", HOSTILE),
    probe: new Uint8Array(await probe.arrayBuffer()),
  };
}

/** What a parser made of the streams, beside what it should have. */
class Trial {
  /** @type {{what: string, url: string, wanted: import("./harness/standard.mjs").Seen[]}[]} */
  #rows = [];

  /** @param {Source} source */
  constructor(source) {
    this.source = source;
  }

  /** @param {string} what @param {Uint8Array} bytes @param {number[]} places @param {import("./harness/standard.mjs").Seen[]} wanted */
  add(what, bytes, places, wanted) {
    this.#rows.push({ what, url: this.source.add(bytes, places), wanted });
  }

  /** @param {import("./harness/parsers.mjs").Parser} parser @param {number} least */
  async run(parser, least) {
    assert.ok(this.#rows.length >= least, `${this.#rows.length} streams`);
    const all = await parser.readAll(this.#rows.map(({ url }) => url));
    for (const [at, { what, wanted }] of this.#rows.entries()) assert.deepEqual(all[at], wanted, what);
  }
}

test("the standard, as these tests take it, makes of each stream what was worked out by hand", () => {
  for (const [name, { bytes, seen }] of Object.entries(STREAMS)) assert.deepEqual(interpret(bytes), seen, name);
});

test("parsers", { concurrency: true }, async (t) => {
  const source = await Source.open(t);
  const ours = await recorded(t);
  /** @param {Uint8Array} bytes @param {number} size of the pieces @param {number} first where the first one ends */
  const every = (bytes, size = 1, first = 0) => Array.from({ length: Math.floor((bytes.length - first) / size) + 1 }, (_, at) => first + at * size);

  // What is compared is worth it: all that a stream can hold has been written.
  const names = new Set(interpret(ours.hostile).map(([event]) => event));
  assert.deepEqual([...names], ["ready", "peer-joined", "signal", "peer-left", "ping", "end"]);
  assert.deepEqual(interpret(ours.hostile).filter(([event]) => event === "signal").map(([, data]) => JSON.parse(data).data), HOSTILE.map((text) => JSON.parse(text)));
  assert.equal(interpret(ours.probe).length, 8);

  const parsers = await openParsers(t, source.url);
  await Promise.all([...parsers, standIn].map((parser) => t.test(parser.name, async (t) => {
    await t.test("reads our streams the same, wherever they are cut into pieces", async () => {
      const trial = new Trial(source);
      const seen = ofOurs(parser.name, interpret(ours.short));
      // At each byte there is a cut, with pieces of many lengths around it.
      for (const size of [1, 2, 3, 11]) {
        for (let first = 0; first < size; first += 1) trial.add(`in pieces of ${size} from ${first}`, ours.short, every(ours.short, size, first), seen);
      }
      for (const [name, bytes] of Object.entries(ours)) {
        const wanted = ofOurs(parser.name, interpret(bytes));
        trial.add(name, bytes, [], wanted);
        for (let seed = 1; seed <= 8; seed += 1) trial.add(`${name} by seed ${seed}`, bytes, cuts(seeded(seed), bytes.length, 40), wanted);
      }
      await trial.run(parser, 50);
    });

    await t.test("makes nothing up where our stream ends too early, but for what is known", async () => {
      const trial = new Trial(source);
      // At each byte but within long runs of ASCII.
      const plain = (at) => ours.short.subarray(Math.max(0, at - 8), at + 4).every((byte) => byte > 31 && byte < 127);
      for (const at of every(ours.short).filter((at) => at % 16 === 0 || !plain(at))) {
        const torn = ours.short.subarray(0, at);
        trial.add(`torn at ${at}`, torn, [], ofTorn(parser.name, torn));
      }
      await trial.run(parser, 100);
    });

    // It needs to read no stream but ours.
    if (parser === standIn) return;
    const known = DEVIATIONS[parser.name];

    await t.test("reads what others may send by the standard, but for what is known", async () => {
      const trial = new Trial(source);
      for (const [name, { bytes, seen }] of Object.entries(STREAMS)) trial.add(name, bytes, [], known[name] ?? seen);
      for (const name of Object.keys(known)) assert.notDeepEqual(known[name], STREAMS[name].seen, name);
      await trial.run(parser, Object.keys(STREAMS).length);
    });

    await t.test("reads random rows of those by the standard, in random pieces", async () => {
      const trial = new Trial(source);
      const good = Object.entries(STREAMS).filter(([name]) => !(name in known));
      // A mark counts at the start alone, and nothing comes behind an end.
      const within = good.filter(([name]) => !/^(two|a) byte order marks? first|^an end/.test(name));
      for (let seed = 1; seed <= RANDOM; seed += 1) {
        const chance = seeded(seed);
        const row = [good[chance(good.length)], ...Array.from({ length: chance(5) }, () => within[chance(within.length)])];
        if (!within.includes(row[0]) && row[0][0].startsWith("an end")) row.length = 1;
        // Each begins without an id of the one before.
        const bytes = bytesOf(...row.flatMap(([, { bytes: part }]) => [[...part], ...(row.length > 1 ? ["id:\ndata: next\n\n"] : [])]));
        trial.add(`seed ${seed}: ${row.map(([name]) => name).join(" + ")}`, bytes, cuts(chance, bytes.length, 12), interpret(bytes));
      }
      await trial.run(parser, RANDOM);
    });
  })));
});
