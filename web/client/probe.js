/** Does this path let a stream through as it is written? Asks the server for ticks and looks at their spacing. */

/** The server sends eight ticks, 250 ms apart: 1.75 s from the first to the last. */
const TICKS = 8;
const SPREAD_MS = 1_000;
const DEADLINE_MS = 8_000;
/** More ticks than this at one moment were held back together. */
const BUNCH = 3;

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
    return reader ? spread(await arrivals(reader)) : false;
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", giveUp);
    patience.abort();
  }
}

/** @param {ReadableStreamDefaultReader<Uint8Array>} reader @returns {Promise<number[]>} when each tick came */
async function arrivals(reader) {
  const decoder = new TextDecoder();
  /** @type {number[]} */
  const times = [];
  let rest = "";
  while (times.length < TICKS) {
    const { done, value } = await reader.read();
    if (done) break;
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.startsWith("data:")) times.push(Date.now());
  }
  return times;
}

/** @param {number[]} times */
function spread(times) {
  if (times.length < TICKS || times[times.length - 1] - times[0] < SPREAD_MS) return false;
  return times.every((time) => times.filter((other) => Math.abs(other - time) < 20).length <= BUNCH);
}
