/** What a key does to a message: who can open it, and where. */

import assert from "node:assert/strict";
import { describe, it, mock } from "node:test";
import { Secrecy, isSealed } from "../../web/client/secrecy.js";
import { fromBase64Url, toBase64Url } from "../../web/client/base64url.js";
import { join, keyIn, makeKey } from "../../web/client/switchboard.js";

const KEY = makeKey();
const OFFER = { type: "offer", sdp: "v=0\r\na=fingerprint:sha-256 AA:BB\r\n", round: 1 };
/** A signal as the server hands it on. */
const event = (from, { type, session, data }) => ({ from, type, ...(session === undefined ? {} : { session }), data: data ?? null });

describe("a key", () => {
  it("is 256 random bits as text that a URL takes as it is", () => {
    const keys = Array.from({ length: 100 }, makeKey);
    for (const key of keys) assert.match(key, /^[A-Za-z0-9_-]{43}$/);
    assert.equal(new Set(keys).size, 100);
    assert.equal(fromBase64Url(keys[0]).length, 32);
  });

  it("is found in a fragment, and one that is not whole is refused", () => {
    for (const fragment of [`#key=${KEY}`, `key=${KEY}`, `#room&key=${KEY}`, `#room&key=${KEY}&more=1`]) assert.equal(keyIn(fragment), KEY);
    for (const fragment of ["", "#", "#room", "#monkey=1", "#room&turkey=2"]) assert.equal(keyIn(fragment), null);
    for (const key of ["", "short", KEY.slice(0, -1), `${KEY}A`, `${KEY.slice(0, -1)}!`, "%20"]) {
      assert.throws(() => keyIn(`#room&key=${key}`), (error) => error instanceof TypeError && (key.length < 5 || !error.message.includes(key)));
    }
  });

  it("that is missing or not whole joins no room in its place, neither an open one", async () => {
    const asked = mock.fn();
    mock.method(globalThis, "fetch", asked);
    for (const key of [null, "", "short", 7, KEY.slice(1)]) await assert.rejects(join("http://server.test", "r", { key }), TypeError);
    assert.equal(asked.mock.callCount(), 0);
    mock.restoreAll();
  });

  it("is refused at once, in words, by a page without WebCrypto", async () => {
    const before = Object.getOwnPropertyDescriptor(globalThis, "crypto");
    const { getRandomValues } = crypto;
    Object.defineProperty(globalThis, "crypto", { configurable: true, value: { getRandomValues: getRandomValues.bind(crypto) } });
    try {
      await assert.rejects(join("http://server.test", "r", { key: KEY }), (error) => error.slug === "insecure-context" && error.passing === false && /HTTPS/.test(error.detail));
    } finally {
      Object.defineProperty(globalThis, "crypto", before);
    }
  });

  it("stands in base64url in one way only", () => {
    for (let length = 0; length < 40; length += 1) {
      const bytes = crypto.getRandomValues(new Uint8Array(length));
      assert.deepEqual(fromBase64Url(toBase64Url(bytes)), bytes);
    }
    const large = crypto.getRandomValues(new Uint8Array(60_000));
    assert.deepEqual(fromBase64Url(toBase64Url(large)), large);
    // The last two bits of this text stand for nothing.
    for (const text of ["AB", "A", "A=", "A+", "A/", "A A"]) assert.equal(fromBase64Url(text), null);
  });
});

describe("what is sealed", () => {
  const both = async (room = "r") => [await Secrecy.of(KEY, room), await Secrecy.of(KEY, room)];

  it("is opened by whoever it is for, as it was", async () => {
    const [alice, bob] = await both();
    for (const data of [OFFER, null, undefined, 0, "", [], "\u2028ä€😀\0", { deep: [{ a: [null, false] }] }]) {
      const direct = await alice.seal("alice", { to: "bob", type: "note", session: "s1", data });
      assert.deepEqual((await bob.openSignal(event("alice", direct), "bob")).data, data);
      const broadcast = await alice.seal("alice", { type: "note", data });
      assert.deepEqual((await bob.openSignal(event("alice", broadcast), "bob")).data, data);
    }
    const meta = await alice.sealMeta("alice", { name: "Ada" });
    const { peers, errors } = await bob.openPeers([{ peer: "alice", meta, order: 3, state: "live" }]);
    assert.deepEqual(peers, [{ peer: "alice", meta: { name: "Ada" }, order: 3, state: "live" }]);
    assert.equal(errors.size, 0);
    const [nothing] = (await bob.openPeers([{ peer: "alice", meta: await alice.sealMeta("alice", undefined) }])).peers;
    assert.deepEqual(nothing.meta, {}, "as the server has it");
    const bye = await alice.seal("alice", { to: "bob", type: "bye", session: "s1", data: { reason: "failed" } });
    assert.deepEqual((await bob.openBye({ session: "s1", peer: "alice", data: bye.data }, "bob")).data, { reason: "failed" });
    const toAll = await alice.seal("alice", { to: "bob", type: "bye", data: "all" });
    for (const session of ["s1", "s2"]) assert.equal((await bob.openBye({ session, peer: "alice", data: toAll.data }, "bob")).data, "all");
    const silent = { to: "bob", type: "bye", session: "s1" };
    assert.equal(await alice.seal("alice", silent), silent);
  });

  it("shows nothing of itself but its length, and never twice the same", async () => {
    const [alice] = await both();
    const texts = [];
    for (let n = 0; n < 500; n += 1) texts.push((await alice.seal("alice", { to: "bob", type: "offer", session: "s1", data: OFFER, id: "m-1" })).data.sealed);
    assert.equal(new Set(texts).size, 500);
    const nonces = texts.map((text) => text.split(".")[2].slice(0, 16));
    assert.equal(new Set(nonces).size, 500);
    for (const text of texts) assert.doesNotMatch(JSON.stringify(Buffer.from(text.split(".")[2], "base64url").toString("latin1")), /v=0|fingerprint|sdp/);
    assert.ok(!texts.some((text) => text.includes(KEY)));
  });

  it("gets an offer's session before it is sealed", async () => {
    const [alice, bob] = await both();
    const offer = await alice.seal("alice", { to: "bob", type: "offer", data: OFFER });
    assert.match(offer.session, /^[0-9a-f]{24}$/);
    assert.deepEqual((await bob.openSignal(event("alice", offer), "bob")).data, OFFER);
    assert.equal("session" in (await alice.seal("alice", { to: "bob", type: "note", data: 1 })), false);
  });

  it("is opened with no other key, and by nobody's who has none", async () => {
    const [alice] = await both();
    const eve = await Secrecy.of(makeKey(), "r");
    const offer = event("alice", await alice.seal("alice", { to: "eve", type: "offer", session: "s1", data: OFFER }));
    assert.equal((await eve.openSignal(offer, "eve")).error.slug, "other-key");
    // Whatever the operator makes of what tells the keys apart.
    const [version, , box] = offer.data.sealed.split(".");
    const [, id] = (await eve.sealMeta("eve", 0)).sealed.split(".");
    assert.equal((await eve.openSignal({ ...offer, data: { sealed: `${version}.${id}.${box}` } }, "eve")).error.slug, "tampered");
    assert.equal((await alice.openSignal({ ...offer, data: { sealed: `2.${id}.${box}` } }, "eve")).error.slug, "other-key");
    const odd = [null, undefined, OFFER, "text", 7, [], {}, { sealed: 7 }, { sealed: "" }, { sealed: "1.2.3" }, { sealed: null, all: true }];
    for (const data of odd) {
      assert.equal((await alice.openSignal({ from: "bob", type: "offer", session: "s1", data }, "alice")).error.slug, "no-key");
      assert.equal(isSealed(data), false);
    }
    const { peers, errors } = await eve.openPeers([{ peer: "alice", meta: await alice.sealMeta("alice", { name: "Ada" }) }, { peer: "bob", meta: { name: "Bob" } }]);
    assert.deepEqual(peers.map(({ meta }) => meta), [null, null]);
    assert.deepEqual([...errors].map(([peer, { slug }]) => [peer, slug]), [["alice", "other-key"], ["bob", "no-key"]]);
  });

  it("does not open with any of its characters changed", async () => {
    const [alice, bob] = await both();
    const offer = event("alice", await alice.seal("alice", { to: "bob", type: "offer", session: "s1", data: "v=0" }));
    const text = offer.data.sealed;
    for (let at = 0; at < text.length; at += 1) {
      const changed = text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);
      const { error, data } = await bob.openSignal({ ...offer, data: { sealed: changed } }, "bob");
      assert.ok(["tampered", "other-key", "no-key"].includes(error?.slug), `at ${at}: ${JSON.stringify(data)}`);
    }
    for (const cut of [1, 16, 20, 40]) assert.equal((await bob.openSignal({ ...offer, data: { sealed: text.slice(0, -cut) } }, "bob")).error.slug, "tampered");
    assert.equal((await bob.openSignal({ ...offer, data: { sealed: `${text}AAAA` } }, "bob")).error.slug, "tampered");
    assert.equal((await bob.openSignal({ ...offer, data: { sealed: text.split(".").with(2, "AAAA").join(".") } }, "bob")).error.slug, "tampered");
    assert.equal((await bob.openSignal(offer, "bob")).data, "v=0");
  });

  it("does not open where it was not meant for", async () => {
    const [alice, bob] = await both();
    const [elsewhere] = await both("another-room");
    const offer = event("alice", await alice.seal("alice", { to: "bob", type: "offer", session: "s1", data: OFFER }));
    const moved = {
      "to another session": () => bob.openSignal({ ...offer, session: "s2" }, "bob"),
      "out of its session": () => bob.openSignal({ ...offer, session: undefined }, "bob"),
      "to another sender": () => bob.openSignal({ ...offer, from: "carol" }, "bob"),
      "back to its sender": () => alice.openSignal({ ...offer, from: "bob" }, "alice"),
      "to another receiver": () => bob.openSignal(offer, "carol"),
      "to all": () => bob.openSignal({ ...offer, data: { ...offer.data, all: true } }, "bob"),
      "to another type": () => bob.openSignal({ ...offer, type: "answer" }, "bob"),
      "to another room": () => elsewhere.openSignal(offer, "bob"),
      "to an end": () => bob.openBye({ session: "s1", peer: "alice", data: offer.data }, "bob"),
      "to a meta": async () => ({ error: (await bob.openPeers([{ peer: "alice", meta: offer.data }])).errors.get("alice") }),
    };
    for (const [how, open] of Object.entries(moved)) assert.equal((await open()).error?.slug, "tampered", how);
    const broadcast = event("alice", await alice.seal("alice", { type: "note", data: 1 }));
    assert.equal((await bob.openSignal({ ...broadcast, data: { sealed: broadcast.data.sealed } }, "bob")).error.slug, "tampered");
    const bye = await alice.seal("alice", { to: "bob", type: "bye", session: "s1", data: 1 });
    assert.equal((await bob.openBye({ session: "s2", peer: "alice", data: bye.data }, "bob")).error.slug, "tampered");
    assert.equal((await bob.openBye({ session: "s2", peer: "alice", data: { ...bye.data, all: true } }, "bob")).error.slug, "tampered");
    const meta = await alice.sealMeta("alice", { name: "Ada" });
    assert.equal((await bob.openPeers([{ peer: "carol", meta }])).errors.get("carol").slug, "tampered");
    assert.equal((await elsewhere.openPeers([{ peer: "alice", meta }])).errors.get("alice").slug, "tampered");
  });

  it("counts once, and in its order, for each membership of a sender", async () => {
    const [alice, bob] = await both();
    const opened = async (secrecy, data) => bob.openSignal(event("alice", await secrecy.seal("alice", { to: "bob", type: "n", data })), "bob");
    const [one, two, three] = [await opened(alice, 1), await opened(alice, 2), await opened(alice, 3)];
    assert.deepEqual([one, three, two, one, three].map((message) => bob.isNext(message)), [true, true, false, false, false]);
    const [again] = await both();
    assert.equal(bob.isNext(await opened(again, 1)), true);
    assert.equal(bob.isNext(await opened(alice, 4)), true);
  });

  it("is at most as large as the server takes it, and refused as the server would", async () => {
    const [alice] = await both();
    const sealed = (length, more = { to: "bob", session: "s1" }) => alice.seal("alice", { type: "note", ...more, data: "x".repeat(length) });
    const most = async (fits) => {
      let [low, high] = [0, 65_536];
      while (low + 1 < high) {
        const middle = (low + high) >> 1;
        if (await fits(middle).then(() => true, () => false)) low = middle;
        else high = middle;
      }
      return low;
    };
    const largest = await most((length) => sealed(length));
    assert.ok(largest > 49_000 && largest < 49_152, `${largest} bytes`);
    const { length } = JSON.stringify((await sealed(largest)).data);
    assert.ok(length <= 65_536 && length > 65_530, `${length}`);
    await assert.rejects(sealed(largest + 1), { status: 413, slug: "too-large" });
    assert.ok((await most((length) => sealed(length, {}))) < largest, "what is for all says so");
    const meta = (length) => alice.sealMeta("alice", "x".repeat(length));
    const largestMeta = await most(meta);
    assert.ok(largestMeta > 2_950 && largestMeta < 3_072, `${largestMeta} bytes`);
    assert.ok(JSON.stringify(await meta(largestMeta)).length <= 4_096);
    await assert.rejects(meta(largestMeta + 1), { status: 413, slug: "too-large" });
  });
});
