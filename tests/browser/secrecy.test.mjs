/** Private calls: what the server sees of them, what an operator can do to them, and what people without the key are told. */

import assert from "node:assert/strict";
import { createServer as createHttp, request as ask } from "node:http";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { makeKey } from "../../web/client/switchboard.js";
import { Member, openSite } from "./harness/member.mjs";
import { useStage } from "./harness/stage.mjs";

const stage = useStage();

/** What a server has no business with: descriptions, candidates, names. */
const GIVEAWAYS = ["v=0", "a=fingerprint", "a=ice-ufrag", "candidate:", "usernameFragment", "sdpMid", "Ada Lovelace", "Grace Hopper"];
const FORGED = `sha-256 ${Array.from({ length: 32 }, () => "EE").join(":")}`;
const FINGERPRINT = /a=fingerprint:sha-256 [0-9A-F:]+/g;

const hashOf = (room, key) => `${room}&key=${key}`;

/** Listens on the loopback until the test ends. @param {import("node:test").TestContext} t @param {import("node:net").Server} server */
async function listen(t, server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (server.address()).port}`;
}

/** A way to the server on which every byte is written down. */
async function record(t) {
  const target = new URL(stage.url);
  const up = [];
  const down = [];
  const sockets = new Set();
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => {}).on("close", () => [near, far].forEach((each) => each.destroy()));
    }
    near.on("data", (chunk) => up.push(chunk)).pipe(far);
    far.on("data", (chunk) => down.push(chunk)).pipe(near);
  });
  t.after(() => sockets.forEach((socket) => socket.destroy()));
  const url = await listen(t, server);
  const text = (chunks) => Buffer.concat(chunks).toString("latin1");
  return { url, up: () => text(up), down: () => text(down) };
}

/** An operator who has his way with each signal. @param {import("node:test").TestContext} t @param {(signal: any) => any} change */
async function operator(t, change) {
  const server = createHttp(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    let body = Buffer.concat(chunks);
    if (request.method === "POST" && request.url?.endsWith("/signals")) body = Buffer.from(JSON.stringify([JSON.parse(body.toString())].flat().map(change)));
    const headers = { ...request.headers, ...(body.length > 0 ? { "content-length": String(body.length) } : {}) };
    const upstream = ask(new URL(request.url ?? "/", stage.url), { method: request.method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    upstream.on("error", () => response.destroy());
    response.on("close", () => upstream.destroy());
    upstream.end(body);
  });
  t.after(() => server.closeAllConnections());
  return listen(t, server);
}

/** The fingerprints in the descriptions that a page was given by others. @param {import("./harness/demo.mjs").Demo} demo @returns {Promise<string[]>} */
const theirFingerprints = (demo) =>
  demo.page.evaluate((pattern) => window.connections.flatMap(({ remoteDescription }) => remoteDescription?.sdp.match(new RegExp(pattern, "g")) ?? []), FINGERPRINT.source);

/** Two people in a call by way of that server, who talk. */
async function talk(t, url, room) {
  const ada = await stage.join(t, { room, peer: "ada", name: "Ada Lovelace" }, url);
  const grace = await stage.join(t, { room, peer: "grace", name: "Grace Hopper", transport: "poll" }, url);
  await Promise.all([ada.connectedWith("grace"), grace.connectedWith("ada")]);
  await ada.say("between the two of us");
  await grace.hears("between the two of us");
  await ada.press("camera");
  await grace.tile("ada", `[data-picture="none"]`);
  await ada.tile("grace", `[data-picture="shown"]`);
  await grace.press("leave");
  await ada.tile("grace", `[data-state="ended"]`);
  return { ada, grace };
}

test("of a private call the server gets no description, no candidate, no name, and never the key", async (t) => {
  const key = makeKey();
  const open = await record(t);
  await talk(t, open.url, "in-the-open");
  // This shows that they would be seen.
  for (const giveaway of GIVEAWAYS) assert.ok(open.up().includes(giveaway), `${giveaway} is seen in an open room`);

  const way = await record(t);
  const { ada, grace } = await talk(t, way.url, hashOf("behind-doors", key));
  const seen = way.up();
  assert.ok((seen.match(/"sealed":"1\./g) ?? []).length >= 6, "metas, an offer, an answer, candidates");
  for (const word of [...GIVEAWAYS, key, key.slice(0, 16), encodeURIComponent("Ada Lovelace")]) assert.ok(!seen.includes(word), `${word} was seen`);
  // Nor does it tell them to anybody: what it says of the room is as it got it.
  const told = way.down().split("\n").filter((line) => /"(?:from|peer)":"(?:ada|grace)"/.test(line)).join("\n");
  assert.match(told, /"from":"ada","type":"offer"/);
  for (const word of [...GIVEAWAYS, key]) assert.ok(!told.includes(word), `${word} was told`);
  for (const demo of [ada, grace]) {
    assert.deepEqual(demo.errors, []);
    assert.deepEqual(await demo.page.evaluate(() => window.violations), []);
    assert.ok(demo.requests.every((url) => !url.split("#")[0].includes(key)));
  }
});

test("a third one without the key reads only what is sealed, off the wire and in the library", async (t) => {
  const room = "overheard";
  const key = makeKey();
  const eve = await fetch(`${stage.url}/rooms/${room}/peers`, { method: "POST", body: JSON.stringify({ peer: "eve" }) }).then((response) => response.json());
  const demos = await stage.call(t, { room: hashOf(room, key) });
  const poll = await fetch(`${stage.url}/rooms/${room}/peers/eve/poll`, { headers: { Authorization: `Bearer ${eve.token}`, "Last-Event-ID": eve.cursor } }).then((response) => response.text());
  const list = await fetch(`${stage.url}/rooms/${room}/peers`).then((response) => response.text());
  for (const text of [poll, list]) {
    assert.equal((text.match(/"meta":\{"sealed":"1\.[^"]+"\}/g) ?? []).length, 2, text);
    assert.doesNotMatch(text, /"name"/);
  }
  // The two say of her that she has no key, and go on.
  for (const demo of demos) assert.match(await demo.page.$eval("#people", (list) => list.innerText), /came without the key to this room/);
  await demos[0].say("she hears nothing");
  await demos[1].hears("she hears nothing");
});

test("an operator puts his own fingerprint into an open call, and none into a private one", async (t) => {
  const key = makeKey();
  const forge = (signal) => (typeof signal.data?.sdp === "string" ? { ...signal, data: { ...signal.data, sdp: signal.data.sdp.replace(FINGERPRINT, `a=fingerprint:${FORGED}`) } } : signal);
  const forger = await operator(t, forge);
  const trusting = await stage.join(t, { room: "trusting", peer: "ada" }, forger);
  const fooled = await stage.join(t, { room: "trusting", peer: "bob" }, stage.url);
  await fooled.when((forged) => window.connections.some(({ remoteDescription }) => remoteDescription?.sdp.includes(forged)), FORGED);
  await trusting.page.close();
  await fooled.page.close();

  let offered = "";
  const sdp = () => `v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=fingerprint:${FORGED}\r\n`;
  for (const [how, change] of [
    ["flips a bit of it", (sealed) => ({ sealed: sealed.replace(/.{8}$/, (end) => (end === "AAAAAAAA" ? "BBBBBBBB" : "AAAAAAAA")) })],
    ["puts one in its place", () => ({ type: "offer", sdp: sdp(), round: 1 })],
    ["seals one under a key of his own", (sealed) => ({ sealed: sealed.replace(/^1\.[^.]+\./, "1.AAAAAAAA.") })],
  ]) {
    const room = hashOf(`watched-${how.replaceAll(" ", "-")}`, key);
    const swapping = await operator(t, (signal) => {
      if (signal.type !== "offer") return signal;
      offered = signal.data.sealed;
      return { ...signal, data: change(signal.data.sealed) };
    });
    const ada = await stage.join(t, { room, peer: "ada" }, swapping);
    const bob = await stage.join(t, { room, peer: "bob" }, stage.url);
    await bob.when((source) => new RegExp(source).test(document.getElementById("log").innerText), "came as from ada was changed on the way, and is not used");
    assert.match(offered, /^1\./, "there was an offer to change");
    assert.deepEqual(await theirFingerprints(bob), [], how);
    assert.equal(await bob.page.evaluate(() => document.documentElement.dataset.connected ?? "0"), "0");
    await ada.page.close();
    await bob.page.close();
  }
});

test("an operator who changes nothing but the candidates breaks no private call into which none of his get", async (t) => {
  const key = makeKey();
  const meddler = await operator(t, (signal) => (signal.type === "candidate" ? { ...signal, data: [{ candidate: "candidate:1 1 udp 2122260223 192.0.2.1 9 typ host", sdpMid: "0", sdpMLineIndex: 0 }] } : signal));
  const ada = await stage.join(t, { room: hashOf("meddled", key), peer: "ada" }, meddler);
  const bob = await stage.join(t, { room: hashOf("meddled", key), peer: "bob" }, stage.url);
  // Bob's own candidates reach ada, who is found by them.
  await Promise.all([ada.connectedWith("bob"), bob.connectedWith("ada")]);
  const known = await bob.page.evaluate(async () => (await Promise.all(window.connections.map(async (pc) => [...(await pc.getStats()).values()]))).flat().filter(({ type }) => type === "remote-candidate").map(({ address }) => address));
  assert.ok(!known.includes("192.0.2.1"), String(known));
});

test("a visitor makes a private link, and whoever opens it is in the same private call", async (t) => {
  const ada = await stage.page(t);
  await ada.page.goto(`${stage.url}/?picture=1&peer=ada&name=Ada#by-hand`);
  await ada.until(`html[data-ready="true"]`);
  await ada.press("private");
  const hash = await ada.page.evaluate(() => location.hash);
  assert.match(hash, /^#by-hand&key=[A-Za-z0-9_-]{43}$/);
  await ada.press("private");
  assert.equal(await ada.page.evaluate(() => location.hash), "#by-hand");
  await ada.press("private");
  const link = await ada.page.evaluate(() => location.href.replace(location.search, ""));
  assert.notEqual(new URL(link).hash, hash, "each is a new key");
  await ada.press("start-picture");
  await ada.until(`[data-view="call"][data-signaling="open"]`);
  assert.equal(await ada.text("invite-link"), link);
  assert.equal(await ada.text("room-name"), "by-hand");
  await ada.until(`[data-testid="private-sign"]:not([hidden])`);
  const bob = await stage.page(t);
  await bob.page.goto(link);
  await bob.until(`html[data-ready="true"]`);
  assert.equal(await bob.page.$eval(`[data-testid="private"]`, (box) => box.checked), true);
  await bob.press("start-picture");
  await ada.until(`html[data-connected="1"]`);
  await bob.connectedWith("ada");
  await ada.say("privately");
  await bob.hears("privately");
  // A reload comes back into the same call, by the same link.
  await bob.page.reload();
  await bob.connectedWith("ada");
  assert.equal(await bob.page.evaluate(() => location.hash), new URL(link).hash);
});

test("whoever comes with another key, without it, or with a part of it, is told so in words", async (t) => {
  const key = makeKey();
  const room = "told";
  const ada = await stage.join(t, { room: hashOf(room, key), peer: "ada", name: "Ada" });
  const wrong = await stage.join(t, { room: hashOf(room, makeKey()), peer: "wrong" });
  await wrong.until(`[data-testid="banner"]:not([hidden])`);
  assert.match(await wrong.text("banner"), /This link has another key than the others in this room\. Ask them for the whole link/);
  await wrong.tile("ada", `[data-state="ended"][data-reason="other-key"]`);
  assert.match(await wrong.textOnTile("ada", "tile-reason"), /^Guest ada has another key to this room$/);
  await ada.until(`[data-testid="person"][data-peer="wrong"][data-reason="other-key"]`);
  assert.doesNotMatch(await wrong.page.evaluate(() => document.body.innerText), /Ada/);
  await wrong.page.close();

  const without = await stage.join(t, { room, peer: "without" });
  await without.until(`[data-testid="banner"]:not([hidden])`);
  assert.match(await without.text("banner"), /came by a private link, and yours lacks its key/);
  await ada.until(`[data-testid="person"][data-peer="without"][data-reason="no-key"]`);
  await without.page.close();

  const part = await stage.page(t);
  await part.page.goto(`${stage.url}/?autostart=1&picture=1#${hashOf(room, key.slice(0, 20))}`);
  await part.until(`html[data-ready="true"]`);
  assert.match(await part.text("error"), /not whole: a part of its key is missing/);
  await part.press("start-picture");
  await part.page.evaluate((whole) => (location.hash = whole), hashOf(room, key));
  await part.when(() => document.getElementById("lobby-error").hidden);
  assert.equal(await part.page.evaluate(() => document.documentElement.dataset.view), "lobby", "and nobody was led into an open room");
  assert.equal(part.requests.filter((url) => url.includes("/rooms/")).length, 0);
  await part.press("start-picture");
  await part.connectedWith("ada");
});

test("the library says what is the matter with a key, on a page of any site", async (t) => {
  const site = await openSite();
  t.after(() => site.close());
  const member = await stage.page(t, Member);
  await member.page.goto(site.url);
  const told = await member.page.evaluate(async (url) => {
    const { join, connect, makeKey, keyIn } = await import(`${url}/client/switchboard.js`);
    const [key, other] = [makeKey(), makeKey()];
    const ada = await join(url, "library", { peer: "ada", key, remember: false });
    const bob = await join(url, "library", { peer: "bob", key: other, remember: false });
    const call = connect(bob, "ada");
    const problem = new Promise((resolve) => call.addEventListener("problem", ({ detail }) => resolve(detail.error.message)));
    const ended = new Promise((resolve) => call.addEventListener("ended", ({ detail }) => resolve(detail.reason)));
    const refused = await join(url, "library", { key: keyIn("#no-key") }).then(() => "joined", (error) => `${error.name}: ${error.message}`);
    const result = [await problem, await ended, refused, bob.problems.get("ada").slug];
    ada.close();
    bob.close();
    return result;
  }, stage.url);
  assert.match(told[0], /other-key: ada has another key to this room/);
  assert.equal(told[1], "other-key");
  assert.match(told[2], /TypeError: a room's key is/);
  assert.equal(told[3], "other-key");
});

test("the pages break no security policy of theirs, and a breach would be seen", async (t) => {
  const check = await stage.page(t);
  await check.page.goto(`${stage.url}/check`);
  // Requests, streams, a WebSocket and connectivity are through by then.
  await check.when(() => document.documentElement.dataset.phase !== "quick");
  assert.deepEqual(await check.page.evaluate(() => window.violations), []);
  assert.deepEqual(check.errors, []);
  const [ada] = await stage.call(t, { room: hashOf("policy", makeKey()), picture: false });
  assert.deepEqual(await ada.page.evaluate(() => window.violations), []);
  assert.deepEqual(ada.errors, []);
  for (const demo of [check, ada]) {
    await demo.page.evaluate(() => {
      const style = document.createElement("style");
      style.textContent = "body { outline: 1px solid }";
      const image = new Image();
      image.src = "data:image/gif;base64,R0lGODlhAQABAAAAACw=";
      document.body.append(style, image);
      void fetch("http://127.0.0.2:9/").catch(() => {});
    });
    await demo.when(() => ["style-src", "img-src", "connect-src"].every((directive) => window.violations.some((violation) => violation.startsWith(directive))));
  }
});
