/**
 * What comes into a room with a key, on its way from the reader to the room: each thing is opened, and handed on in
 * the order in which it came. Opening takes a moment, so whatever comes meanwhile waits its turn, sealed or not.
 */

import { UNREAD } from "./inbox.js";
import { repeatedFrom } from "./secrecy.js";

/**
 * @typedef {import("./ladder.js").Sink} Sink
 * @typedef {import("./secrecy.js").Opened} Opened
 * @typedef {import("./error.js").SwitchboardError} SwitchboardError
 *
 * @typedef {object} Place  One thing in the queue.
 * @property {Promise<any> | null} opening Null where there is nothing to open.
 * @property {(opened: any) => void} hand
 *
 * @typedef {object} Door  What the intake asks of the room.
 * @property {() => string} self This peer's id.
 * @property {(id: string) => boolean} isNew Whether no event of this id or a later one has been handed on.
 * @property {Map<string, SwitchboardError>} problems Of peers whose meta does not open, why.
 */

const PRESENCE = new Set(["peer-joined", "peer-updated"]);

/** @implements {Sink} */
export class Intake {
  #secrecy;
  #sink;
  #door;
  /** @type {Place[]} */
  #queue = [];
  /** What has been told of each peer's messages. @type {Map<string, Set<string>>} */
  #reported = new Map();
  /** What is handed on once the queue is done. @type {Promise<void> | null} */
  #working = null;
  /** Rises when all that waits no longer counts. */
  #generation = 0;

  /** @param {import("./secrecy.js").Secrecy} secrecy @param {Sink} sink @param {Door} door */
  constructor(secrecy, sink, door) {
    this.#secrecy = secrecy;
    this.#sink = sink;
    this.#door = door;
  }

  /** @param {import("./wire.js").WireEvent} event */
  event(event) {
    const { data } = event;
    if (event.event === "signal") {
      this.#put(this.#secrecy.openSignal(data, this.#door.self()), (/** @type {Opened} */ opened) => this.#signal(event, opened));
    } else if (event.event === "session-ended" && data.data !== undefined) {
      this.#put(this.#secrecy.openBye(data, this.#door.self()), (/** @type {Opened} */ opened) => this.#bye(event, opened));
    } else if (PRESENCE.has(event.event)) {
      this.#peers([data], ([peer]) => this.#sink.event({ ...event, data: peer }));
    } else if (Array.isArray(data?.peers)) {
      this.#peers(data.peers, (peers) => this.#sink.event({ ...event, data: { ...data, peers } }));
    } else {
      if (event.event === "peer-left") this.inTurn(() => this.#reported.delete(data.peer));
      this.inTurn(() => this.#sink.event(event));
    }
  }

  /** @param {import("./wire.js").Snapshot} snapshot */
  snapshot(snapshot) {
    if (snapshot.peers) this.#peers(snapshot.peers, (peers) => this.#sink.snapshot({ ...snapshot, peers }));
    else this.inTurn(() => this.#sink.snapshot(snapshot));
  }

  /** @param {{cursor?: string}} drained */
  drained(drained) {
    this.inTurn(() => this.#sink.drained(drained));
  }

  /** @param {import("./wire.js").Transport} transport @param {string} why */
  transport(transport, why) {
    this.inTurn(() => this.#sink.transport(transport, why));
  }

  /** @param {"open" | "reconnecting"} state @param {string} why */
  state(state, why) {
    this.inTurn(() => this.#sink.state(state, why));
  }

  /** @param {import("./wire.js").End} end */
  ended(end) {
    this.inTurn(() => this.#sink.ended(end));
  }

  /** @returns {Promise<void> | undefined} once all that has come is handed on, or nothing where it is. */
  handed() {
    return this.#working ?? undefined;
  }

  /** Does something after all that has come. @param {() => void} act */
  inTurn(act) {
    this.#put(null, act);
  }

  /** Drops what waits. */
  clear() {
    this.#generation += 1;
    this.#queue = [];
    this.#working = null;
  }

  /** @param {any[]} sealed @param {(peers: any[]) => void} hand */
  #peers(sealed, hand) {
    this.#put(this.#secrecy.openPeers(sealed), (/** @type {{peers: any[], errors: Map<string, SwitchboardError>}} */ { peers, errors }) => {
      const { problems, self } = this.#door;
      // Known before the peers are told of, so that nobody calls in vain; told after them.
      const news = [...errors].filter(([peer, { slug }]) => peer !== self() && problems.get(peer)?.slug !== slug);
      for (const { peer } of peers) problems.delete(peer);
      for (const [peer, error] of errors) if (peer !== self()) problems.set(peer, error);
      hand(peers);
      for (const [peer, error] of news) this.#tell(peer, error);
    });
  }

  /** @param {import("./wire.js").WireEvent} event @param {Opened} opened */
  #signal(event, { error, ...opened }) {
    const { id, data } = event;
    // Two readers may bring the same event, which the room takes once.
    const isNew = id === undefined || this.#door.isNew(id);
    const refused = error ?? (isNew && !this.#secrecy.isNext(opened) ? repeatedFrom(data.from) : undefined);
    this.#sink.event(refused ? { ...event, event: UNREAD } : { ...event, data: { ...data, data: opened.data ?? null } });
    if (refused && isNew) this.#report(data.from, refused, data.type);
  }

  /** The session is over whoever says so; only what was said with it may be made up. @param {import("./wire.js").WireEvent} event @param {Opened} opened */
  #bye(event, { error, data }) {
    const { data: sealed, ...ended } = event.data;
    this.#sink.event({ ...event, data: error || data === undefined ? ended : { ...ended, data } });
    if (error) this.#report(ended.peer, error, "bye");
  }

  /** Tells once of each peer what is the matter with its messages. @param {string} peer @param {SwitchboardError} error @param {string} type */
  #report(peer, error, type) {
    const reported = this.#reported.get(peer) ?? new Set();
    if (reported.has(error.slug) || this.#door.problems.has(peer)) return;
    this.#reported.set(peer, reported.add(error.slug));
    this.#tell(peer, error, type);
  }

  /** @param {string} peer @param {SwitchboardError} error @param {string} [type] */
  #tell(peer, error, type) {
    this.#sink.event({ event: "problem", data: { peer, error, ...(type === undefined ? {} : { type }) } });
  }

  /** @param {Promise<any> | null} opening @param {(opened: any) => void} hand */
  #put(opening, hand) {
    if (opening === null && !this.#working) return hand(undefined);
    this.#queue.push({ opening, hand });
    this.#working ??= this.#work(this.#generation);
  }

  /** @param {number} generation */
  async #work(generation) {
    for (;;) {
      const [next] = this.#queue;
      const opened = await next.opening;
      if (generation !== this.#generation) return;
      this.#queue.shift();
      try {
        next.hand(opened);
      } catch (thrown) {
        // What fails in one who is told stops neither the others nor what comes after it.
        queueMicrotask(() => {
          throw thrown;
        });
      }
      if (generation !== this.#generation) return;
      if (this.#queue.length === 0) return void (this.#working = null);
    }
  }
}
