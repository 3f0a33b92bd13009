/** One room: its sessions and what became of each, its ladder, its peers. */

import { element, input, make } from "../demo/page.js";
import { counted, span } from "./durations.js";
import { ladder, withoutFirst } from "./ladder.js";
import { Peers } from "./peers.js";
import { Picture } from "./picture.js";
import { asText } from "./telling.js";
import { verdict } from "./verdict.js";
import { brief } from "./words.js";

/** Who has scrolled less far from the end still wants to see it. */
const NEAR = 48;
/** So many rows are drawn unless one asks for more: a room in which much is said has thousands. */
const ROWS = 500;

/**
 * @typedef {import("./book.js").Room} Room
 * @typedef {import("./sessions.js").Session} Session
 */

export class RoomView {
  #scroll = element("ladder-scroll");
  #picture = new Picture(this.#scroll, element("ladder-lanes"), element("ladder"));
  #peers;
  /** @type {Room | undefined} */
  #room;
  /** Whose lines alone are shown. @type {Session | undefined} */
  #only;
  #following = true;
  #unseen = 0;
  #drawnRows = 0;
  #drawnVersion = -1;
  /** Whether all rows are drawn, however many. */
  #whole = false;
  /** The first that is drawn. @type {string | undefined} */
  #first;
  /** @type {Map<Session, {item: HTMLElement, button: HTMLButtonElement, verdict: HTMLElement, when: HTMLElement}>} */
  #items = new Map();
  #all;

  /** @param {(peer: string) => void} kick */
  constructor(kick) {
    this.#peers = new Peers(element("peers"), kick);
    this.#all = sessionButton("All of the room", () => this.#choose(undefined));
    this.#scroll.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    element("newest").addEventListener("click", () => this.#toEnd());
    element("earlier").addEventListener("click", () => {
      this.#whole = true;
      this.#following = false;
      this.#redraw();
      this.#scroll.scrollTop = 0;
      this.#scroll.focus({ preventScroll: true });
    });
    new ResizeObserver(() => this.#redraw()).observe(this.#scroll);
    input("with-readers").addEventListener("change", () => this.#redraw());
  }

  /** @param {Room | undefined} room */
  open(room) {
    if (this.#room === room) return;
    this.#room = room;
    this.#only = undefined;
    this.#following = true;
    this.#unseen = 0;
    this.#whole = false;
    this.#drawnVersion = -1;
    this.#items.clear();
    element("sessions").replaceChildren();
  }

  /** @param {number} now */
  draw(now) {
    const room = this.#room;
    if (!room) return;
    const { peers, away, over } = room;
    const { failed, open } = room.health(now);
    say(element("room-title"), room.name);
    const state = over ? "Nobody is here any more" : [counted(peers, "peer"), away && `${away} away`].filter(Boolean).join(", ");
    say(element("room-word"), [state, open && `${counted(open, "session")} open`].filter(Boolean).join(" · "));
    say(element("room-failed"), failed ? `${failed} failed` : "");
    /** @type {HTMLButtonElement} */ (element("close")).disabled = over;
    this.#sessions(room, now);
    if (this.#drawnVersion !== room.version) this.#ladder(room);
    // Of a room that is over no time goes on.
    this.#peers.draw(room, over && room.lastAt ? room.lastAt : now, Number(/** @type {HTMLInputElement} */ (document.querySelector("#spans :checked")).value));
  }

  /** What stands here, for a ticket. @param {number} now @param {string} server */
  text(now, server) {
    const room = this.#room;
    if (!room) return "";
    return asText(this.#model(room), { room: room.name, server, now, sessions: room.sessions.all, only: this.#only });
  }

  /** @param {Room} room */
  #model(room) {
    return ladder(room.entries, { session: this.#only, readers: input("with-readers").checked, orders: room.ordersHere, present: room.present, began: room.began });
  }

  /** @param {Room} room */
  #ladder(room) {
    this.#drawnVersion = room.version;
    const model = this.#model(room);
    const cut = this.#cut(model.rows);
    this.#picture.draw(cut > 0 ? withoutFirst(model, cut) : model);
    const earlier = element("earlier");
    earlier.hidden = cut === 0;
    say(earlier, `Draw ${counted(cut, "earlier line")}`);
    const rows = model.rows.filter(({ kind }) => kind !== "pause").length;
    say(element("ladder-word"), this.#only ? `${counted(rows, "line")} of ${brief(this.#only.from)} and ${brief(this.#only.to)}` : rows === 0 ? "Nothing has passed yet that is still kept" : counted(rows, "line"));
    if (this.#following) this.#scroll.scrollTop = this.#scroll.scrollHeight;
    else this.#unseen += Math.max(0, rows - this.#drawnRows);
    this.#drawnRows = rows;
    this.#newest();
  }

  /** How many of the first rows are not drawn. @param {import("./ladder.js").Row[]} rows */
  #cut(rows) {
    if (this.#whole) return 0;
    // Under the eyes of who has scrolled away nothing moves.
    const held = this.#following ? -1 : rows.findIndex(({ key }) => key === this.#first);
    const cut = held >= 0 ? held : Math.max(0, rows.length - ROWS);
    this.#first = rows[cut]?.key;
    return cut;
  }

  /** @param {Room} room @param {number} now */
  #sessions(room, now) {
    const list = element("sessions");
    const { all } = room.sessions;
    element("sessions-empty").hidden = all.length > 0;
    const known = new Set(all);
    // Its lines are gone, too.
    if (this.#only && !known.has(this.#only)) this.#choose(undefined);
    for (const [session, { item }] of this.#items) {
      if (known.has(session)) continue;
      item.remove();
      this.#items.delete(session);
    }
    if (all.length === 0) return this.#all.item.remove();
    if (this.#all.item.parentElement !== list) list.prepend(this.#all.item);
    this.#all.button.setAttribute("aria-pressed", String(!this.#only));
    // The newest first, which is what one has come for.
    let before = this.#all.item;
    for (const session of [...all].reverse()) {
      const parts = this.#item(session);
      if (before.nextSibling !== parts.item) before.after(parts.item);
      before = parts.item;
      parts.button.setAttribute("aria-pressed", String(this.#only === session));
      const found = verdict(session, now);
      if (parts.verdict.textContent !== found.words) {
        if (parts.verdict.textContent) say(element("said"), `${brief(session.from)} and ${brief(session.to)}: ${found.words}`);
        parts.verdict.textContent = found.words;
      }
      parts.item.dataset.level = found.level;
      say(parts.when, session.ended ? `ended ${ago(now - session.ended.at)}` : session.torn ? "" : `since ${span(Math.floor((now - session.at) / 1000) * 1000)}`);
    }
  }

  /** @param {Session} session */
  #item(session) {
    const known = this.#items.get(session);
    if (known) return known;
    const parts = sessionButton(`${brief(session.from)} → ${brief(session.to)}`, () => this.#choose(this.#only === session ? undefined : session));
    parts.item.classList.add(`s${session.number % 8}`);
    parts.item.dataset.session = session.id;
    parts.item.title = `Session ${session.id}`;
    this.#items.set(session, parts);
    return parts;
  }

  /** @param {Session | undefined} session */
  #choose(session) {
    this.#only = session;
    this.#whole = false;
    this.#following = true;
    this.#redraw();
    if (session) this.#toFault();
  }

  /** What went wrong with it first, where something did and is out of sight above the end. */
  #toFault() {
    const fault = this.#scroll.querySelector(".row.bad")?.getBoundingClientRect();
    const { top, height } = this.#scroll.getBoundingClientRect();
    if (!fault || fault.top >= top + element("ladder-lanes").offsetHeight) return;
    this.#following = false;
    this.#scroll.scrollTop += fault.top - top - height / 3;
  }

  #redraw() {
    this.#drawnVersion = -1;
    if (this.#room) this.#ladder(this.#room);
    for (const [session, { button }] of this.#items) button.setAttribute("aria-pressed", String(this.#only === session));
    this.#all.button.setAttribute("aria-pressed", String(!this.#only));
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroll;
    this.#following = scrollHeight - clientHeight - scrollTop < NEAR;
    if (this.#following) this.#unseen = 0;
    this.#newest();
  }

  #newest() {
    const button = element("newest");
    button.hidden = this.#following;
    say(button, this.#unseen > 0 ? `${counted(this.#unseen, "new line")} below` : "To the newest line");
  }

  #toEnd() {
    this.#following = true;
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
    this.#scroll.focus({ preventScroll: true });
  }
}

/** @param {string} name @param {() => void} chosen */
function sessionButton(name, chosen) {
  const told = make("span", "session-verdict");
  const when = make("span", "session-when");
  const button = /** @type {HTMLButtonElement} */ (make("button", "session", make("span", "session-pair", name), when, told));
  button.type = "button";
  button.addEventListener("click", chosen);
  return { item: make("li", "", button), button, verdict: told, when };
}

/** @param {number} ms */
const ago = (ms) => (ms < 10_000 ? "just now" : `${span(ms < 60_000 ? Math.floor(ms / 10_000) * 10_000 : Math.floor(ms / 60_000) * 60_000)} ago`);

/** @param {HTMLElement} where @param {string} text */
function say(where, text) {
  if (where.textContent !== text) where.textContent = text;
}
