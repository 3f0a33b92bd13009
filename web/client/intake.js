/**
 * What comes into a room with a key, on its way from the reader to the room: each thing is opened, and handed on in
 * the order in which it came. Opening takes a moment, so whatever comes meanwhile waits its turn, sealed or not.
 */

import { UNREAD } from "./inbox.js";
import { KEYLESS, repeatedFrom } from "./secrecy.js";

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
 * @property {Map<string, SwitchboardError>} problems Of each peer the last reason for which something of it was not handed on.
 */

const PRESENCE = new Set(["peer-joined", "peer-updated"]);

/** @implements {Sink} */
export class Intake {
  #secrecy;
  #sink;
  #door;
  /** @type {Place[]} */
  #queue = [];
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
      // Known before the peers are told of, so that nobody calls in vain; told after them.
      const news = peers.filter(({ peer }) => this.#judge(peer, errors.get(peer)));
      hand(peers);
      for (const { peer } of news) this.#tell(peer, errors.get(peer));
    });
  }

  /** @param {import("./wire.js").WireEvent} event @param {Opened} opened */
  #signal(event, { error, ...opened }) {
    const { id, data } = event;
    // Two readers may bring the same event, which the room takes once.
    const isNew = id === undefined || this.#door.isNew(id);
    const refused = error ?? (isNew && !this.#secrecy.isNext(opened) ? repeatedFrom(data.from) : undefined);
    const isNews = isNew && this.#judge(data.from, refused);
    this.#sink.event(refused ? { ...event, event: UNREAD } : { ...event, data: { ...data, data: opened.data ?? null } });
    if (isNews) this.#tell(data.from, refused, data.type);
  }

  /** The session is over whoever says so; only what was said with it may be made up. @param {import("./wire.js").WireEvent} event @param {Opened} opened */
  #bye(event, { error, data }) {
    const { data: sealed, ...ended } = event.data;
    const isNews = this.#judge(ended.peer, error);
    this.#sink.event({ ...event, data: error || data === undefined ? ended : { ...ended, data } });
    if (isNews) this.#tell(ended.peer, error, "bye");
  }

  /** Takes note of how something of a peer's opened. @param {string} peer @param {SwitchboardError} [error] @returns {boolean} whether there is something to tell */
  #judge(peer, error) {
    const { problems } = this.#door;
    const known = problems.get(peer)?.slug;
    if (!error && known !== undefined && KEYLESS.has(known)) problems.delete(peer);
    if (!error || error.slug === known || peer === this.#door.self()) return false;
    problems.set(peer, error);
    return true;
  }

  /** @param {string} peer @param {SwitchboardError} [error] @param {string} [type] */
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
