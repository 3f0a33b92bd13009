/** The check page, on good ways and on bad ones: what it says is what is so. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { describe, test } from "node:test";
import { startCutter, startFilter, startScanner, startTurn, freePort } from "./check/ways.mjs";
import { LONG, startBrowser } from "./harness/browser.mjs";
import { binary, startServer } from "./harness/server.mjs";
import { useStage } from "./harness/stage.mjs";
import { Visitor } from "./harness/visitor.mjs";
import { chain, cutsIdle } from "./lab/middlebox.mjs";
import { recipe } from "./lab/recipes.mjs";

const QUICK_MS = 40_000;
const DONE_MS = 90_000;
/** What Chromium and Firefox are told is refused on the way stands in their consoles too. */
const EXPECTED = /405|403|WebSocket|ERR_|Failed to load|net::|can.t establish|Cross-Origin/i;

const stage = useStage();

class CheckPage extends Visitor {
  /** @param {string} url */
  async open(url) {
    await this.page.goto(`${url}/check`);
    return this;
  }

  /** The quick check is over: there is a verdict. */
  async judged() {
    await this.page.waitForSelector("html[data-usable]", { timeout: QUICK_MS });
    return this.#verdict();
  }

  /** All is over. */
  async done() {
    await this.page.waitForSelector(`html[data-phase="done"]`, { timeout: DONE_MS });
    return this.#verdict();
  }

  #verdict() {
    return this.page.evaluate(() => ({ usable: document.documentElement.dataset.usable, level: document.getElementById("verdict")?.dataset.level, title: document.getElementById("verdict-title")?.textContent, advice: Array.from(document.querySelectorAll("#advice-list li"), (item) => item.textContent) }));
  }

  /** A line, once it has stopped running. @param {string} key @returns {Promise<{state: string, value: string, note: string}>} */
  row(key) {
    return this.when((name) => {
      const row = /** @type {HTMLElement|null} */ (document.querySelector(`[data-key="${name}"]`));
      if (!row || row.dataset.state === "running") return null;
      const text = (part) => row.querySelector(part)?.textContent ?? "";
      return { state: row.dataset.state, value: text(".row-value"), note: text(".row-note") };
    }, key);
  }

  report() {
    return this.page.evaluate(() => document.getElementById("report")?.textContent ?? "");
  }

  /** @param {{url: string, username: string, credential: string}} server */
  async tryTurn({ url, username, credential }) {
    for (const [id, text] of [["turn-url", url], ["turn-username", username], ["turn-credential", credential]]) {
      await this.page.$eval(`#${id}`, (field) => (/** @type {HTMLInputElement} */ (field).value = ""));
      await this.page.type(`#${id}`, text);
    }
    await this.page.click("#turn-start");
    await this.when(() => !(/** @type {HTMLButtonElement} */ (document.getElementById("turn-start")).disabled));
  }
}

/** @param {import("node:test").TestContext} t @param {string} url */
async function check(t, url) {
  const page = await stage.page(t, CheckPage);
  return page.open(url);
}

// What these wait for is the time that the check takes, which is most of a minute.
describe("at leisure", { concurrency: true }, () => {
  test("on a good way the verdict is the event stream, with no advice and nothing private in the report", async (t) => {
    const page = await check(t, stage.url);
    const first = await page.judged();
    assert.deepEqual([first.usable, first.level, first.advice], ["sse", "good", []]);
    assert.match(first.title, /event stream/);
    assert.ok(await page.page.$eval("#entry", (form) => /** @type {HTMLElement} */ (form).hidden));
    for (const key of ["post", "patch", "headers", "join", "stream", "ticks", "version", "host"]) assert.equal((await page.row(key)).state, "good", key);
    assert.match((await page.row("websocket")).value, /^possible/);
    assert.match((await page.row("version")).value, /HTTP\/1\.1 at both ends/);
    assert.equal((await page.row("turn")).note, "No TURN server is configured: calls between strict networks will fail.");
    const ticks = await page.page.evaluate(() => ({ sent: document.querySelectorAll(".tick-sent").length, came: document.querySelectorAll(".tick-came").length, late: document.querySelectorAll(".late").length }));
    assert.deepEqual(ticks, { sent: 8, came: 8, late: 0 });

    const last = await page.done();
    assert.deepEqual([last.usable, last.level, last.advice], ["sse", "good", []]);
    assert.match((await page.row("silence")).value, /^30 s and more/);
    assert.match((await page.row("poll")).value, /^whole after 25 s/);
    const report = await page.report();
    for (const part of [stage.url, "Calls can be set up here, over the event stream.", "No TURN server is configured", "ok    POST"]) assert.ok(report.includes(part), `${part} in ${report}`);
    for (const secret of [/candidate:/, /a=ice/, /Bearer/, /sw1\.|st1\./, /192\.168\.|172\.1[6-9]\.|\b10\.\d+\.\d+\.\d+/, /\.local\b/]) assert.doesNotMatch(report, secret);
    assert.deepEqual(page.errors, []);
    // It leaves its room. Firefox may tell of a beacon later than the page does of what comes after.
    const left = (url) => /\/rooms\/check-[0-9a-f]{16}\/.*\/leave$/.test(url);
    if (!page.requests.some(left)) await page.page.waitForRequest((request) => left(request.url()));
  });

  test("the report goes to the clipboard, and the check can be made again", { skip: LONG }, async (t) => {
    const page = await check(t, stage.url);
    // What is copied is told here: a headless browser has no clipboard to look into.
    await page.page.evaluate(() => Object.defineProperty(navigator, "clipboard", { value: { writeText: async (text) => void (window.copied = text) } }));
    await page.done();
    await page.page.click("#copy");
    const copied = await page.when(() => window.copied);
    assert.equal(copied, await page.report());
    await page.page.click("#again");
    await page.when(() => document.documentElement.dataset.phase === "quick" && !document.documentElement.dataset.usable);
    assert.equal((await page.judged()).usable, "sse");
  });

  test("behind a scanner that holds responses the verdict is the long-poll, and says what to ask for", { skip: LONG }, async (t) => {
    const scanner = await startScanner(stage.url);
    t.after(scanner.close);
    const page = await check(t, scanner.url);
    await page.judged();
    const found = await page.done();
    assert.deepEqual([found.usable, found.level], ["poll", "warn"]);
    assert.match(found.title, /long-poll/);
    assert.deepEqual(found.advice, [`Exempt text/event-stream at ${scanner.url}/ from content scanning and response buffering.`]);
    const ticks = await page.row("ticks");
    assert.equal(ticks.state, "warn");
    assert.match(ticks.value, /^held back for/);
    assert.match((await page.row("poll")).value, /^whole after 25 s/);
    assert.ok((await page.page.$$(".tick-came.late")).length === 8);
  });

  test("where connections are cut after 5 s of silence the page says so, and above which time they should be", { skip: LONG }, async (t) => {
    const cutter = await startCutter(stage.url, 5000);
    t.after(cutter.close);
    const page = await check(t, cutter.url);
    const found = await page.done();
    assert.deepEqual([found.usable, found.level], ["sse", "warn"]);
    const silence = await page.row("silence");
    assert.equal(silence.state, "warn");
    assert.match(silence.value, /^cut after (4\.[5-9]|[56](\.\d)?) s/);
    assert.equal(found.advice.length, 1);
    assert.match(found.advice[0], /idle time-out .* above 15 s/);
    assert.match((await page.row("poll")).value, /^cut after/);
  });

  test("over HTTP/2, where all share one connection, a cut of silence is seen too", { skip: LONG }, async (t) => {
    const server = await startServer("--heartbeat", "6s");
    t.after(server.stop);
    const way = await chain(cutsIdle(4000), recipe("nginx"))(new URL(server.url).host);
    t.after(way.stop);
    const { browser, kill } = await startBrowser({ insecure: true });
    t.after(kill);
    const page = await (await CheckPage.page(browser)).open(`https://127.0.0.1:${way.port}`);
    const found = await page.done();
    assert.match((await page.row("version")).value, /HTTP\/2 here/);
    assert.deepEqual([found.usable, found.level], ["sse", "warn"]);
    assert.match((await page.row("silence")).value, /^cut after (3\.[5-9]|4(\.\d)?) s/);
    assert.match(found.advice[0], /idle time-out .* above 6 s/);
  });
});

test("blocked methods and WebSockets are told apart, and are no hindrance", async (t) => {
  const filter = await startFilter(stage.url, { methods: ["DELETE"], websocket: true });
  t.after(filter.close);
  const page = await check(t, filter.url);
  const found = await page.judged();
  assert.deepEqual([found.usable, found.level, found.advice], ["sse", "good", []]);
  const methods = await page.row("patch");
  assert.equal(methods.state, "warn");
  assert.match(methods.value, /^DELETE blocked/);
  assert.match((await page.row("websocket")).value, /^blocked/);
  assert.match((await page.row("proxies")).note, /1\.1 filter/);
  assert.deepEqual(page.errors.filter((error) => !EXPECTED.test(error)), []);
});

test("without POST nothing can be set up, and the page says what to allow", async (t) => {
  const filter = await startFilter(stage.url, { methods: ["POST"] });
  t.after(filter.close);
  const page = await check(t, filter.url);
  const found = await page.done();
  assert.deepEqual([found.usable, found.level], ["none", "bad"]);
  assert.deepEqual(found.advice, [`Allow POST requests to ${filter.url}/.`]);
  assert.match((await page.row("post")).value, /^blocked/);
  for (const key of ["stream", "silence", "poll"]) assert.match((await page.row(key)).value, /not measured|nothing came|does not come through/, key);
});

test("a server that wants an access token is told from a path that is blocked, and checked with one", async (t) => {
  const folder = mkdtempSync(`${tmpdir()}/switchboard-check-`);
  t.after(() => rmSync(folder, { recursive: true }));
  const key = `${folder}/key`;
  writeFileSync(key, "a-secret-of-the-tests-that-is-long-enough");
  const token = execFileSync(binary(), ["token", "--key", key, "--room", "lab-*"], { encoding: "utf8" }).trim();
  const server = await startServer("--access-key", key);
  t.after(() => server.stop());
  const page = await check(t, server.url);
  const asked = await page.done();
  assert.deepEqual([asked.usable, asked.advice], ["none", []]);
  assert.match(asked.title, /wants an access token/);
  const enter = async (/** @type {string} */ room) => {
    for (const [id, text] of [["access-token", token], ["access-room", room]]) {
      await page.page.$eval(`#${id}`, (field) => (/** @type {HTMLInputElement} */ (field).value = ""));
      if (text) await page.page.type(`#${id}`, text);
    }
    await page.page.keyboard.press("Enter");
    await page.when(() => document.documentElement.dataset.phase === "quick");
    return page.judged();
  };
  await page.page.type("#access-token", "“curly”");
  await page.page.keyboard.press("Enter");
  await page.when(() => !document.getElementById("access-error")?.hidden);
  // Of a room of its own it says nothing.
  assert.equal((await enter("")).usable, "none");
  assert.match((await page.row("join")).note, /HTTP 403/);
  await page.done();
  assert.equal((await enter("no room")).usable, "none");
  assert.match((await page.row("join")).note, /HTTP 422/);
  assert.match((await page.done()).title, /^The server refuses the join/);
  const found = await enter("lab-1");
  assert.deepEqual([found.usable, found.level], ["sse", "good"]);
  assert.ok(!(await page.report()).includes(token));
  assert.ok(!page.requests.some((url) => url.includes(token)));
});

test("a TURN server that is typed in is asked over UDP and TCP, and never told to the server", async (t) => {
  const turn = await startTurn("ada", "s3cret-word");
  t.after(turn.close);
  const page = await check(t, stage.url);
  await page.judged();
  const before = page.requests.length;
  await page.tryTurn({ url: `turn:127.0.0.1:${turn.port}`, username: "ada", credential: "s3cret-word" });
  for (const key of ["turn-udp", "turn-tcp"]) {
    const row = await page.row(key);
    assert.equal(row.state, "good", `${key}: ${JSON.stringify(row)}`);
    assert.match(row.value, /^relay after/);
  }
  assert.match(await page.when(() => document.getElementById("media-word")?.textContent), /relay .* over UDP, TCP/);
  assert.ok(!page.requests.slice(before).some((url) => /ada|s3cret|turn/.test(url)));
  assert.doesNotMatch(await page.report(), /s3cret|\bada\b/);

  await page.tryTurn({ url: `turn:127.0.0.1:${turn.port}?transport=tcp`, username: "ada", credential: "wrong" });
  assert.equal((await page.row("turn-tcp")).state, "bad");
  await page.tryTurn({ url: `turn:127.0.0.1:${await freePort()}?transport=tcp`, username: "ada", credential: "s3cret-word" });
  assert.equal((await page.row("turn-tcp")).state, "bad");
  assert.match(await page.when(() => document.getElementById("media-word")?.textContent), /no relay/);
});

test("a relay that is had on the server's own port is told from others", async (t) => {
  const server = await startServer("--turn-listen", `127.0.0.1:${await freePort()}`);
  t.after(() => server.stop());
  const joined = await (await fetch(`${server.url}/rooms/own-port/peers`, { method: "POST", body: "{}" })).json();
  const page = await check(t, server.url);
  await page.judged();
  const told = await page.row("turn-tcp");
  assert.match(told.value, /^relay after (?!.*own port)/, JSON.stringify(told));
  const own = new URL(server.url).host;
  await page.tryTurn({ url: `turn:${own}?transport=tcp`, username: joined.username, credential: joined.password });
  assert.match((await page.row("turn-tcp")).value, /^relay after .* on the server’s own port/);
  assert.match(await page.when(() => document.getElementById("media-word")?.textContent), /over TCP on the server’s own port, /);
});

test("what is no TURN address is refused beside the field", async (t) => {
  const page = await check(t, stage.url);
  await page.tryTurn({ url: "https://turn.example.org", username: "", credential: "" });
  assert.match(await page.when(() => document.getElementById("turn-error")?.textContent), /is written like turn:/);
});
