/** The two pictures: ticks as sent and as arrived, and silences on a line of time. */

import { LONG_POLL_S } from "./member.js";
import { seconds } from "./patience.js";
import { SILENCES_MS } from "./ticks.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {string} tag
 * @param {Record<string, string|number>} attributes
 * @param {string} [text]
 */
function draw(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, typeof value === "number" ? String(Math.round(value * 10) / 10) : value);
  if (text !== undefined) made.textContent = text;
  return made;
}

/** @param {Element} svg @param {number} height @param {Element[]} parts */
function fill(svg, height, parts) {
  const width = Math.max(280, svg.clientWidth);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("height", String(height));
  svg.replaceChildren(...parts);
}

/** @param {number} x @param {number} top @param {number} bottom @param {string} text */
function mark(x, top, bottom, text) {
  return [draw("line", { x1: x, x2: x, y1: top, y2: bottom, class: "grid-line" }), draw("text", { x, y: bottom + 18, class: "scale", "text-anchor": "middle" }, text)];
}

/**
 * Two lines of time, one above the other; each tick joins the moment it was sent with that it came.
 * @param {Element} svg
 * @param {import("./ticks.js").Ticks|undefined} ticks
 */
export function drawTicks(svg, ticks) {
  const [height, top, bottom, left, right] = [196, 46, 158, 14, 22];
  const width = Math.max(280, svg.clientWidth);
  const end = Math.max(2000, ...(ticks?.arrived ?? []), ...(ticks?.sent ?? []));
  const x = (/** @type {number} */ ms) => left + ((width - left - right) * Math.max(0, ms)) / end;
  const step = end > 4000 ? 2000 : end > 2600 ? 1000 : 500;
  const parts = [];
  for (let at = 0; at <= end; at += step) parts.push(...mark(x(at), top, bottom, at === 0 ? "0" : `${at / 1000} s`));
  parts.push(draw("line", { x1: left, x2: width - right, y1: top, y2: top, class: "time-line" }), draw("line", { x1: left, x2: width - right, y1: bottom, y2: bottom, class: "time-line" }));
  parts.push(draw("text", { x: left, y: top - 22, class: "track" }, "Sent by the server"), draw("text", { x: left, y: bottom - 14, class: "track halo" }, "Arrived here"));
  const held = ticks && !ticks.passes && ticks.arrived.length === 8;
  const kind = held ? "late" : "";
  for (const [n, sent] of (ticks?.sent ?? []).entries()) parts.push(draw("line", { x1: x(sent), y1: top, x2: x(ticks?.arrived[n] ?? 0), y2: bottom, class: `tick-way ${kind}` }));
  for (const sent of ticks?.sent ?? []) parts.push(draw("circle", { cx: x(sent), cy: top, r: 5, class: "tick-sent" }));
  for (const arrived of ticks?.arrived ?? []) parts.push(draw("circle", { cx: x(arrived), cy: bottom, r: 5, class: `tick-came ${kind}` }));
  // The labels stand above what is drawn later.
  parts.push(...parts.filter((part) => part.classList.contains("halo")));
  fill(svg, height, parts);
}

/** @param {import("./ticks.js").Ticks} ticks */
export function ticksWord(ticks) {
  if (ticks.passes) return `Each arrived as it was sent, within ${seconds(ticks.heldMs ?? 0)}.`;
  if (ticks.arrived.length === 0) return `None arrived: ${ticks.why}.`;
  if (ticks.arrived.length < 8) return `${ticks.arrived.length} of 8 arrived: ${ticks.why}.`;
  return `They arrived together: the first was held back for ${seconds(ticks.heldMs ?? 0)}.`;
}

/**
 * @param {Element} svg
 * @param {import("./verdict.js").Facts} facts
 * @param {number} elapsedMs since the silences began
 */
export function drawSilences(svg, { silences, longPoll, heartbeatMs }, elapsedMs) {
  const [height, top, bottom, left, right] = [196, 14, 158, 72, 22];
  const width = Math.max(280, svg.clientWidth);
  const end = 30_000;
  const x = (/** @type {number} */ ms) => left + ((width - left - right) * Math.min(ms, end)) / end;
  const parts = [0, 10_000, 20_000, 30_000].flatMap((at) => mark(x(at), top, bottom, at === 0 ? "0" : `${at / 1000} s`));
  const waiting = { state: /** @type {string} */ ("waiting"), forMs: 0, sinceMs: 0 };
  const wanted = silences.length > 0 ? silences : SILENCES_MS.map((wantedMs) => ({ ...waiting, wantedMs }));
  const lanes = [...wanted.map((one) => ({ ...waiting, label: `${one.wantedMs / 1000} s`, ...one })), { ...waiting, ...longPoll, label: "Long-poll", wantedMs: LONG_POLL_S * 1000 }];
  for (const [n, { label, wantedMs, state, forMs, sinceMs }] of lanes.entries()) {
    const y = top + 16 + n * 28;
    const now = state === "running" ? Math.min(Math.max(0, elapsedMs - sinceMs), wantedMs) : state === "dark" ? wantedMs : forMs;
    parts.push(draw("text", { x: left - 12, y: y + 4, class: "lane", "text-anchor": "end" }, label));
    parts.push(draw("line", { x1: x(0), x2: x(wantedMs), y1: y, y2: y, class: "lane-wanted" }));
    if (now > 0) parts.push(draw("line", { x1: x(0), x2: x(now), y1: y, y2: y, class: `lane-been ${state}` }));
    if (state === "kept") parts.push(draw("circle", { cx: x(wantedMs), cy: y, r: 6, class: "lane-kept" }));
    if (state === "cut" || state === "dark") parts.push(draw("path", { d: `M${x(now) - 5} ${y - 5}l10 10m0-10l-10 10`, class: "lane-cut" }));
  }
  if (heartbeatMs && heartbeatMs < end) {
    parts.push(draw("line", { x1: x(heartbeatMs), x2: x(heartbeatMs), y1: top - 4, y2: bottom, class: "heartbeat" }));
    parts.push(draw("text", { x: x(heartbeatMs), y: bottom + 34, class: "scale strong", "text-anchor": "middle" }, "heartbeat"));
  }
  fill(svg, height, parts);
}
