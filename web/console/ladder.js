/**
 * The ladder of one room: a lifeline for each peer, and what passes between them, row by row. Knows no page: what is drawn and
 * what is copied as text are both made of this.
 */

import { NEVER_BEGUN, Sessions } from "./sessions.js";

/** Candidates of one side that come closer together than this are one arrow. */
const TOGETHER_MS = 2_000;
/** A longer silence is a row of its own, however long it was. */
export const PAUSE_MS = 5_000;

/** What each makes of a peer. @type {Map<string, {here: boolean, away: boolean}>} */
const NEXT = new Map([
  ["joined", { here: true, away: false }],
  ["away", { here: true, away: true }],
  ["back", { here: true, away: false }],
  ["left", { here: false, away: false }],
]);

/**
 * @typedef {import("./lines.js").Line} Line
 * @typedef {import("./sessions.js").Session} Session
 * @typedef {{line: Line, session?: Session}} Entry
 *
 * @typedef {object} Row
 * @property {string} key
 * @property {"arrow" | "refused" | "joined" | "left" | "away" | "back" | "reader" | "ice" | "ended" | "gap" | "pause"} kind
 * @property {number} at
 * @property {number} until When the last line came that is folded into it.
 * @property {number} count How many lines are folded into it.
 * @property {Line} line The first of them.
 * @property {number} bytes
 * @property {Session} [session]
 * @property {string} [peer] On whose lifeline it stands.
 * @property {string} [from]
 * @property {string} [to] Of an arrow: left out where it goes to all.
 * @property {number} [answeredMs] Of the answer that made the session answered: how long after the offer.
 *
 * @typedef {object} Stretch
 * @property {number} from The row that it begins with; -1 where it was so before the first.
 * @property {number} to The row that it ends with; the number of rows where it goes on.
 *
 * @typedef {Stretch & {away: boolean}} Presence
 * @typedef {Stretch & {session: Session, answered: number, slot: number}} Activity
 *
 * @typedef {object} Lane
 * @property {string} peer
 * @property {Presence[]} presence
 * @property {Activity[]} activities
 * @property {boolean} here Whether the peer is in the room at the end.
 *
 * @typedef {{lanes: Lane[], rows: Row[], began: number}} Ladder
 */

/** Lines with the sessions that they belong to. @param {Line[]} lines @returns {Entry[]} */
export function entriesOf(lines, sessions = new Sessions()) {
  return lines.map((line) => ({ line, session: sessions.take(line) }));
}

/**
 * @param {Entry[]} entries in the order in which they were told
 * @param {object} [options]
 * @param {Session} [options.session] only what belongs to this one
 * @param {boolean} [options.readers] whether readers that begin and end are told, too
 * @param {Iterable<[string, number]>} [options.orders] of peers whose join is not among the lines
 * @param {{has: (peer: string) => boolean}} [options.present] who is there now, where lines have gone missing
 * @param {number} [options.began] where time is counted from, if not from the first line
 * @returns {Ladder}
 */
export function ladder(entries, { session: only, readers = false, orders = [], present, began = entries[0]?.line.at ?? 0 } = {}) {
  const shown = only ? entries.filter((entry) => belongs(entry, only)) : entries;
  const rows = new Rows();
  for (const entry of shown) rows.take(entry, readers);
  const { all } = rows;
  const met = acting(entries);
  const lanes = lanesOf(entries, only, new Map(orders)).map((peer) => {
    const { presence, here } = presenceOf(peer, all, met.has(peer), present);
    // A session may be over long before its two have gone.
    return { peer, presence, here: only && present ? present.has(peer) : here, activities: [] };
  });
  addActivities(lanes, all);
  return { lanes, rows: all, began };
}

/** The same without its first rows, which are many. @param {Ladder} whole @param {number} cut how many @returns {Ladder} */
export function withoutFirst({ lanes, rows, began }, cut) {
  /** @template {Stretch} T @param {T[]} stretches */
  const moved = (stretches) => stretches.filter(({ to }) => to >= cut).map((stretch) => ({ ...stretch, from: Math.max(-1, stretch.from - cut), to: stretch.to - cut }));
  return {
    lanes: lanes.map((lane) => ({ ...lane, presence: moved(lane.presence), activities: moved(lane.activities).map((one) => ({ ...one, answered: one.answered - cut })) })),
    rows: rows.slice(cut),
    began,
  };
}

/** What a session's own lines are, and the coming and going of its two while it lasts. @param {Entry} entry @param {Session} only */
function belongs({ line, session }, only) {
  if (session) return session === only;
  if (!["joined", "left", "away", "back", "gap"].includes(line.event)) return false;
  if (line.event !== "gap" && line.peer !== only.from && line.peer !== only.to) return false;
  return line.at >= only.at && line.at <= (only.ended?.at ?? Infinity);
}

class Rows {
  /** @type {Row[]} */
  all = [];
  /** Rows that take more of the same. @type {Map<string, Row>} */
  #open = new Map();
  /** Sessions whose first answer has its row. @type {Set<Session>} */
  #answered = new Set();
  /** @type {Set<Session>} */
  #over = new Set();
  #last = NaN;

  /** @param {Entry} entry @param {boolean} readers */
  take({ line, session }, readers) {
    switch (line.event) {
      case "signal":
        return this.#signal(line, session);
      case "refused":
        return this.#fold("refused", `refused ${line.type} ${line.slug}`, line, session);
      case "session":
        if (session) this.#close((row) => row.session === session);
        // The offer and the answer have their arrows.
        if (line.state !== "ended") return;
        if (session) this.#over.add(session);
        return this.#add({ kind: "ended", from: line.from, to: line.to }, line, session);
      case "report":
        // Where the session is over, so is its connection.
        if (line.ice === "closed" && session && this.#over.has(session)) return;
        if (session) this.#close((row) => row.session === session);
        return this.#add({ kind: "ice", peer: line.peer }, line, session);
      case "reading":
      case "stopped":
        if (readers || line.how === "gap") this.#add({ kind: "reader", peer: line.peer }, line);
        return;
      case "gap":
        return this.#add({ kind: "gap" }, line);
      case "joined":
      case "left":
      case "away":
      case "back":
        this.#close((row) => row.from === line.peer || row.to === line.peer);
        return this.#add({ kind: line.event, peer: line.peer }, line);
    }
  }

  /** @param {Line} line @param {Session | undefined} session */
  #signal(line, session) {
    if (line.type === "candidate") return this.#fold("arrow", `candidate ${line.state} ${line.repeat ?? ""}`, line, session);
    if (session) this.#close((row) => row.session === session);
    const row = this.#add({ kind: "arrow", from: line.from, to: line.to }, line, session);
    if (line.type === "answer" && session && !line.repeat && !this.#answered.has(session)) {
      this.#answered.add(session);
      row.answeredMs = session.answeredMs;
    }
  }

  /** @param {"arrow" | "refused"} kind @param {string} what @param {Line} line @param {Session | undefined} session */
  #fold(kind, what, line, session) {
    const key = [what, line.from, line.to, line.session, session?.number].join(" ");
    const open = this.#open.get(key);
    if (open && line.at - open.until < TOGETHER_MS) {
      open.count += 1;
      open.bytes += line.bytes ?? 0;
      open.until = line.at;
      this.#last = Math.max(this.#last, line.at);
      return;
    }
    this.#open.set(key, this.#add({ kind, from: line.from, to: line.to }, line, session));
  }

  /** @param {(row: Row) => boolean} whether */
  #close(whether) {
    for (const [key, row] of this.#open) if (whether(row)) this.#open.delete(key);
  }

  /** @param {Pick<Row, "kind" | "peer" | "from" | "to">} what @param {Line} line @param {Session} [session] @returns {Row} */
  #add(what, line, session) {
    const { id, at } = line;
    const pause = at - this.#last;
    if (pause >= PAUSE_MS) this.all.push({ kind: "pause", key: `pause ${id}`, at: this.#last, until: at, count: 0, bytes: 0, line });
    // Lines of several hands may come in another order than their times.
    this.#last = Number.isNaN(this.#last) ? at : Math.max(this.#last, at);
    /** @type {Row} */
    const row = { ...what, key: id, at, until: at, count: 1, bytes: line.bytes ?? 0, line, ...(session && { session }) };
    this.all.push(row);
    return row;
  }
}

/** In the order in which they joined; first those whose join is not known. @param {Entry[]} entries @param {Session | undefined} only @param {Map<string, number>} orders */
function lanesOf(entries, only, orders) {
  /** @type {Map<string, number | undefined>} */
  const first = new Map();
  for (const { line } of entries) {
    for (const peer of [line.peer, line.from, line.to]) {
      if (peer !== undefined && !first.has(peer)) first.set(peer, line.event === "joined" ? line.order : orders.get(peer));
    }
  }
  for (const [peer, order] of orders) if (!first.has(peer)) first.set(peer, order);
  const peers = [...first.keys()].filter((peer) => !only || peer === only.from || peer === only.to);
  return peers.sort((a, b) => (first.get(a) ?? -1) - (first.get(b) ?? -1));
}

/** Who has been here: all but those who are named only by whom they were not reached. @param {Entry[]} entries */
function acting(entries) {
  const named = entries.flatMap(({ line: { event, peer, from, to } }) => [peer, from, event === "refused" ? undefined : to]);
  return new Set(named);
}

/** @param {string} peer @param {Row[]} rows @param {boolean} met whether it has been here at all @param {{has: (peer: string) => boolean}} [present] */
function presenceOf(peer, rows, met, present) {
  /** @type {Presence[]} */
  const presence = [];
  // What came before the first row is known by what it changes.
  const first = rows.find((row) => row.peer === peer && NEXT.has(row.kind))?.kind;
  let here = first === undefined ? met || (present?.has(peer) ?? false) : first !== "joined";
  let away = first === "back";
  let from = -1;
  const end = (/** @type {number} */ to) => here && presence.push({ from, to, away });
  // What came meanwhile is known by what it has led to.
  const behind = (/** @type {number} */ gap) => {
    const later = rows.find((row, at) => at > gap && row.peer === peer && NEXT.has(row.kind))?.kind;
    return { here: later ? later !== "joined" : (present?.has(peer) ?? here), away: later ? later === "back" : away };
  };
  for (const [at, row] of rows.entries()) {
    const next = row.kind === "gap" ? behind(at) : row.peer === peer ? NEXT.get(row.kind) : undefined;
    if (!next) continue;
    end(at);
    ({ here, away } = next);
    from = at;
  }
  end(rows.length);
  return { presence, here };
}

/** @param {Lane[]} lanes @param {Row[]} rows */
function addActivities(lanes, rows) {
  /** @type {Map<Session, {from: number, to: number, answered: number}>} */
  const stretches = new Map();
  for (const [at, { session, kind, line }] of rows.entries()) {
    if (kind === "gap") for (const [torn, stretch] of stretches) if (torn.torn) stretch.to = Math.min(stretch.to, at);
    if (!session || session.ended?.reason === NEVER_BEGUN) continue;
    const known = stretches.get(session);
    if (!known) stretches.set(session, { from: at, to: kind === "ended" ? at : rows.length, answered: session.answered && !session.whole ? at : rows.length });
    else if (kind === "ended") known.to = at;
    else if (kind === "arrow" && line.type === "answer") known.answered = Math.min(known.answered, at);
  }
  for (const lane of lanes) {
    for (const [session, stretch] of stretches) {
      if (session.from !== lane.peer && session.to !== lane.peer) continue;
      const taken = new Set(lane.activities.filter(({ to }) => to > stretch.from).map(({ slot }) => slot));
      let slot = 0;
      while (taken.has(slot)) slot += 1;
      lane.activities.push({ ...stretch, answered: Math.min(stretch.answered, stretch.to), session, slot });
    }
  }
}
