/**
 * All rooms, as far as they are known: the server's own list, and the lines that were told since this page began to read. Knows
 * no page. What it keeps is bounded, the rooms that are over first.
 */

import { Sessions } from "./sessions.js";
import { verdict } from "./verdict.js";

/** Lines of one room. What is older goes. */
const ROOM_LINES = 4_000;
/** Lines of all rooms. */
const ALL_LINES = 60_000;
/** Rooms that are over. */
const OVER_ROOMS = 500;
const LATELY = 200;
/** What there is most of, and says least by itself. */
const QUIET = new Set(["signal", "stopped", "back"]);

/**
 * @typedef {import("./lines.js").Line} Line
 * @typedef {import("./sessions.js").Session} Session
 * @typedef {import("./ladder.js").Entry} Entry
 */

export class Room {
  /** @type {Entry[]} */
  entries = [];
  sessions = new Sessions();
  /** Who is here, and whether away. @type {Map<string, "here" | "away">} */
  present = new Map();
  /** By the server's list, and the lines since. */
  counted = 0;
  /** When the list was asked for, by the server's clock: what happened before is in it. */
  countedAt = -Infinity;
  /** As which each has joined that is here, as far as that is known. @type {Map<string, number>} */
  orders = new Map();
  lastAt = 0;
  /** When the first line was told. @type {number | undefined} */
  began;
  /** Whether nobody is in it any more. */
  over = false;
  /** Refusals of offers that opened no session, among its lines. */
  refusedOffers = 0;
  /** How often its lines have changed. */
  version = 0;
  /** How many lines of all rooms had been told with its last one. */
  touched = 0;
  /** @type {{version: number, second: number, failed: number, open: number} | undefined} */
  #health;

  /** @param {string} name */
  constructor(name) {
    this.name = name;
  }

  get peers() {
    return this.over ? 0 : Math.max(this.counted, this.present.size);
  }

  get away() {
    return [...this.present.values()].filter((state) => state === "away").length;
  }

  /** The orders of who is here. @returns {[string, number][]} */
  get ordersHere() {
    return [...this.orders].filter(([peer]) => this.present.has(peer));
  }

  /** @param {number} now @returns {{version: number, second: number, failed: number, open: number}} how many in which somebody could not talk, and those that go on */
  health(now) {
    const { all } = this.sessions;
    const known = this.#health;
    // What goes on may yet turn out to have failed, by time alone.
    const second = Math.floor(now / 1000);
    if (known?.version === this.version && (known.open === 0 || known.second === second)) return known;
    const failed = all.filter((session) => verdict(session, now).failed).length + this.refusedOffers;
    return (this.#health = { version: this.version, second, failed, open: all.filter(({ ended, torn }) => !ended && !torn).length });
  }

  /** @param {Line} line */
  take(line) {
    const entry = { line, session: this.sessions.take(line) };
    this.entries.push(entry);
    if (isRefusedOffer(entry)) this.refusedOffers += 1;
    this.lastAt = Math.max(this.lastAt, line.at);
    this.began ??= line.at;
    this.version += 1;
    if (this.entries.length > ROOM_LINES) this.forget(this.entries.length - ROOM_LINES);
    this.#presence(line);
  }

  /** Its first lines go, and what was over before all others. @param {number} many */
  forget(many) {
    this.refusedOffers -= this.entries.splice(0, many).filter(isRefusedOffer).length;
    this.sessions.forgetBefore(this.entries[0]?.line.at ?? this.lastAt);
    this.version += 1;
  }

  /** @param {Line} line */
  #presence({ event, peer, order, from, at }) {
    const who = peer ?? from;
    if (!who) return;
    const isListed = at <= this.countedAt;
    if (event === "left") {
      this.present.delete(who);
      this.orders.delete(who);
      if (!isListed) this.counted = Math.max(0, this.counted - 1);
      if (this.present.size === 0 && this.counted === 0) this.over = true;
      return;
    }
    if (event === "joined") {
      if (!isListed && !this.present.has(who)) this.counted += 1;
      if (order !== undefined) this.orders.set(who, order);
    }
    // A reader that stops is told of after its peer has left, too.
    if (event === "stopped" || event === "refused" || event === "session" || event === "report") return;
    if (event !== "joined" && this.over) return;
    this.over = false;
    this.present.set(who, event === "away" ? "away" : event === "back" || event === "joined" ? "here" : (this.present.get(who) ?? "here"));
  }
}

/** @param {Entry} entry */
const isRefusedOffer = ({ line, session }) => line.event === "refused" && line.type === "offer" && !session;

export class Book {
  /** @type {Map<string, Room>} */
  rooms = new Map();
  /** The newest last. @type {Line[]} */
  lately = [];
  /** How many were told so far. */
  lines = 0;
  #kept = 0;
  #gaps = 0;

  /** @param {Line[]} lines */
  take(lines) {
    for (const line of lines) {
      const room = this.#room(line.room);
      this.#hand(room, line);
      this.lines += 1;
      room.touched = this.lines;
      if (!QUIET.has(line.event)) this.lately.push(line);
    }
    if (this.lately.length > LATELY) this.lately.splice(0, this.lately.length - LATELY);
    this.#forget();
  }

  /** Lines are missing between what was told and what will be. */
  gap() {
    this.#gaps += 1;
    for (const room of this.rooms.values()) {
      if (room.over || room.entries.length === 0) continue;
      this.#hand(room, { id: `gap-${this.#gaps}`, event: "gap", at: room.lastAt, room: room.name });
    }
  }

  /** @param {Room} room @param {Line} line */
  #hand(room, line) {
    const before = room.entries.length;
    room.take(line);
    this.#kept += room.entries.length - before;
  }

  /**
   * The server's own list.
   * @param {{room: string, peers: number}[]} rooms @param {number} asked how many lines were told when it was asked for
   * @param {number} [at] when it was asked for, by the server's clock
   */
  list(rooms, asked, at = -Infinity) {
    const listed = new Map(rooms.map(({ room, peers }) => [room, peers]));
    for (const [name, peers] of listed) this.#room(name, peers);
    for (const room of this.rooms.values()) {
      // What was told meanwhile, the list may not know yet.
      if (room.touched > asked) continue;
      const peers = listed.get(room.name);
      room.over = peers === undefined;
      room.counted = peers ?? 0;
      room.countedAt = at;
      if (room.present.size <= room.counted) continue;
      room.present.clear();
      room.orders.clear();
    }
  }

  /** Who is in a room, as the server's list has it. @param {string} name @param {{peer: string, state: string, order: number}[]} peers @param {number} asked */
  members(name, peers, asked) {
    const room = this.rooms.get(name);
    if (!room) return;
    room.version += 1;
    const listed = new Map(peers.map(({ peer, state }) => [peer, /** @type {"here" | "away"} */ (state === "away" ? "away" : "here")]));
    if (room.touched > asked) {
      // What was told meanwhile, the list may not know yet.
      const gone = goneOf(room.entries);
      for (const { peer, order } of peers) {
        if (gone.has(peer)) continue;
        room.orders.set(peer, order);
        room.present.set(peer, room.present.get(peer) ?? listed.get(peer) ?? "here");
      }
      return;
    }
    room.orders = new Map(peers.map(({ peer, order }) => [peer, order]));
    room.present = listed;
    room.counted = peers.length;
    room.over = peers.length === 0;
  }

  /** @param {string} name @param {number} [peers] */
  #room(name, peers) {
    let room = this.rooms.get(name);
    if (!room) {
      room = new Room(name);
      if (peers !== undefined) room.counted = peers;
      this.rooms.set(name, room);
    }
    return room;
  }

  #forget() {
    if (this.rooms.size <= OVER_ROOMS && this.#kept <= ALL_LINES) return;
    const over = [...this.rooms.values()].filter((room) => room.over).sort((a, b) => a.lastAt - b.lastAt);
    let many = over.length - OVER_ROOMS;
    for (const room of over) {
      if (many <= 0 && this.#kept <= ALL_LINES) return;
      this.rooms.delete(room.name);
      this.#kept -= room.entries.length;
      many -= 1;
    }
    for (const room of this.rooms.values()) {
      if (this.#kept <= ALL_LINES) return;
      this.#kept -= room.entries.length;
      room.forget(Math.ceil(room.entries.length / 2));
      this.#kept += room.entries.length;
    }
  }
}

/** Who has left by the lines. @param {Entry[]} entries */
function goneOf(entries) {
  /** @type {Set<string>} */
  const gone = new Set();
  for (const { line } of entries) {
    if (line.event === "left" && line.peer) gone.add(line.peer);
    if (line.event === "joined" && line.peer) gone.delete(line.peer);
  }
  return gone;
}
