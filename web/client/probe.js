/** Does this path let a stream through as it is written? Asks the server for ticks and looks at their spacing. */

/** The server sends eight ticks, 250 ms apart: 1.75 s from the first to the last. */
const TICKS = 8;
const SPREAD_MS = 1_000;
const DEADLINE_MS = 8_000;
/** More ticks than this at one moment were held back together. */
const BUNCH = 3;
/** Ticks that come so much later than the promptest, which is most of the way to the next one, were held. */
const HELD_MS = 150;

/**
 * @param {string} base
 * @param {AbortSignal} [signal]
 * @returns {Promise<boolean>} true only where the ticks came one by one.
 */
export async function streamPasses(base, signal) {
  const patience = new AbortController();
  const giveUp = () => patience.abort();
  if (signal?.aborted) return false;
  const timer = setTimeout(giveUp, DEADLINE_MS);
  signal?.addEventListener("abort", giveUp, { once: true });
  try {
    const response = await fetch(`${base}/probe`, {
      headers: { Accept: "text/event-stream" },
      cache: "no-store",
      signal: patience.signal,
    });
    const reader = response.ok ? response.body?.getReader() : undefined;
    return reader ? arePrompt(await arrivals(reader)) : false;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", giveUp);
    patience.abort();
  }
}

/** @typedef {{at: number, late: number}} Tick  When it came, and how long after it was sent by the server's clock. */

/** @param {ReadableStreamDefaultReader<Uint8Array>} reader @returns {Promise<Tick[]>} */
async function arrivals(reader) {
  const decoder = new TextDecoder();
  /** @type {Tick[]} */
  const ticks = [];
  let rest = "";
  while (ticks.length < TICKS) {
    const { done, value } = await reader.read();
    if (done) break;
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.startsWith("data:")) ticks.push({ at: Date.now(), late: Date.now() - sentAt(line) });
  }
  return ticks;
}

/** @param {string} line */
function sentAt(line) {
  try {
    return Number(JSON.parse(line.slice("data:".length)).sent_ms);
  } catch {
    return NaN;
  }
}

/** @param {Tick[]} ticks */
function arePrompt(ticks) {
  if (ticks.length < TICKS || ticks[ticks.length - 1].at - ticks[0].at < SPREAD_MS) return false;
  if (!ticks.every(({ at }) => ticks.filter((other) => Math.abs(other.at - at) < 20).length <= BUNCH)) return false;
  // Where each waits for the next one, only the last is prompt.
  const least = Math.min(...ticks.map(({ late }) => late));
  return ticks.filter(({ late }) => late - least > HELD_MS).length <= BUNCH;
}
