import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { SwitchboardError, join } from "../../web/client/switchboard.js";
import { FakeStorage, World, json, problem, settle } from "./harness/world.mjs";

const BASE = "http://server.test";

/** Web Locks of one browser, shared by its pages. */
class FakeLocks {
  #held = new Map();
  request(name, { signal }, work) {
    return new Promise((resolve, reject) => {
      const take = async () => {
        const done = work({ name });
        this.#held.set(name, done);
        await done;
        this.#held.delete(name);
        resolve();
      };
      if (!this.#held.has(name)) return void take();
      this.#held.get(name).then(take);
      signal?.addEventListener("abort", () => reject(signal.reason));
    });
  }
}

describe("joining", () => {
  /** @type {World} */
  let world;
  const rooms = [];
  beforeEach(() => {
    world = new World();
  });
  afterEach(() => {
    for (const room of rooms.splice(0)) room.close();
    world.end();
  });
  const enter = async (options, base = BASE) => {
    const joining = join(base, "r", { transport: "poll", ...options });
    joining.catch(() => {});
    await world.pass(2_000);
    const room = await joining;
    rooms.push(room);
    return room;
  };
  const bodies = () => world.made("POST", "/peers").map(({ body }) => body);
  /** Another page of the same browser; the room's page is taken for dead or alive as `locks` has it. */
  const reload = (navigator, storage = world.storage) => {
    world.tell("pagehide", { persisted: false });
    world.end();
    world = new World({ storage, navigator });
  };

  it("repeats a join whose answer got lost with the same key and the same id", async () => {
    let tries = 0;
    world.on("POST /rooms/r/peers", ({ body }) => {
      tries += 1;
      if (tries < 3) return Promise.reject(new TypeError("cut"));
      return json(world.joined(body), 200);
    });
    const room = await enter();
    const [first, , third] = bodies();
    assert.equal(tries, 3);
    assert.ok(first.key.length >= 16);
    assert.deepEqual(third, first);
    assert.equal(room.peer, first.peer);
    assert.match(room.peer, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it("waits with full jitter between tries and gives up in the end", async () => {
    world.on("POST /rooms/r/peers", () => Promise.reject(new TypeError("offline")));
    const joining = join(BASE, "r");
    let error;
    joining.catch((thrown) => (error = thrown));
    await world.until(() => error, 120_000);
    assert.ok(error instanceof SwitchboardError);
    assert.equal(error.slug, "network");
    assert.equal(bodies().length, 8);
  });

  it("rejects a refusal at once, with its slug", async () => {
    world.on("POST /rooms/r/peers", () => problem(409, "room-full", { detail: "64 peers" }));
    await assert.rejects(join(BASE, "r"), { status: 409, slug: "room-full", detail: "64 peers" });
    assert.equal(bodies().length, 1);
  });

  it("rejects an answer that no Switchboard gave", async () => {
    world.on("POST /rooms/r/peers", () => json({ hello: 1 }));
    await assert.rejects(join(BASE, "r"), { slug: "not-a-switchboard" });
  });

  it("ends with the signal's reason", async () => {
    world.on("POST /rooms/r/peers", () => new Promise(() => {}));
    const abort = new AbortController();
    const joining = join(BASE, "r", { signal: abort.signal });
    await settle();
    abort.abort(new Error("changed my mind"));
    await assert.rejects(joining, /changed my mind/);
  });

  it("keeps a path prefix of the server", async () => {
    world.on("POST /under/rooms/r/peers", ({ body }) => json(world.joined(body), 201));
    world.on("GET /under/rooms/r/peers/me/poll", () => new Promise(() => {}));
    const room = await enter({ peer: "me" }, `${BASE}/under/?x#y`);
    assert.equal(room.url, `${BASE}/under`);
    assert.ok(world.requests.every(({ url }) => url.startsWith(`${BASE}/under/rooms/r/peers`)));
  });

  it("shows the access token, and asks a function for a new one at every try", async () => {
    let asked = 0;
    world.on("POST /rooms/r/peers", ({ body }) => (asked < 2 ? problem(503, "overloaded") : json(world.joined(body), 201)));
    await enter({ accessToken: () => `access-${(asked += 1)}` });
    assert.deepEqual(world.made("POST", "/peers").map(({ headers }) => headers.authorization), ["Bearer access-1", "Bearer access-2"]);
  });

  describe("after a reload", () => {
    it("is the same peer, fresh", async () => {
      const before = await enter();
      reload();
      const after = await enter();
      assert.deepEqual([bodies()[0].peer, bodies()[0].token, bodies()[0].fresh], [before.peer, "token-1", true]);
      assert.equal(after.peer, before.peer);
    });

    it("is somebody new where the memory is off", async () => {
      const before = await enter({ remember: false });
      assert.deepEqual(world.storage.keys(), []);
      reload();
      const after = await enter({ remember: false });
      assert.notEqual(after.peer, before.peer);
      assert.equal(bodies()[0].token, undefined);
    });

    it("does without a token that the server no longer takes", async () => {
      const before = await enter();
      reload();
      world.on("POST /rooms/r/peers", ({ body }) => (body.token ? problem(410, "ended", { reason: "unknown" }) : json(world.joined(body), 201)));
      const after = await enter();
      assert.equal(after.peer, before.peer);
      assert.equal(bodies().length, 2);
    });

    it("takes a new id where its own is somebody else's by now, unless the application chose it", async () => {
      const before = await enter();
      reload();
      const taken = ({ body }) => (body.peer === before.peer ? problem(409, "peer-exists") : json(world.joined(body), 201));
      world.on("POST /rooms/r/peers", taken);
      const after = await enter();
      assert.notEqual(after.peer, before.peer);
      world.on("POST /rooms/r/peers", () => problem(409, "peer-exists"));
      await assert.rejects(join(BASE, "r", { peer: "alice" }), { slug: "peer-exists" });
    });

    it("is somebody new after it has left", async () => {
      const before = await enter();
      await before.leave();
      const after = await enter();
      assert.notEqual(after.peer, before.peer);
    });
  });

  describe("in a duplicated tab", () => {
    const copyOf = (storage) => {
      const copy = new FakeStorage();
      for (const key of storage.keys()) copy.setItem(key, storage.getItem(key));
      return copy;
    };

    it("joins as a new peer while the original lives (Web Locks)", async () => {
      const locks = new FakeLocks();
      world.end();
      world = new World({ navigator: { locks } });
      const original = await enter();
      const copied = copyOf(world.storage);
      world.end();
      world = new World({ storage: copied, navigator: { locks } });
      const duplicate = await enter();
      assert.notEqual(duplicate.peer, original.peer);
      assert.equal(bodies()[0].token, undefined);
    });

    it("takes the identity over once the original is gone (Web Locks)", async () => {
      const locks = new FakeLocks();
      world.end();
      world = new World({ navigator: { locks } });
      const original = await enter();
      reload({ locks }, copyOf(world.storage));
      const next = await enter();
      assert.equal(next.peer, original.peer);
      assert.equal(bodies()[0].fresh, true);
    });

    it("joins as a new peer while the original lives (BroadcastChannel)", async () => {
      class Channel {
        static all = new Set();
        constructor(name) {
          this.name = name;
          Channel.all.add(this);
        }
        postMessage(data) {
          for (const other of Channel.all) if (other !== this && other.name === this.name) queueMicrotask(() => other.onmessage?.({ data }));
        }
        close() {
          Channel.all.delete(this);
        }
      }
      globalThis.BroadcastChannel = Channel;
      const original = await enter();
      const copied = copyOf(world.storage);
      world.end();
      world = new World({ storage: copied });
      globalThis.BroadcastChannel = Channel;
      const duplicate = await enter();
      assert.notEqual(duplicate.peer, original.peer);
      original.close();
      duplicate.close();
      assert.equal(Channel.all.size, 0, "every channel is closed with its room");
    });
  });
});
