/**
 * The client's own readings of what others write, against whatever cuts, fills and repeats a generator thinks of. A
 * failing case names its seed: PROPERTY_SEED=N runs it alone.
 */

import assert from "node:assert/strict";
import { after, before, describe, it, mock } from "node:test";
import { streamPasses } from "../../web/client/probe.js";
import { join } from "../../web/client/switchboard.js";
import { FakeEventSource, World, cursorOf } from "./harness/world.mjs";

const CASES = 300;
const only = process.env.PROPERTY_SEED;
const seeds = only ? [Number(only)] : Array.from({ length: CASES }, (_, n) => n + 1);

/** Numbers by lot, the same for the same seed. */
class Lot {
  #state;

  constructor(seed) {
    this.#state = (seed * 2_654_435_761) % 2_147_483_647 || 1;
  }

  /** One of 0 … among - 1. */
  next(among) {
    this.#state = (this.#state * 48_271) % 2_147_483_647;
    return this.#state % among;
  }

  of(list) {
    return list[this.next(list.length)];
  }

  times(most, make) {
    return Array.from({ length: this.next(most + 1) }, make);
  }

  text() {
    const parts = ["", "a", "é", "\u2028", "😀", "\n", "\r", "\0", "data:", "id: 1\n\n", '"', "\\", "__proto__", "\ud800"];
    return this.times(6, () => this.of(parts)).join("");
  }

  json(depth = 3) {
    const kinds = [() => null, () => this.next(2) === 0, () => this.next(1e6) / 7, () => this.text()];
    if (depth > 0) {
      kinds.push(() => this.times(4, () => this.json(depth - 1)));
      kinds.push(() => JSON.parse(`{${this.times(4, (_, n) => `${JSON.stringify(this.text() + n)}:${JSON.stringify(this.json(depth - 1))}`).join()}}`));
    }
    return this.of(kinds)();
  }
}

describe("the reading of ticks", () => {
  const START = 1_700_000_000_000;
  let now = START;
  let pieces = [];

  before(() => {
    mock.method(Date, "now", () => now);
    const read = async () => {
      const piece = pieces.shift();
      if (!piece) return { done: true };
      now = START + piece.at;
      return { done: false, value: piece.bytes };
    };
    mock.method(globalThis, "fetch", async () => ({ ok: true, body: { getReader: () => ({ read }) } }));
  });
  after(() => mock.restoreAll());

  /** What comes at one moment, in pieces of any length. */
  const cut = (lot, at, text) => {
    const bytes = new TextEncoder().encode(text);
    const cuts = [0, ...lot.times(5, () => lot.next(bytes.length + 1)), bytes.length].sort((a, b) => a - b);
    return cuts.slice(1).map((end, n) => ({ at, bytes: bytes.subarray(cuts[n], end) }));
  };
  const tick = (lot, n) => {
    const noise = lot.times(3, () => lot.of([": é😀\n", "event: tick\n", `id: ${n}\n`, "\n", "retry: 5\n", "dat: {}\n"])).join("");
    return `${noise}data:${lot.of(["", " "])}{"n":${n},"sent_ms":${START - 500_000 + n * 250}}${lot.of(["\n", "\r\n"])}\n`;
  };
  const told = (seed, held) => {
    const lot = new Lot(seed);
    pieces = Array.from({ length: 8 }, (_, n) => cut(lot, (held ? 7 : n) * 250 + lot.next(40), tick(lot, n)))
      .flat()
      .sort((a, b) => a.at - b.at);
    if (held) for (const piece of pieces) piece.at = 1_750;
    return streamPasses("http://server.test");
  };

  it("sees ticks that came one by one, however the pieces are cut", async () => {
    for (const seed of seeds) assert.equal(await told(seed, false), true, `PROPERTY_SEED=${seed}`);
  });

  it("sees ticks that were held back, however the pieces are cut", async () => {
    for (const seed of seeds) assert.equal(await told(seed, true), false, `PROPERTY_SEED=${seed}`);
  });
});

describe("the reading of events", () => {
  for (const transport of ["sse", "poll"]) {
    it(`hands over by ${transport} what peers say, each once and in order, and stumbles over none of it`, async () => {
      for (const seed of seeds.slice(0, 100)) {
        const world = new World({ eventSource: transport === "sse" });
        try {
          await meet(world, new Lot(seed), transport, `PROPERTY_SEED=${seed}`);
        } finally {
          world.end();
        }
      }
    });
  }

  async function meet(world, lot, transport, name) {
    world.holdAll = true;
    const room = await join("http://server.test", "r", { transport });
    await world.pass(1);
    const heard = [];
    room.addEventListener("signal", ({ detail }) => heard.push(detail));
    const said = Array.from({ length: 1 + lot.next(12) }, () => {
      const signal = { from: lot.of(["bob", "carol"]), type: lot.of(["note", "offer", "answer", "candidate", "x-1"]), data: lot.json() };
      return lot.next(2) ? { ...signal, session: lot.of(["s1", "constructor", "__proto__"]) } : signal;
    });
    const events = [
      { id: cursorOf(1), event: "peer-joined", data: { peer: "bob", meta: lot.json(), order: 1 } },
      { id: cursorOf(2), event: "peer-joined", data: { peer: "constructor", meta: lot.json(), order: 2 } },
      ...said.map((data, n) => ({ id: cursorOf(n + 3), event: "signal", data })),
    ];
    // By a stream some come again, from some way back, as after a reconnect. Of a poll that would mean a lost cursor.
    const order = [];
    for (let n = 0; n < events.length; n += 1) {
      order.push(n);
      if (transport === "sse" && lot.next(4) === 0) order.push(...events.slice(Math.max(0, n - lot.next(5)), n + 1).map((event) => events.indexOf(event)));
    }
    if (transport === "sse") {
      FakeEventSource.last.ready();
      FakeEventSource.last.emit("ping");
      for (const n of order) FakeEventSource.last.emit(events[n].event, events[n].data, events[n].id);
      await world.pass(1);
    } else {
      for (let rest = order; rest.length > 0; ) {
        const part = rest.slice(0, 1 + lot.next(5));
        rest = rest.slice(part.length);
        await world.pass(1);
        const [poll] = world.held;
        assert.ok(poll, `${name}: no poll waits`);
        poll.answer({ events: part.map((n) => events[n]), cursor: events[part.at(-1)].id, more: false, retry_ms: 0 });
        await world.pass(1);
      }
    }
    assert.deepEqual(heard.map(({ from, type, data, session }) => (session === undefined ? { from, type, data } : { from, type, data, session })), said, name);
    assert.equal(room.peers.has("constructor"), true, name);
    room.close();
  }
});
