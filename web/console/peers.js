/** The peers of a room: by what each reads on a line of time, and the way to put one out. */

import { make } from "../demo/page.js";
import { clock, span } from "./durations.js";
import { presences } from "./presence.js";
import { draw, fill } from "./svg.js";
import { brief, leftFor, stoppedFor, transportName } from "./words.js";

const HEIGHT = 26;
const SCALE = 18;

/**
 * @typedef {import("./presence.js").Presence} Presence
 * @typedef {import("./presence.js").Bar} Bar
 */

export class Peers {
  #list;
  #kick;
  /** @type {Map<string, {item: HTMLElement, word: HTMLElement, svg: SVGElement, kick: HTMLButtonElement}>} */
  #items = new Map();

  /** @param {HTMLElement} list @param {(peer: string) => void} kick */
  constructor(list, kick) {
    this.#list = list;
    this.#kick = kick;
  }

  /**
   * @param {import("./book.js").Room} room
   * @param {number} now
   * @param {number} reachMs how much of the past
   */
  draw(room, now, reachMs) {
    const all = presences(room.entries.map(({ line }) => line), room.ordersHere);
    const began = Math.max(now - reachMs, Math.min(room.entries[0]?.line.at ?? now, now - 10_000));
    const shown = all.filter(({ stays }) => (stays.at(-1)?.to ?? now) >= began);
    const names = new Set(shown.map(({ peer }) => peer));
    for (const [peer, { item }] of this.#items) {
      if (names.has(peer)) continue;
      item.remove();
      this.#items.delete(peer);
    }
    for (const [n, presence] of shown.entries()) {
      const parts = this.#item(presence.peer);
      if (this.#list.children[n] !== parts.item) this.#list.insertBefore(parts.item, this.#list.children[n] ?? null);
      const here = presence.stays.at(-1)?.to === undefined;
      parts.kick.hidden = !here;
      parts.item.dataset.state = !here ? "gone" : presence.aways.at(-1) && presence.aways.at(-1)?.to === undefined ? "away" : "here";
      const word = nowOf(presence, now);
      if (parts.word.textContent !== word) parts.word.textContent = word;
      drawBars(parts.svg, presence, began, now, n === shown.length - 1 ? (room.over ? clock(now) : "now") : "");
    }
  }

  /** @param {string} peer */
  #item(peer) {
    const known = this.#items.get(peer);
    if (known) return known;
    const word = make("span", "peer-word");
    const kick = /** @type {HTMLButtonElement} */ (make("button", "link-button hazard", "Kick"));
    kick.type = "button";
    kick.dataset.testid = `kick-${peer}`;
    kick.setAttribute("aria-label", `Kick ${peer}`);
    kick.addEventListener("click", () => this.#kick(peer));
    const svg = draw("svg", { role: "img", class: "bars" });
    const name = make("span", "peer-name", brief(peer));
    name.title = peer;
    const item = make("li", "", name, word, kick, svg);
    item.dataset.peer = peer;
    const parts = { item, word, svg, kick };
    this.#items.set(peer, parts);
    return parts;
  }
}

/** @param {Presence} presence @param {number} now */
function nowOf({ stays, aways, bars }, now) {
  const stay = stays.at(-1);
  if (stay?.to !== undefined) return leftFor(stay.reason);
  const away = aways.at(-1);
  if (away && away.to === undefined) return `away for ${span(now - away.from)}`;
  const open = bars.filter(({ to }) => to === undefined);
  return open.length ? `reads by ${[...new Set(open.map(({ transport }) => transportName(transport)))].join(" and ")}` : "no reader open";
}

/** @param {SVGElement} svg @param {Presence} presence @param {number} began @param {number} now @param {string} last of the times that stand below; empty where none do */
function drawBars(svg, { peer, stays, aways, bars }, began, now, last) {
  const width = Math.max(160, svg.parentElement?.clientWidth ?? 0);
  const x = (/** @type {number} */ at) => (width * (Math.max(began, Math.min(now, at)) - began)) / (now - began);
  const seen = (/** @type {{from: number, to?: number}} */ one) => (one.to ?? now) >= began;
  const box = (/** @type {{from: number, to?: number}} */ { from, to = now }, /** @type {string} */ name, /** @type {number} */ y, /** @type {number} */ height, /** @type {string} */ title) =>
    draw("rect", { class: name, x: x(from), y, width: Math.max(1.5, x(to) - x(from)), height, rx: 2 }, draw("title", {}, title));
  const own = bars.filter(seen);
  const parts = [
    ...stays.filter(seen).map((stay) => box(stay, "stay", 2, HEIGHT - 4, `in the room ${when(stay, now)}${stay.to === undefined ? "" : `, then ${leftFor(stay.reason)}`}`)),
    ...aways.filter(seen).map((away) => box(away, "away", 2, HEIGHT - 4, `away ${when(away, now)}`)),
    ...own.map((bar) => (bar.door === "notices" ? box(bar, `bar t-${bar.transport}`, 19, 4, ofBar(bar, now)) : box(bar, `bar t-${bar.transport}`, 6, 11, ofBar(bar, now)))),
    ...own.filter(({ how, from }) => how === "gap" && from >= began).map((bar) => draw("path", { class: "gap-mark", d: `M${x(bar.from)} 2l4 4l-4 4l-4 -4Z` })),
  ];
  const scale = last ? [draw("text", { x: 0, y: HEIGHT + 14 }, clock(began)), draw("text", { x: width, y: HEIGHT + 14, "text-anchor": "end" }, last)] : [];
  svg.setAttribute("aria-label", `${peer}: ${own.map((bar) => ofBar(bar, now)).join("; ") || "no reader in this time"}${aways.filter(seen).map((away) => `; away ${when(away, now)}`).join("")}`);
  fill(svg, width, HEIGHT + (last ? SCALE : 0), [...parts, ...scale]);
}

/** @param {{from: number, to?: number}} stretch @param {number} now */
const when = ({ from, to }, now) => `from ${clock(from)} ${to === undefined ? `on, for ${span(now - from)} now` : `to ${clock(to)}, ${span(to - from)}`}`;

/** @param {Bar} bar @param {number} now */
function ofBar(bar, now) {
  const name = `${transportName(bar.transport)}${bar.door === "notices" ? " of notices" : ""}`;
  const gap = bar.how === "gap" ? `, with a gap (${bar.gap ?? "events lost"})` : "";
  return `${name} ${when(bar, now)}${gap}${bar.to !== undefined && bar.known ? `: ${stoppedFor(bar.reason)}` : ""}`;
}
