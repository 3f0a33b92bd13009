/** Draws a ladder, and adds to the drawing as more passes. It keeps what stands already, so that nothing under the pointer is lost. */

import { make } from "../demo/page.js";
import { since, span, stamp } from "./durations.js";
import { draw } from "./svg.js";
import { label, sentence } from "./telling.js";
import { brief } from "./words.js";

const TIMES = 74;
const MARGIN = 16;
const LEAST_LANE = 122;
const MOST_LANE = 300;
const TOP = 12;
const HEIGHTS = { arrow: 32, refused: 32, ended: 34, pause: 26, gap: 34 };
const HEIGHT = 29;
/** How broad a session's activity is on a lifeline, and how far apart two are. */
const BREADTH = 5;
const STEP = 7;
const SLOTS = 6;
const COLOURS = 8;
/** What stands on a lifeline is as broad as its words. */
const FONT = '12.5px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "Liberation Sans", Arial, sans-serif';

/** Ends and reports that nobody wanted. */
const BAD = new Set(["timeout", "failed", "unknown", "expired", "kicked", "room-closed", "slow", "silent"]);

/**
 * @typedef {import("./ladder.js").Ladder} Ladder
 * @typedef {import("./ladder.js").Row} Row
 * @typedef {{x: Map<string, number>, width: number, lane: number, y: number[], height: number, edges: Map<string, Int8Array>, ladder: Ladder}} Plan
 */

export class Picture {
  #scroll;
  #svg;
  #lanes;
  #lines = draw("g", { class: "lifelines", "aria-hidden": "true" });
  #rows = draw("g", { role: "presentation" });
  #times = draw("g", { class: "times", "aria-hidden": "true" });
  /** @type {Map<string, {group: SVGElement, aside: SVGElement, mark: string, y: number}>} */
  #drawn = new Map();

  /** @param {HTMLElement} scroll @param {HTMLElement} lanes @param {Element} svg */
  constructor(scroll, lanes, svg) {
    this.#scroll = scroll;
    this.#lanes = lanes;
    this.#svg = svg;
    svg.replaceChildren(this.#lines, this.#rows, this.#times);
    // The times stay in sight where the ladder is broader than the page.
    scroll.addEventListener("scroll", () => this.#times.setAttribute("transform", `translate(${scroll.scrollLeft} 0)`), { passive: true });
  }

  /** @param {Ladder} ladder */
  draw(ladder) {
    const plan = planOf(ladder, this.#scroll.clientWidth);
    this.#svg.setAttribute("width", String(plan.width));
    this.#svg.setAttribute("height", String(plan.height));
    this.#lanes.replaceChildren(make("span", "lane-corner"), ...ladder.lanes.map((lane) => laneHead(lane, plan)));
    this.#lanes.style.width = `${plan.width}px`;
    this.#lines.replaceChildren(...ladder.lanes.flatMap((lane) => lifeline(lane, plan)));
    const kept = new Set(ladder.rows.map(({ key }) => key));
    for (const [key, { group, aside }] of this.#drawn) {
      if (kept.has(key)) continue;
      group.remove();
      aside.remove();
      this.#drawn.delete(key);
    }
    for (const [at, row] of ladder.rows.entries()) this.#row(row, plan, at, ladder.began);
  }

  /** @param {Row} row @param {Plan} plan @param {number} at @param {number} began */
  #row(row, plan, at, began) {
    const place = { plan, at };
    const edges = row.from === undefined ? everywhere(row, place) : [edge(place, row.from, 1), edge(place, row.from, -1), ...(row.to === undefined ? hearers(place, row.from).map(({ x }) => x) : [edge(place, row.to, 1), edge(place, row.to, -1)])];
    const mark = [plan.width, plan.lane, row.peer && plan.x.get(row.peer), row.count, row.until, row.answeredMs, row.session?.number, ...edges].join(" ");
    let known = this.#drawn.get(row.key);
    if (known?.mark !== mark) {
      const time = since(row.at - began);
      const group = drawRow(row, place, time);
      const aside = draw("text", { x: TIMES - 12, y: 4, "text-anchor": "end", class: row.kind }, row.kind === "pause" ? span(row.until - row.at) : time);
      if (known) {
        known.group.replaceWith(group);
        known.aside.replaceWith(aside);
      } else {
        // In the order in which they are read aloud.
        this.#rows.insertBefore(group, this.#rows.children[at] ?? null);
        this.#times.append(aside);
        group.classList.add("new");
      }
      known = { group, aside, mark, y: NaN };
      this.#drawn.set(row.key, known);
    }
    // Most rows stay what they are, and only move up.
    if (known.y === plan.y[at]) return;
    known.y = plan.y[at];
    for (const part of [known.group, known.aside]) part.setAttribute("transform", `translate(0 ${known.y})`);
  }
}

/** @param {Ladder} ladder @param {number} room in pixels @returns {Plan} */
function planOf(ladder, room) {
  const { lanes, rows } = ladder;
  const inner = room - TIMES - 2 * MARGIN;
  const lane = Math.max(LEAST_LANE, Math.min(MOST_LANE, inner / Math.max(1, lanes.length)));
  const width = Math.max(room, TIMES + 2 * MARGIN + lane * lanes.length);
  const left = TIMES + MARGIN + Math.max(0, (inner - lane * lanes.length) / 2);
  const x = new Map(lanes.map(({ peer }, n) => [peer, left + lane * (n + 0.5)]));
  let so = TOP;
  const y = rows.map(({ kind }) => {
    const height = HEIGHTS[/** @type {keyof typeof HEIGHTS} */ (kind)] ?? HEIGHT;
    so += height;
    return so - height / 2;
  });
  return { x, width, lane, y, height: so + 18, edges: edgesOf(ladder), ladder };
}

/** How far sessions reach to the left and to the right of each lifeline, row by row. @param {Ladder} ladder */
function edgesOf({ lanes, rows }) {
  return new Map(lanes.flatMap(({ peer, activities }) => {
    const sides = [new Int8Array(rows.length), new Int8Array(rows.length)];
    for (const { from, to, slot } of activities) {
      const middle = shift(slot);
      for (const [n, way] of [-1, 1].entries()) {
        const reach = Math.ceil(middle * way + BREADTH / 2);
        for (let at = from; at <= Math.min(to, rows.length - 1); at += 1) sides[n][at] = Math.max(sides[n][at], reach);
      }
    }
    return [[`-1 ${peer}`, sides[0]], [`1 ${peer}`, sides[1]]];
  }));
}

/** Which row it is; it is drawn around a height of 0. @typedef {{plan: Plan, at: number}} Place */

/** Beside a lifeline, clear of its sessions. @param {Place} place @param {string} peer @param {number} way to the right 1, to the left -1 */
function edge({ plan, at }, peer, way) {
  return (plan.x.get(peer) ?? 0) + way * ((plan.edges.get(`${way} ${peer}`)?.[at] ?? 0) + 3);
}

/** What a row that crosses all lifelines depends on. @param {Row} row @param {Place} place */
function everywhere({ kind }, place) {
  if (kind !== "pause" && kind !== "gap") return [];
  return place.plan.ladder.lanes.flatMap(({ peer, presence }) => [edge(place, peer, 1), edge(place, peer, -1), presence.some(({ from, to }) => from < place.at && to > place.at)]);
}

/** Who is there to be told what goes to all. @param {Place} place @param {string} from */
function hearers({ plan, at }, from) {
  const there = plan.ladder.lanes.filter(({ peer, presence }) => peer !== from && presence.some((one) => one.from < at && one.to > at));
  return there.map(({ peer }) => ({ peer, x: plan.x.get(peer) ?? 0 }));
}

/** @param {import("./ladder.js").Lane} lane @param {Plan} plan */
function laneHead({ peer, here, presence }, { x, lane }) {
  const head = make("span", "lane-head", make("span", "lane-name", brief(peer)));
  head.dataset.state = !here ? "gone" : presence.at(-1)?.away ? "away" : "here";
  head.title = peer;
  head.style.left = `${(x.get(peer) ?? 0) - lane / 2}px`;
  head.style.width = `${lane}px`;
  return head;
}

/** @param {import("./ladder.js").Lane} lane @param {Plan} plan */
function lifeline({ peer, presence, activities }, { x, y, height }) {
  const at = x.get(peer) ?? 0;
  const top = (/** @type {number} */ row) => (row < 0 ? 0 : row >= y.length ? height : y[row]);
  const lines = presence.map(({ from, to, away }) => draw("line", { class: away ? "lifeline away" : "lifeline", x1: at, x2: at, y1: top(from), y2: top(to) }));
  const bars = activities.flatMap(({ from, to, answered, slot, session }) => {
    const left = at + shift(slot) - BREADTH / 2;
    const colour = `s${session.number % COLOURS}`;
    const bar = (/** @type {number} */ a, /** @type {number} */ b, /** @type {string} */ name) => draw("rect", { class: `${name} ${colour}`, x: left, y: a, width: BREADTH, height: Math.max(0, b - a), rx: 3 });
    return [bar(top(from), top(to), "offered"), ...(answered < to ? [bar(top(answered), top(to), "answered")] : [])];
  });
  return [...lines, ...bars];
}

/** @param {number} slot */
const shift = (slot) => ((slot % SLOTS) + 1 >> 1) * (slot % 2 ? 1 : -1) * STEP;

/** @param {Row} row @param {Place} place @param {string} time */
function drawRow(row, place, time) {
  const { kind, line, session } = row;
  const bad = kind === "refused" || kind === "gap" || (kind !== "pause" && (BAD.has(line.reason ?? "") || line.ice === "failed" || line.how === "gap"));
  const words = sentence(row);
  return draw("g", {
    class: ["row", `is-${kind}`, bad && "bad", session ? `s${session.number % COLOURS}` : "plain"].filter(Boolean).join(" "),
    role: "listitem",
    "aria-label": row.kind === "pause" ? words : `${time} s: ${words}`,
    ...told(row),
  }, draw("title", {}, `${stamp(row.at)}\n${words}`), draw("rect", { class: "ground", x: 0, y: -14, width: place.plan.width, height: 28 }), ...partsOf(row, place));
}

/** What the row is of, for who reads the page by program. @param {Row} row */
function told({ kind, peer, from, to, count, line, session }) {
  if (kind === "pause") return { "data-kind": kind };
  return {
    "data-kind": kind, "data-peer": peer, "data-from": from, "data-to": to, "data-count": count, "data-session": line.session ?? session?.id,
    "data-type": line.type, "data-slug": line.slug, "data-reason": line.reason, "data-ice": line.ice, "data-state": line.state,
  };
}

/** @param {Row} row @param {Place} place @returns {Element[]} */
function partsOf(row, place) {
  switch (row.kind) {
    case "arrow":
      return row.to === undefined ? broadcast(row, place) : arrow(row, place);
    case "refused":
      return refusal(row, place);
    case "ended":
      return ending(row, place);
    case "pause":
    case "gap":
      return pause(row, place);
    default:
      return onLane(row, place);
  }
}

/** @param {number} x @param {number} y @param {string} text @param {string} [name] */
const words = (x, y, text, name = "") => draw("text", { class: `label ${name}`, x, y, "text-anchor": "middle" }, text);

/** @param {number} x @param {number} y @param {number} way to the right 1, to the left -1 */
const head = (x, y, way) => draw("path", { class: "head", d: `M${x} ${y}l${-8 * way} -4.5v9Z` });

/** @param {Row} row @param {Place} place */
function arrow(row, place) {
  const { from = "", to = "", line } = row;
  const { x } = place.plan;
  const way = (x.get(to) ?? 0) >= (x.get(from) ?? 0) ? 1 : -1;
  const [begin, end, y] = [edge(place, from, way), edge(place, to, -way), 6];
  const weight = line.type === "offer" || line.type === "answer" ? "strong" : "";
  const waiting = line.repeat || (line.state !== undefined && line.state !== "live") ? "waiting" : "";
  return [draw("line", { class: `shaft ${weight} ${waiting}`, x1: begin, x2: end - 6 * way, y1: y, y2: y }), head(end, y, way), words((begin + end) / 2, 0, label(row), weight)];
}

/** @param {Row} row @param {Place} place */
function broadcast(row, place) {
  const { from = "" } = row;
  const { lane, x } = place.plan;
  const x1 = x.get(from) ?? 0;
  const y = 6;
  const others = hearers(place, from);
  if (others.length === 0) return [draw("circle", { class: "head", cx: x1, cy: y, r: 4 }), words(x1, -2, `${label(row)} · to all, who are none`)];
  const ends = others.map(({ peer, x }) => edge(place, peer, x > x1 ? -1 : 1));
  const [left, right] = [Math.min(x1, ...ends.map((at) => at + 6)), Math.max(x1, ...ends.map((at) => at - 6))];
  const middle = right > x1 ? x1 + lane / 2 : x1 - lane / 2;
  return [
    draw("line", { class: "shaft", x1: left, x2: right, y1: y, y2: y }),
    draw("circle", { class: "head", cx: x1, cy: y, r: 4 }),
    ...ends.map((at) => head(at, y, Math.sign(at - x1))),
    words(middle, 0, `${label(row)} · to all`),
  ];
}

/** @param {Row} row @param {Place} place */
function refusal(row, place) {
  const { from = "", to } = row;
  const { x, lane, width } = place.plan;
  const x1 = x.get(from) ?? 0;
  const aim = (to === undefined ? undefined : x.get(to)) ?? (x1 + lane < width ? x1 + lane : x1 - lane);
  const way = Math.sign(aim - x1) || 1;
  const [end, y] = [x1 + (aim - x1) * 0.62, 6];
  return [draw("line", { class: "shaft", x1: edge(place, from, way), x2: end, y1: y, y2: y }), draw("path", { class: "cross", d: `M${end - 5} ${y - 5}l10 10m0-10l-10 10` }), words((x1 + aim) / 2, -1, label(row), "strong")];
}

/** @param {Row} row @param {Place} place */
function ending(row, place) {
  const xs = [row.from, row.to].map((peer) => place.plan.x.get(peer ?? "") ?? 0);
  const [from, to, y] = [Math.min(...xs), Math.max(...xs), 7];
  return [
    draw("line", { class: "end", x1: from, x2: to, y1: y, y2: y }),
    ...[from, to].map((at) => draw("rect", { class: "stop", x: at - 6, y: y - 2.5, width: 12, height: 5, rx: 1.5 })),
    words((from + to) / 2, -1, label(row), "strong"),
  ];
}

/** Time is cut out of the lifelines. @param {Row} row @param {Place} place */
function pause(row, { plan, at }) {
  const cuts = plan.ladder.lanes.filter(({ presence }) => presence.some(({ from, to }) => from < at && to > at)).flatMap(({ peer }) => {
    const x = plan.x.get(peer) ?? 0;
    const half = Math.max(plan.edges.get(`1 ${peer}`)?.[at] ?? 0, plan.edges.get(`-1 ${peer}`)?.[at] ?? 0) + 8;
    return [
      draw("path", { class: "cut", d: `M${x - half} 2L${x + half} -6V-1L${x - half} 7Z` }),
      draw("path", { class: "slant", d: `M${x - half} 2L${x + half} -6M${x - half} 7L${x + half} -1` }),
    ];
  });
  if (row.kind === "pause") return cuts;
  return [draw("line", { class: "silence", x1: TIMES, x2: plan.width - MARGIN, y1: 0, y2: 0 }), words((TIMES + plan.width) / 2, 4, label(row), "strong")];
}

/** @param {Row} row @param {Place} place */
function onLane(row, { plan }) {
  const { kind, line, peer = "" } = row;
  const told = kind === "ice" ? `● ${label(row)}` : label(row);
  const width = breadth(told) + 18;
  // At the edges it stands beside its lifeline rather than out of sight.
  const x = Math.max(TIMES + width / 2, Math.min(plan.width - 6 - width / 2, plan.x.get(peer) ?? 0));
  const text = words(x, 4, told);
  if (kind === "ice") text.replaceChildren(draw("tspan", { class: `dot ice-${line.ice}` }, "● "), label(row));
  return [draw("rect", { class: "pill", x: x - width / 2, y: -10.5, width, height: 21, rx: 10.5 }), text];
}

/** @type {CanvasRenderingContext2D | null | undefined} */
let canvas;
/** @type {Map<string, number>} */
const breadths = new Map();

/** @param {string} text */
function breadth(text) {
  const known = breadths.get(text);
  if (known !== undefined) return known;
  canvas ??= document.createElement("canvas").getContext("2d");
  if (canvas) canvas.font = FONT;
  const found = canvas?.measureText(text).width ?? text.length * 7;
  if (breadths.size > 2000) breadths.clear();
  breadths.set(text, found);
  return found;
}
