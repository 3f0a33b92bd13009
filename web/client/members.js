/**
 * Who is in the room and which sessions are open.
 *
 * Two books are kept: what is so, and what the application was told. They are the same but after a gap,
 * when the server's snapshot runs ahead of the events that are still replayed. Once those are in, what the
 * books differ by is told, so that no peer leaves in silence and none leaves twice.
 */

/** Sessions ended lately, against an answer that tells of their opening after the event that ended them. */
const ENDED_KEPT = 64;

/** @typedef {{peers: Map<string, import("./wire.js").Peer>, sessions: Map<string, import("./wire.js").Session>}} Book */

export class Members {
  /** @type {Book} */
  now = { peers: new Map(), sessions: new Map() };
  /** @type {Book} */
  #told = this.now;
  /** Replayed events that are still to come before the books are compared. */
  #owed = 0;
  /** @type {Set<string>} */
  #ended = new Set();
  #self;
  #tell;

  /** @param {string} self @param {(event: string, data: any) => void} tell */
  constructor(self, tell) {
    this.#self = self;
    this.#tell = tell;
  }

  /** The start: what the join said, of which nothing needs telling. @param {import("./wire.js").Peer[]} peers */
  begin(peers) {
    replace(this.now.peers, this.#others(peers));
  }

  /** A new incarnation of this peer: all that was is over, and told so. @param {string} self */
  restart(self) {
    this.#self = self;
    this.#ended.clear();
    this.snapshot([], [], 0);
    this.compare();
  }

  /**
   * @param {import("./wire.js").Peer[] | undefined} peers
   * @param {import("./wire.js").Session[] | undefined} sessions
   * @param {number} replayed
   */
  snapshot(peers, sessions, replayed) {
    if (this.#told === this.now) this.#told = { peers: new Map(this.now.peers), sessions: new Map(this.now.sessions) };
    if (peers) replace(this.now.peers, this.#others(peers));
    if (sessions) replace(this.now.sessions, new Map(sessions.map((session) => [session.session, session])));
    this.#owed = replayed;
  }

  /** Another reader goes on with the same replay. @param {number} replayed */
  resumed(replayed) {
    if (this.#told !== this.now) this.#owed = replayed;
  }

  /** @param {string} event @param {any} data */
  apply(event, data) {
    enact(this.#told, event, data);
    // During a replay the snapshot is the later word about all but this.
    if (event === "session-ended") this.#close(data.session);
  }

  /** One event of the replay is in. @returns {boolean} whether it was the last. */
  counted() {
    if (this.#told === this.now) return false;
    this.#owed -= 1;
    return this.#owed <= 0;
  }

  /** Tells what the books differ by, and makes them one again. */
  compare() {
    const told = this.#told;
    const { peers, sessions } = this.now;
    if (told === this.now) return;
    this.#told = this.now;
    this.#owed = 0;
    for (const { session, peer } of told.sessions.values()) {
      if (!sessions.has(session)) this.#tell("session-ended", { session, peer, reason: "unknown" });
    }
    for (const { peer, order } of told.peers.values()) {
      if (peers.get(peer)?.order !== order) this.#tell("peer-left", { peer, reason: "unknown" });
    }
    for (const { peer, meta, order, state } of peers.values()) {
      const before = told.peers.get(peer);
      if (before?.order !== order) this.#tell("peer-joined", { peer, meta, order });
      else if (JSON.stringify(before.meta) !== JSON.stringify(meta)) this.#tell("peer-updated", { peer, meta, order });
      if ((state === "away") !== (before?.order === order && before.state === "away")) {
        this.#tell(state === "away" ? "peer-away" : "peer-back", { peer });
      }
    }
  }

  /** A signal of ours was accepted. @param {import("./wire.js").Signal} signal @param {import("./wire.js").SignalResult} result */
  sent({ type, to, session }, result) {
    const id = result.session ?? session;
    for (const book of new Set([this.now, this.#told])) {
      if (type === "bye") close(book, id, to);
      else if (id && to && !this.#ended.has(id)) open(book, type, id, to);
    }
  }

  /** Whether this event repeats what is known, as it may where the log is replayed from before the gap. @param {string} event @param {any} data */
  stale(event, data) {
    return event === "peer-joined" && this.#told.peers.get(data.peer)?.order === data.order;
  }

  /** @param {string} session */
  #close(session) {
    this.now.sessions.delete(session);
    this.#ended.add(session);
    for (const oldest of this.#ended) {
      if (this.#ended.size <= ENDED_KEPT) break;
      this.#ended.delete(oldest);
    }
  }

  /** @param {import("./wire.js").Peer[]} peers */
  #others(peers) {
    return new Map(peers.filter(({ peer }) => peer !== this.#self).map((peer) => [peer.peer, peer]));
  }
}

/** @param {Book} book @param {string} event @param {any} data */
function enact({ peers, sessions }, event, data) {
  const known = peers.get(data.peer);
  switch (event) {
    case "peer-joined":
      peers.set(data.peer, { peer: data.peer, meta: data.meta, order: data.order, state: "live" });
      break;
    case "peer-updated":
      if (known) peers.set(data.peer, { ...known, meta: data.meta });
      break;
    case "peer-away":
      if (known) peers.set(data.peer, { ...known, state: "away" });
      break;
    case "peer-back":
      if (known) peers.set(data.peer, { ...known, state: "live" });
      break;
    case "peer-left":
      peers.delete(data.peer);
      break;
    case "session-ended":
      sessions.delete(data.session);
      break;
    case "signal":
      if (data.session) open({ peers, sessions }, data.type, data.session, data.from);
      break;
  }
}

/** @param {Book} book @param {string} type @param {string} session @param {string} peer */
function open({ sessions }, type, session, peer) {
  const known = sessions.get(session);
  if (type === "offer" && !known) sessions.set(session, { session, peer, state: "offered" });
  if (type === "answer" && known) sessions.set(session, { ...known, state: "answered" });
}

/** @param {Book} book @param {string | undefined} session @param {string | undefined} peer */
function close({ sessions }, session, peer) {
  for (const open of [...sessions.values()]) {
    if (session ? open.session === session : open.peer === peer) sessions.delete(open.session);
  }
}

/** The maps are handed out, so their contents change and not they. @template K, V @param {Map<K, V>} map @param {Map<K, V>} contents */
function replace(map, contents) {
  map.clear();
  for (const [key, value] of contents) map.set(key, value);
}
