/** The bit rates of the last minute as a small picture, and in words for who does not see it. */

import { SPAN_MS } from "./meter.js";
import { rateInWords } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 600;
const HEIGHT = 100;
/** What is less than this is drawn small, too. */
const LEAST = 50_000;
/** Lines end at the upper edge with their full breadth. */
const FULL = 0.95;

/** @typedef {import("./meter.js").Sample} Sample */

export class Plot {
  #svg;
  #top;
  #area = line("area");
  #down = line("down");
  #up = line("up");

  /** @param {Element} svg @param {HTMLElement} top where the rates at the lower and the upper edge are written */
  constructor(svg, top) {
    this.#svg = svg;
    this.#top = top;
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.replaceChildren(this.#area, this.#down, this.#up);
  }

  /** @param {Sample[]} samples @param {number} now */
  draw(samples, now) {
    const top = roundUp(Math.max(LEAST, ...samples.flatMap(({ down, up }) => [down ?? 0, up ?? 0])));
    /** @param {"down"|"up"} what */
    const runs = (what) => runsOf(samples, what).map((run) => run.map(([at, rate]) => `${x(at, now)} ${y(rate, top)}`));
    const down = runs("down");
    this.#down.setAttribute("d", down.map((points) => `M${points.join("L")}`).join(""));
    this.#up.setAttribute("d", runs("up").map((points) => `M${points.join("L")}`).join(""));
    this.#area.setAttribute("d", down.map((points) => `M${foot(points[0])}L${points.join("L")}L${foot(points[points.length - 1])}Z`).join(""));
    this.#top.textContent = `0 – ${rateInWords(top)}`;
    this.#svg.setAttribute("aria-label", `Bit rate of the last minute. ${sum("Down", samples, "down")} ${sum("Up", samples, "up")}`);
  }
}

/** @param {string} name */
function line(name) {
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("class", name);
  path.setAttribute("vector-effect", "non-scaling-stroke");
  return path;
}

/** What is known without a break. @param {Sample[]} samples @param {"down"|"up"} what */
function runsOf(samples, what) {
  /** @type {[number, number][][]} */
  const runs = [[]];
  for (const sample of samples) {
    const rate = sample[what];
    if (rate === null) runs.push([]);
    else runs[runs.length - 1].push([sample.at, rate]);
  }
  return runs.filter((run) => run.length > 0);
}

/** @param {number} at @param {number} now */
const x = (at, now) => (WIDTH * (1 - (now - at) / SPAN_MS)).toFixed(1);

/** @param {number} rate @param {number} top */
const y = (rate, top) => (HEIGHT * (1 - (FULL * rate) / top)).toFixed(1);

/** Straight below a point. @param {string} point */
const foot = (point) => `${point.split(" ")[0]} ${HEIGHT}`;

/** To 1, 2 or 5 with noughts. @param {number} rate */
function roundUp(rate) {
  const unit = 10 ** Math.floor(Math.log10(rate));
  return unit * ([1, 2, 5].find((step) => rate <= step * unit) ?? 10);
}

/** @param {string} name @param {Sample[]} samples @param {"down"|"up"} what */
function sum(name, samples, what) {
  const known = samples.map((sample) => sample[what]).filter((rate) => rate !== null);
  if (known.length === 0) return `${name}: not known yet.`;
  return `${name}: ${rateInWords(known[known.length - 1])} now, ${rateInWords(Math.min(...known))} to ${rateInWords(Math.max(...known))}.`;
}
