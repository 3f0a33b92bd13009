/** How a connection runs, as the demo shows it, and its switch "Relay only", with a real relay that takes the server's credentials. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { KIND, startBrowser } from "./harness/browser.mjs";
import { makeCertificate } from "./harness/certificate.mjs";
import { freePort, startRelay } from "./harness/coturn.mjs";
import { Demo } from "./harness/demo.mjs";
import { startServer } from "./harness/server.mjs";
import { useStage } from "./harness/stage.mjs";

const SECRET = "a-secret-of-server-and-relay";

/** Its server names no relay. */
const stage = useStage();
let relay, server;
before(async () => {
  relay = await startRelay(undefined, { secret: SECRET });
  server = await startServer("--ice-server", relay.server.urls, "--turn-secret", SECRET, "--relay-room", "hidden-*");
});
after(async () => {
  await server?.stop();
  await relay?.kill();
});

/** Waits until the badge says this of the connection. @param {import("./harness/demo.mjs").Demo} demo @param {string} peer @param {string} words */
const says = (demo, peer, words) =>
  demo.when((wanted) => document.querySelector(`[data-testid="tile"][data-peer="${wanted[0]}"] [data-testid="tile-way-short"]`)?.textContent === wanted[1], [peer, words]);

/** Types of all candidates of this page's connections that are open. @param {import("./harness/demo.mjs").Demo} demo */
const told = (demo) =>
  demo.page.evaluate(async () => {
    const types = new Set();
    for (const connection of window.connections.filter(({ signalingState }) => signalingState !== "closed")) for (const [, type] of connection.localDescription?.sdp.matchAll(/^a=candidate:.* typ (\w+)/gm) ?? []) types.add(type);
    return [...types];
  });

const readSwitch = (demo) => demo.page.$eval(`[data-testid="relay-only"]`, ({ checked, disabled }) => ({ checked, disabled }));

/** Each page has one connection in the end, and the membership with which it began. */
async function isOneCall(...demos) {
  for (const demo of demos) await demo.when(() => window.connections.filter(({ signalingState }) => signalingState !== "closed").length === 1);
  for (const demo of demos) assert.equal(demo.requests.filter((url) => url.endsWith("/peers")).length, 1);
  // Firefox calls it an error where there is no way.
  assert.deepEqual(demos.flatMap(({ errors }) => errors).filter((error) => !error.includes("WebRTC: ICE failed")), []);
}

/** From now on notes the states of the one tile that there is. @param {import("./harness/demo.mjs").Demo} demo */
const watch = ({ page }) =>
  page.$eval(`[data-testid="tile"]`, (tile) => {
    window.states = [];
    new MutationObserver(() => tile.dataset.state !== "connected" && window.states.push(tile.dataset.state)).observe(tile, { attributeFilter: ["data-state"] });
  });

async function chat(first, second, words) {
  await first.say(words);
  await second.hears(words);
}

test("the badge on a tile says that a call runs direct, and how fast on a closer look", async (t) => {
  const [ada, bob] = await stage.call(t, { room: "direct" });
  await Promise.all([says(ada, "bob", "direct"), says(bob, "ada", "direct")]);
  const card = `[data-testid="tile"] .way-card`;
  const isSeen = () => ada.page.$eval(card, (element) => getComputedStyle(element).visibility);
  assert.equal(await isSeen(), "hidden");
  await ada.pressOnTile("bob", "tile-way-badge");
  await ada.when((selector) => getComputedStyle(document.querySelector(selector)).visibility === "visible", card);
  assert.match(await ada.textOnTile("bob", "tile-way-card"), /From machine to machine, by UDP/);
  await ada.when(() => /\d\s[km]bit\/s/i.test(document.querySelector(`[data-testid="tile-way-down"]`).textContent));
  await ada.when(() => /\d\sms/.test(document.querySelector(`[data-testid="tile-way-rtt"]`).textContent));
  const plot = await ada.page.$eval(`[data-testid="tile-way-plot"]`, (svg) => ({ words: svg.getAttribute("aria-label"), line: svg.querySelector(".down").getAttribute("d") }));
  assert.match(plot.words, /^Bit rate of the last minute\. Down: [\d.]+\s[kM]bit\/s now, .* Up: [\d.]+\s[kM]bit\/s now, /);
  assert.match(plot.line, /^M[\d.]+ [\d.]+/);
  await ada.page.keyboard.press("Escape");
  await ada.page.mouse.move(0, 0);
  await ada.when((selector) => getComputedStyle(document.querySelector(selector)).visibility === "hidden", card);
  await ada.pressOnTile("bob", "tile-hangup");
  await ada.until(`[data-testid="tile-way"][hidden]`);
});

test("where the server names no relay the switch is off, and says why", async (t) => {
  const ada = await stage.join(t, { room: "none", peer: "ada" });
  assert.deepEqual(await readSwitch(ada), { checked: false, disabled: true });
  assert.match(await ada.text("relay-hint"), /names no relay/);
});

test("a call moves to the relay and back by the switch, without a new join", async (t) => {
  const [ada, bob] = await stage.call(t, { room: "move" }, ["ada", "bob"], server.url);
  await Promise.all([says(ada, "bob", "direct"), says(bob, "ada", "direct"), ada.seesMove("bob"), bob.seesMove("ada")]);
  await Promise.all([watch(ada), watch(bob)]);
  await ada.press("relay-only");
  await Promise.all([says(ada, "bob", "relay · UDP"), says(bob, "ada", "their relay")]);
  await Promise.all([ada.seesMove("bob"), bob.seesMove("ada"), chat(ada, bob, "by relay"), chat(bob, ada, "and back")]);
  await isOneCall(ada, bob);
  assert.deepEqual(await told(ada), ["relay"]);

  await bob.press("relay-only");
  await Promise.all([says(ada, "bob", "relay · UDP"), says(bob, "ada", "relay · UDP")]);
  await chat(ada, bob, "by two relays");
  await ada.press("relay-only");
  await bob.press("relay-only");
  await Promise.all([says(ada, "bob", "direct"), says(bob, "ada", "direct")]);
  await Promise.all([ada.seesMove("bob"), bob.seesMove("ada"), chat(ada, bob, "direct again")]);
  // All the while neither page has seen the call in another state.
  assert.deepEqual(await Promise.all([ada, bob].map(({ page }) => page.evaluate(() => window.states))), [[], []]);
  await isOneCall(ada, bob);
});

test("the switch is remembered: the next call runs by the relay from its beginning", async (t) => {
  const ada = await stage.join(t, { room: "later", peer: "ada" }, server.url);
  await ada.press("relay-only");
  ada.requests.length = 0;
  await ada.page.reload();
  await ada.until(`[data-view="call"][data-signaling="open"]`);
  assert.deepEqual(await readSwitch(ada), { checked: true, disabled: false });
  const bob = await stage.join(t, { room: "later", peer: "bob" }, server.url);
  await Promise.all([ada.connectedWith("bob"), bob.connectedWith("ada")]);
  await Promise.all([says(ada, "bob", "relay · UDP"), says(bob, "ada", "their relay")]);
  assert.deepEqual(await told(ada), ["relay"]);
  await isOneCall(ada, bob);
});

test("the lobby has the same switch, for the first call", async (t) => {
  const ada = /** @type {import("./harness/demo.mjs").Demo} */ (await stage.page(t));
  await ada.page.goto(`${server.url}/?peer=ada&name=ada#first`);
  await ada.press("relay-first");
  await ada.press("start-picture");
  await ada.until(`[data-view="call"][data-signaling="open"]`);
  assert.deepEqual(await readSwitch(ada), { checked: true, disabled: false });
  await stage.join(t, { room: "first", peer: "bob" }, server.url);
  await says(ada, "bob", "relay · UDP");
  assert.deepEqual(await told(ada), ["relay"]);
  await ada.press("relay-only");
  await says(ada, "bob", "direct");
  await ada.press("leave");
  assert.equal(await ada.page.$eval(`[data-testid="relay-first"]`, ({ checked }) => checked), false);
});

test("in a room that hides addresses the switch is on and stays so", async (t) => {
  const [ada, bob] = await stage.call(t, { room: "hidden-1" }, ["ada", "bob"], server.url);
  await Promise.all([says(ada, "bob", "relay · UDP"), says(bob, "ada", "relay · UDP")]);
  assert.deepEqual(await readSwitch(ada), { checked: true, disabled: true });
  assert.match(await ada.text("relay-hint"), /This room hides/);
  assert.deepEqual([...(await told(ada)), ...(await told(bob))], ["relay", "relay"]);
  await isOneCall(ada, bob);
});

test("who wants relays alone is not connected without any, and is once they say so", async (t) => {
  const ada = /** @type {import("./harness/demo.mjs").Demo} */ (await stage.page(t));
  await ada.page.evaluateOnNewDocument(() => location.protocol === "http:" && localStorage.setItem("switchboard.demo.relay-only", "1"));
  await ada.enter(stage.url, { room: "without", peer: "ada" });
  assert.deepEqual(await readSwitch(ada), { checked: true, disabled: false });
  assert.match(await ada.text("relay-hint"), /nobody can be reached/);
  const bob = await stage.join(t, { room: "without", peer: "bob" });
  // Firefox gives up at once, Chromium waits.
  await ada.tile("bob", `:not([data-state="connected"])`);
  await ada.until(`[data-testid="tile-way"][hidden]`);
  assert.deepEqual(await told(ada), []);
  await ada.press("relay-only");
  await Promise.all([ada.connectedWith("bob"), bob.connectedWith("ada")]);
  await says(ada, "bob", "direct");
  assert.deepEqual(await readSwitch(ada), { checked: false, disabled: true });
  await isOneCall(ada, bob);
});

test("both switch at once, and meet on one new connection", async (t) => {
  const [ada, bob] = await stage.call(t, { room: "crossing" }, ["ada", "bob"], server.url);
  await Promise.all([says(ada, "bob", "direct"), says(bob, "ada", "direct")]);
  await Promise.all([watch(ada), watch(bob)]);
  // Neither hears of the other's wish before it has its own: from then on its switch waits.
  await server.whilePaused(() => Promise.all([ada, bob].map(({ page }) => page.$eval(`[data-testid="relay-only"]`, (element) => element.click()))));
  await Promise.all([says(ada, "bob", "relay · UDP"), says(bob, "ada", "relay · UDP")]);
  await isOneCall(ada, bob);
  await Promise.all([chat(ada, bob, "here"), chat(bob, ada, "there")]);
  assert.deepEqual(await Promise.all([ada, bob].map(({ page }) => page.evaluate(() => window.states))), [[], []]);
});

test("the badge says by what a relay is reached: TCP, or TLS", { skip: KIND !== "chromium" && "the relay's certificate is nobody's, which only Chromium can be told to take" }, async (t) => {
  const certificate = makeCertificate();
  const [port, secure] = [await freePort(), await freePort()];
  const both = await startRelay(port, { secret: SECRET, tls: { ...certificate, port: secure } });
  t.after(() => both.kill());
  const { browser, kill } = await startBrowser({ insecure: true });
  t.after(kill);
  for (const [url, words] of [[`turn:127.0.0.1:${port}?transport=tcp`, "relay · TCP"], [`turns:127.0.0.1:${secure}?transport=tcp`, "relay · TLS"]]) {
    const { url: at, stop } = await startServer("--ice-server", url, "--turn-secret", SECRET, "--relay-room", "*");
    t.after(stop);
    const [ada, bob] = await Promise.all(["ada", "bob"].map((peer) => Demo.join(browser, at, { room: "by", peer })));
    await Promise.all([says(ada, "bob", words), says(bob, "ada", words), ada.seesMove("bob")]);
  }
});
