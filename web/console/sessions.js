/**
 * The sessions of one room, put together line by line. Knows no page.
 *
 * An id alone names no session: two pairs may use the same one, and a pair may use it again in a later membership.
 * Whether the server tells first of the signal or of what it did to the session makes no difference here.
 */

/**
 * @typedef {import("./lines.js").Line} Line
 *
 * @typedef {object} Report
 * @property {number} at
 * @property {string} ice
 * @property {string} [way]
 *
 * @typedef {object} Ending
 * @property {number} at
 * @property {string} reason
 * @property {string} [peer] Whose doing.
 * @property {number} [afterMs]
 *
 * @typedef {object} Session
 * @property {number} number In order of their beginning; the colour follows from it.
 * @property {string} id
 * @property {string} from Who offered.
 * @property {string} to
 * @property {number} at When it began, or the first that is known of it.
 * @property {boolean} whole Whether its beginning is known.
 * @property {boolean} [opened] Whether the server has told of its beginning itself.
 * @property {string} [reach] Whether the other side was there for what came from the one who offers: `live` once it was, else `queued` or `away`.
 * @property {number} [answeredMs] How long after the offer; known where it was answered.
 * @property {boolean} answered
 * @property {Map<string, number>} candidates How many from each side.
 * @property {Map<string, Report>} reports The last of each side.
 * @property {number} [connectedAt] When a side first said so.
 * @property {string} [way] The way that it takes, as far as a side has said.
 * @property {Map<string, string[]>} found The kinds of candidates that a side has found, where it said so last.
 * @property {Map<string, number>} failedAt Since when each side has no path.
 * @property {Line[]} refused
 * @property {Ending} [ended]
 * @property {boolean} [torn] Whether lines have gone missing since the last that is known of it.
 * @property {boolean} [patchy] Whether lines have ever gone missing while it lasted.
 */

/**
 * The ways that sides report, the most telling last. Browsers keep the address of a candidate to themselves that a check came from
 * before it was told of; then only the other side knows that nothing stands between. And by what a relay is reached, only the side
 * knows whose it is.
 */
const TELLING = ["stun", "direct", "relay-udp", "relay-tcp", "relay-tls"];
/** What opens or continues a session; all else that names one is a message beside it. */
const OPENING = new Set(["offer", "answer", "candidate"]);
/** The end of one whose offer was refused. No end on the wire is called so. */
export const NEVER_BEGUN = "refused";
/** Those that are kept; the oldest that are over go first. */
const KEPT = 500;
/** Refusals of each that are kept. */
const REFUSED = 100;

export class Sessions {
  /** @type {Session[]} */
  all = [];
  /** The latest of each id and pair. @type {Map<string, Session>} */
  #latest = new Map();
  #begun = 0;

  /** Takes the next line. @param {Line} line @returns {Session | undefined} the session that it belongs to */
  take(line) {
    const found = this.#of(line);
    if (found?.torn) found.torn = false;
    return found;
  }

  /** @param {Line} line */
  #of(line) {
    switch (line.event) {
      case "gap":
        for (const session of this.all) if (!session.ended) session.torn = session.patchy = true;
        return undefined;
      case "signal":
        return this.#signal(line);
      case "refused":
        return this.#refusal(line);
      case "session":
        return this.#state(line);
      case "report":
        return this.#report(line);
    }
    return undefined;
  }

  /** @param {Line} line */
  #signal(line) {
    const { from, to, type = "", session: id, repeat } = line;
    if (!from || !to) return undefined;
    // A bye without an id ends all that are open between the two.
    if (!id) return undefined;
    let found = this.#find(id, from, to);
    if (repeat) return found;
    if (type === "bye") return found;
    if (!found || found.ended) {
      if (!OPENING.has(type)) return found;
      found = this.#revive(found, line) ?? this.#begin(line, id, type === "answer" ? to : from, type === "answer" ? from : to, type === "offer");
    }
    // Who has no reader open for the offer may open one in time.
    if (from === found.from && found.reach !== "live") found.reach = line.state;
    if (type === "answer") found.answered = true;
    if (type === "candidate") found.candidates.set(from, (found.candidates.get(from) ?? 0) + 1);
    return found;
  }

  /** @param {Line} line */
  #refusal(line) {
    const { from, to, session: id } = line;
    if (!from || !to || !id) return undefined;
    let found = this.#find(id, from, to);
    const former = found?.ended && found.ended.reason !== NEVER_BEGUN && line.slug !== "session-over";
    if (line.type === "offer" && (!found || former)) {
      found = this.#begin(line, id, from, to, true);
      found.ended = { at: line.at, reason: NEVER_BEGUN, peer: from };
    }
    if (found && found.refused.length < REFUSED) found.refused.push(line);
    return found;
  }

  /** @param {Line} line */
  #state(line) {
    const { from, to, session: id, state, at, after_ms: afterMs } = line;
    if (!from || !to || !id) return undefined;
    let found = this.#find(id, from, to);
    if (state === "offered") {
      // It is told once of each: of the former under this id the end has gone missing.
      if (found?.opened && !found.ended) found.torn = true;
      found = this.#revive(found, line) ?? found;
      if (!found || found.ended || found.opened) found = this.#begin(line, id, from, to, true);
      // The offer's own line may have come before.
      Object.assign(found, { from, to, whole: true, opened: true });
      return found;
    }
    // Who answers, or ends it, comes first.
    if (!found || (found.ended && state === "answered")) found = this.#begin({ ...line, at: at - (afterMs ?? 0) }, id, to, from, false);
    if (line.answered) found.answered = true;
    if (state === "answered") {
      found.answered = true;
      found.answeredMs ??= afterMs;
    }
    if (state === "ended" && !found.ended) found.ended = { at, reason: line.reason ?? "unknown", peer: doerOf(line), afterMs };
    return found;
  }

  /** @param {Line} line */
  #report(line) {
    const { peer, session: id, ice, way, found: kinds, at } = line;
    if (!peer || !ice) return undefined;
    const found = this.#last(peer, id);
    if (!found) return undefined;
    const known = found.reports.get(peer);
    if (ice !== "closed" || !known) found.reports.set(peer, { at, ice, way: way ?? known?.way });
    if (kinds) found.found.set(peer, kinds);
    if (ice === "connected" || ice === "completed") {
      found.connectedAt ??= at;
      found.failedAt.delete(peer);
    }
    if (ice === "failed" && !found.failedAt.has(peer)) found.failedAt.set(peer, at);
    const ways = [...found.reports.values()].flatMap((report) => report.way ?? []);
    found.way = ways.sort((a, b) => TELLING.indexOf(a) - TELLING.indexOf(b)).at(-1);
    return found;
  }

  /** The last one of this peer's under that id; without an id its only open one. @param {string} peer @param {string} [id] */
  #last(peer, id) {
    const own = this.all.filter(({ from, to, ended }) => (from === peer || to === peer) && ended?.reason !== NEVER_BEGUN);
    if (id) return own.filter((session) => session.id === id).at(-1);
    const open = own.filter(({ ended }) => !ended);
    return open.length === 1 ? open[0] : undefined;
  }

  /** An offer that was refused in passing is taken now. @param {Session | undefined} session @param {Line} line */
  #revive(session, { at }) {
    if (session?.ended?.reason !== NEVER_BEGUN) return undefined;
    delete session.ended;
    session.at = at;
    return session;
  }

  /** @param {Line} line @param {string} id @param {string} from @param {string} to @param {boolean} whole */
  #begin({ at }, id, from, to, whole) {
    /** @type {Session} */
    const session = { number: this.#begun, id, from, to, at, whole, answered: false, candidates: new Map(), reports: new Map(), found: new Map(), failedAt: new Map(), refused: [] };
    this.#begun += 1;
    this.all.push(session);
    this.#latest.set(key(id, from, to), session);
    if (this.all.length > KEPT) this.#forget();
    return session;
  }

  /** Those go that were over by then. @param {number} at */
  forgetBefore(at) {
    const over = this.all.filter(({ ended }) => ended && ended.at < at);
    if (over.length === 0) return;
    this.all = this.all.filter(({ ended }) => !ended || ended.at >= at);
    for (const session of over) this.#unname(session);
  }

  #forget() {
    const [oldest] = this.all.splice(Math.max(0, this.all.findIndex(({ ended }) => ended)), 1);
    this.#unname(oldest);
  }

  /** @param {Session} session */
  #unname(session) {
    const name = key(session.id, session.from, session.to);
    if (this.#latest.get(name) === session) this.#latest.delete(name);
  }

  /** @param {string} id @param {string} a @param {string} b */
  #find(id, a, b) {
    return this.#latest.get(key(id, a, b));
  }
}

/** By whose doing, or because of whose end, a session is over; nobody's where all are put out. @param {Line} line */
export const doerOf = ({ peer, from, reason }) => (reason === "room-closed" ? undefined : (peer ?? from));

/** Ids hold no space. @param {string} id @param {string} a @param {string} b */
const key = (id, a, b) => [id, ...[a, b].sort()].join(" ");
