/** The server's ticks: does a stream arrive as it is written, and how long a silence does it survive? */

import { Failed, whyOf, within } from "./patience.js";

const TICKS = 8;
const PATIENCE_MS = 8000;
/** Ticks that came one by one are spread over more than this, and no more than some come at one moment. */
const SPREAD_MS = 1000;
const MOMENT_MS = 20;
const BUNCH = 3;
/** A timer that comes so much later than it should shows that the page is held up. */
const BEAT_MS = 50;
const BUSY_MS = 100;
const TRIES = 3;
/** A connection that ends sooner, without a word, ends for something else than its silence. */
const SOONEST_CUT_MS = 1000;
/** Beyond the silence itself. */
const SILENCE_PATIENCE_MS = 8000;

/** Where streams share one connection (HTTP/2 and later) only one that is alone is silent: a little longer than a heartbeat. */
const SHARED_MS = 1000;

/** How long the silences are that a check listens to, all at once. @param {string|undefined} protocol @param {number} heartbeatMs */
export const silencesFor = (protocol, heartbeatMs) => (protocol && !protocol.startsWith("http/") ? [heartbeatMs + SHARED_MS] : SILENCES_MS);

/** Four at a time: with a long-poll beside them a connection stays free for the rest (HTTP/1.1 has six). */
export const SILENCES_MS = [5000, 10_000, 20_000, 30_000];

/**
 * @typedef {object} Ticks
 * @property {boolean} passes
 * @property {string} [why]
 * @property {number[]} sent in milliseconds from the request, by the server's clock
 * @property {number[]} arrived the same, by the page's
 * @property {number} [heldMs] how long the tick that was held longest came after the quickest
 * @property {string} [contentType] where it is not the one that was sent
 * @property {string} [encoding] how the stream was compressed
 * @property {boolean} [busy] the server had no place for them, which says nothing of the path
 *
 * @typedef {object} Silence
 * @property {number} wantedMs
 * @property {"running"|"kept"|"cut"|"dark"|"unmeasured"} state cut: closed; dark: nothing came, not even a close; unmeasured: for want of a connection, or of a place on the server
 * @property {number} forMs how long it was silent so far
 */

/**
 * @param {string} url
 * @param {AbortSignal} signal
 * @param {(response: Response) => void} opened
 * @param {(sentMs: number[], at: number) => void} came what one read brought, and when
 */
async function read(url, signal, opened, came) {
  const response = await fetch(url, { headers: { Accept: "text/event-stream" }, cache: "no-store", signal });
  if (!response.ok || !response.body) throw new Failed(`HTTP ${response.status}`);
  opened(response);
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  for (let rest = ""; ; ) {
    const { done, value } = await reader.read();
    // One time for all that came at once: what a page does with the first is no delay of the second.
    const at = performance.now();
    if (done) return;
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    const sent = lines.filter((line) => line.startsWith("data:")).map((line) => sentMs(line.slice(5)));
    if (sent.length > 0) came(sent, at);
  }
}

/** @param {string} data */
function sentMs(data) {
  try {
    return Number(JSON.parse(data).sent_ms);
  } catch {
    throw new Failed("the stream came garbled");
  }
}

/**
 * Once more where the page was itself too busy to take ticks as they came.
 * @param {string} base
 * @param {number} skewMs
 * @param {(ticks: Ticks) => void} seen as they come
 * @returns {Promise<Ticks>}
 */
export async function checkTicks(base, skewMs, seen) {
  for (let tries = 1; ; tries++) {
    let [longest, last] = [0, performance.now()];
    const beat = () => ([longest, last] = [Math.max(longest, performance.now() - last - BEAT_MS), performance.now()]);
    const timer = setInterval(beat, BEAT_MS);
    const ticks = await take(base, skewMs, seen);
    clearInterval(timer);
    beat();
    if (ticks.passes || longest < BUSY_MS || tries === TRIES) return ticks;
  }
}

/** @param {string} base @param {number} skewMs @param {(ticks: Ticks) => void} seen @returns {Promise<Ticks>} */
async function take(base, skewMs, seen) {
  /** @type {Ticks} */
  const ticks = { passes: false, sent: [], arrived: [] };
  const [began, at] = [performance.now(), Date.now()];
  const opened = (/** @type {Response} */ response) => {
    const contentType = response.headers.get("Content-Type") ?? "none";
    if (!/^text\/event-stream\b/.test(contentType)) ticks.contentType = contentType;
    const encoding = response.headers.get("Content-Encoding") ?? "identity";
    if (encoding !== "identity") ticks.encoding = encoding;
  };
  const came = (/** @type {number[]} */ sent, /** @type {number} */ now) => {
    for (const one of sent) {
      ticks.sent.push(one - skewMs - at);
      ticks.arrived.push(now - began);
    }
    seen(ticks);
  };
  try {
    await within(PATIENCE_MS, (signal) => read(`${base}/probe`, signal, opened, came));
    if (ticks.arrived.length < TICKS) ticks.why = `ended after ${ticks.arrived.length} of ${TICKS} ticks`;
  } catch (thrown) {
    ticks.why = whyOf(thrown);
    ticks.busy = ticks.why === "HTTP 503";
  }
  const delays = ticks.arrived.map((arrived, n) => arrived - ticks.sent[n]);
  if (delays.length > 0) ticks.heldMs = Math.max(...delays) - Math.min(...delays);
  ticks.passes = passes(ticks);
  return ticks;
}

/** @param {Ticks} ticks */
function passes({ arrived }) {
  if (arrived.length < TICKS || arrived[arrived.length - 1] - arrived[0] < SPREAD_MS) return false;
  return arrived.every((time) => arrived.filter((other) => Math.abs(other - time) < MOMENT_MS).length <= BUNCH);
}

/**
 * Two ticks with nothing between them.
 * @param {string} base
 * @param {Silence} silence is kept up to date
 */
export async function checkSilence(base, silence) {
  // Its silence begins with the first tick. Where a path holds what is written, not even that comes.
  let began = performance.now();
  let ticks = 0;
  const cut = () => {
    silence.forMs = performance.now() - began;
    silence.state = silence.forMs < SOONEST_CUT_MS ? "unmeasured" : "cut";
  };
  const came = (/** @type {number[]} */ sent, /** @type {number} */ at) => {
    if (ticks === 0) began = at;
    ticks += sent.length;
  };
  try {
    await within(silence.wantedMs + SILENCE_PATIENCE_MS, (signal) => read(`${base}/probe?ticks=2&gap=${silence.wantedMs}`, signal, () => {}, came));
    if (ticks < 2) return cut();
    silence.forMs = silence.wantedMs;
    silence.state = "kept";
  } catch (thrown) {
    cut();
    const why = whyOf(thrown);
    if (why.startsWith("no answer")) silence.state = "dark";
    // A gateway that gives up on a response answers in the server's place: that is its cut. Too many checks are refused at once.
    else if (/^HTTP (?!50[24])/.test(why)) silence.state = "unmeasured";
  }
}
