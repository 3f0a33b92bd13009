/** The three pictures of the overview: set-up times, readers, ends. Each says in words what it shows. */

import { counted, span } from "./durations.js";
import { within } from "./metrics.js";
import { draw, fill } from "./svg.js";
import { transportName } from "./words.js";

const HEIGHT = 176;
/** So long the plot of readers goes back. */
export const READERS_MS = 600_000;
const TRANSPORTS = ["sse", "ndjson", "poll"];
const WANTED = new Set(["hangup", "left", "rejoined"]);
const LEAST_BARS = 6;
const MOST_ENDS = 6;

/**
 * @typedef {import("./metrics.js").Bucket} Bucket
 * @typedef {{at: number, by: Map<string, number>}} Sample
 */

/** @param {Element} svg */
const widthOf = (svg) => Math.max(220, svg.parentElement ? svg.parentElement.clientWidth - 40 : svg.clientWidth);

/** @param {number} seconds */
const edge = (seconds) => (seconds === Infinity ? "more" : span(seconds * 1000));

/** How long until the answer, in the server's own buckets. @param {Element} svg @param {HTMLElement} word @param {Bucket[]} buckets */
export function drawSetup(svg, word, buckets) {
  const width = widthOf(svg);
  const all = buckets.reduce((sum, { count }) => sum + count, 0);
  const [half, most] = [within(buckets, 0.5), within(buckets, 0.95)];
  say(word, all === 0 ? "No offer has been answered since the server started." : `${counted(all, "answer")} since the server started: half within ${edge(half ?? 0)}, 19 of 20 within ${edge(most ?? 0)}.`);
  const first = Math.max(0, buckets.findIndex(({ count }) => count > 0) - 1);
  const last = buckets.reduce((found, { count }, n) => (count > 0 ? n : found), -1);
  const shown = all === 0 ? buckets.slice(0, LEAST_BARS) : buckets.slice(first, Math.max(last + 2, first + LEAST_BARS));
  const top = Math.max(1, ...shown.map(({ count }) => count));
  const [low, high] = [HEIGHT - 26, 20];
  const step = width / Math.max(1, shown.length);
  const parts = shown.flatMap(({ upTo, count }, n) => {
    const height = ((low - high) * count) / top;
    const x = n * step;
    const bar = draw("rect", { class: upTo === Infinity ? "bar late" : "bar", x: x + 3, y: low - height, width: Math.max(2, step - 6), height, rx: 3 }, draw("title", {}, `up to ${edge(upTo)}: ${count}`));
    const number = count > 0 ? [draw("text", { class: "number", x: x + step / 2, y: low - height - 5, "text-anchor": "middle" }, String(count))] : [];
    // Where they stand close every other edge says enough.
    const name = step > 44 || n % 2 === 0 ? [draw("text", { x: x + step / 2, y: low + 18, "text-anchor": "middle" }, upTo === Infinity ? "more" : `≤ ${edge(upTo)}`.replace("≤ ", step > 62 ? "≤ " : ""))] : [];
    return [bar, ...number, ...name];
  });
  fill(svg, width, HEIGHT, [draw("line", { class: "axis", x1: 0, x2: width, y1: low, y2: low }), ...parts]);
}

/** @param {Element} svg @param {HTMLElement} word @param {Sample[]} samples taken since this page is open @param {number} now */
export function drawReaders(svg, word, samples, now) {
  const width = widthOf(svg);
  const last = samples.at(-1)?.by ?? new Map();
  const names = [...new Set([...TRANSPORTS, ...last.keys()])].filter((name) => samples.some(({ by }) => (by.get(name) ?? 0) > 0));
  const reading = [...last.values()].reduce((sum, value) => sum + value, 0);
  say(word, `${counted(reading, "reader")} just now; drawn since this page is open.`);
  const began = Math.max(samples[0]?.at ?? now, now - READERS_MS);
  const reach = Math.max(60_000, now - began);
  const [low, high] = [HEIGHT - 26, 38];
  const top = Math.max(4, ...samples.map(({ by }) => [...by.values()].reduce((sum, value) => sum + value, 0)));
  const x = (/** @type {number} */ at) => width * (1 - (now - at) / reach);
  const y = (/** @type {number} */ value) => low - ((low - high) * value) / top;
  const shown = samples.filter(({ at }) => at >= now - READERS_MS);
  // One upon the other, so that the upper edge is how many there are.
  const under = shown.map(() => 0);
  const areas = names.map((name) => {
    const lower = under.map((value, n) => `${x(shown[n].at).toFixed(1)} ${y(value).toFixed(1)}`);
    for (const [n, { by }] of shown.entries()) under[n] += by.get(name) ?? 0;
    const upper = under.map((value, n) => `${x(shown[n].at).toFixed(1)} ${y(value).toFixed(1)}`);
    return draw("path", { class: `area t-${name}`, d: `M${upper.join("L")}L${lower.reverse().join("L")}Z` }, draw("title", {}, transportName(name)));
  });
  const scale = [top, Math.round(top / 2)].flatMap((value) => [draw("line", { class: "grid", x1: 0, x2: width, y1: y(value), y2: y(value) }), draw("text", { class: "halo", x: 2, y: y(value) - 4 }, String(value))]);
  const edges = [draw("text", { x: 0, y: low + 18 }, `${span(reach)} ago`), draw("text", { x: width, y: low + 18, "text-anchor": "end" }, "now")];
  let so = 0;
  const legend = names.flatMap((name) => {
    const text = `${transportName(name).replace("NDJSON stream", "NDJSON")} ${last.get(name) ?? 0}`;
    const at = so;
    so += text.length * 7.2 + 28;
    return [draw("rect", { class: `area t-${name}`, x: at, y: 3, width: 11, height: 11, rx: 2.5 }), draw("text", { class: "strong", x: at + 16, y: 13 }, text)];
  });
  fill(svg, width, HEIGHT, [...areas, ...scale, draw("line", { class: "axis", x1: 0, x2: width, y1: low, y2: low }), ...edges, ...legend]);
}

/** @param {Element} svg @param {HTMLElement} word @param {Map<string, number>} ends */
export function drawEnds(svg, word, ends) {
  const width = widthOf(svg);
  const sorted = [...ends].filter(([, count]) => count > 0).sort((a, b) => b[1] - a[1]);
  const all = sorted.reduce((sum, [, count]) => sum + count, 0);
  const wanted = sorted.reduce((sum, [reason, count]) => sum + (WANTED.has(reason) ? count : 0), 0);
  say(word, all === 0 ? "None has ended since the server started." : `${counted(all, "end")} since the server started, ${wanted === all ? "all" : wanted} asked for by a side.`);
  const shown = sorted.slice(0, MOST_ENDS);
  const rest = sorted.slice(MOST_ENDS).reduce((sum, [, count]) => sum + count, 0);
  if (rest > 0) shown[MOST_ENDS - 1] = ["others", rest + shown[MOST_ENDS - 1][1]];
  const top = Math.max(1, ...shown.map(([, count]) => count));
  const left = 96;
  const parts = shown.flatMap(([reason, count], n) => {
    const y = 14 + n * 26;
    const length = Math.max(2, ((width - left - 44) * count) / top);
    return [
      draw("text", { class: "strong", x: left - 10, y: y + 13, "text-anchor": "end" }, reason),
      draw("rect", { class: WANTED.has(reason) ? "bar" : "bar bad", x: left, y, width: length, height: 18, rx: 3 }),
      draw("text", { class: "number", x: left + length + 7, y: y + 13 }, String(count)),
    ];
  });
  fill(svg, width, HEIGHT, [draw("line", { class: "axis", x1: left, x2: left, y1: 6, y2: HEIGHT - 10 }), ...parts]);
}

/** A live picture is not told again and again to who hears it. @param {HTMLElement} word @param {string} text */
function say(word, text) {
  if (word.textContent !== text) word.textContent = text;
}
