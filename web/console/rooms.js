/** The list of rooms: how many are in each, what is wrong with it, and what was last told of it. */

import { make } from "../demo/page.js";
import { counted, span } from "./durations.js";

/** More than that nobody reads through; the filter finds the others. */
const SHOWN = 300;

/** @typedef {import("./book.js").Room} Room */

export class Rooms {
  #list;
  #empty;
  #failed;
  /** @type {Map<string, {item: HTMLElement, link: HTMLAnchorElement, word: HTMLElement, marks: HTMLElement, text: string}>} */
  #items = new Map();

  /** @param {HTMLElement} list @param {HTMLElement} empty @param {HTMLElement} failed the word on the switch */
  constructor(list, empty, failed) {
    this.#list = list;
    this.#empty = empty;
    this.#failed = failed;
  }

  /**
   * @param {Iterable<Room>} rooms
   * @param {{filter: string, which: string, selected: string | undefined, now: number}} view
   */
  draw(rooms, { filter, which, selected, now }) {
    const all = [...rooms];
    const wanted = all.filter((room) => room.name === selected || (matches(room, filter.trim().toLowerCase()) && isOf(room, which, now)));
    // Those with somebody in them first, so that the list stands still while rooms come and go below.
    wanted.sort((a, b) => Number(a.over) - Number(b.over) || (a.over ? b.lastAt - a.lastAt : a.name.localeCompare(b.name)));
    const shown = wanted.slice(0, SHOWN);
    const names = new Set(shown.map(({ name }) => name));
    for (const [name, { item }] of this.#items) {
      if (names.has(name)) continue;
      item.remove();
      this.#items.delete(name);
    }
    for (const [n, room] of shown.entries()) {
      const parts = this.#item(room.name);
      if (this.#list.children[n] !== parts.item) this.#list.insertBefore(parts.item, this.#list.children[n] ?? null);
      this.#show(parts, room, room.name === selected, now);
    }
    const failing = all.filter((room) => room.health(now).failed > 0).length;
    const failed = failing ? `Failed calls ${failing}` : "Failed calls";
    if (this.#failed.textContent !== failed) this.#failed.textContent = failed;
    const hidden = wanted.length - shown.length;
    const word = all.length === 0 ? "Nobody is in any room." : shown.length === 0 ? "No room is like that." : hidden > 0 ? `${hidden} more: type a part of the name.` : "";
    this.#empty.hidden = !word;
    if (this.#empty.textContent !== word) this.#empty.textContent = word;
  }

  /** @param {string} name */
  #item(name) {
    const known = this.#items.get(name);
    if (known) return known;
    const word = make("span", "room-state");
    const marks = make("span", "room-marks");
    const link = /** @type {HTMLAnchorElement} */ (make("a", "room-link", make("b", "", name), marks, word));
    link.href = hashOf(name);
    const item = make("li", "", link);
    item.dataset.room = name;
    const parts = { item, link, word, marks, text: "" };
    this.#items.set(name, parts);
    return parts;
  }

  /** @param {{item: HTMLElement, link: HTMLAnchorElement, word: HTMLElement, marks: HTMLElement, text: string}} parts @param {Room} room @param {boolean} selected @param {number} now */
  #show(parts, room, selected, now) {
    const { failed, open } = room.health(now);
    const { peers, away, over, lastAt } = room;
    if (selected) parts.link.setAttribute("aria-current", "page");
    else parts.link.removeAttribute("aria-current");
    const state = over ? `over${lastAt ? ` for ${span(coarse(now - lastAt))}` : ""}` : [counted(peers, "peer"), away && `${away} away`, open && counted(open, "session")].filter(Boolean).join(" · ");
    const text = `${state} ${failed}`;
    if (parts.text === text) return;
    parts.text = text;
    parts.item.dataset.state = over ? "over" : peers && away === peers ? "away" : "here";
    parts.item.dataset.failed = String(failed);
    parts.word.textContent = state;
    parts.marks.textContent = failed ? `${failed} failed` : "";
  }
}

/** A span that does not change each second, which would be told each second. @param {number} ms */
const coarse = (ms) => (ms < 60_000 ? Math.max(1000, Math.floor(ms / 10_000) * 10_000) : Math.floor(ms / 60_000) * 60_000);

/** @param {string} name */
export const hashOf = (name) => `#room=${encodeURIComponent(name)}`;

/** @param {Room} room @param {string} filter */
function matches({ name, present }, filter) {
  if (!filter || name.toLowerCase().includes(filter)) return true;
  return [...present.keys()].some((peer) => peer.toLowerCase().includes(filter));
}

/** @param {Room} room @param {string} which @param {number} now */
function isOf(room, which, now) {
  if (which === "here") return !room.over;
  return which !== "failed" || room.health(now).failed > 0;
}
