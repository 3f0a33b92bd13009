/**
 * What comes in, from whichever reader: each event once, in order, with the books of {@link Members} kept right.
 */

import { Cursor } from "./cursor.js";
import { Members } from "./members.js";

/** Reasons for which the mailbox is read again from a point that may lie before what was seen. */
const REWINDS = new Set(["reset", "bad-cursor"]);

/** The name of an event that moves the cursor and is told to nobody. */
export const UNREAD = "unread";

export class Inbox {
  cursor;
  members;
  #tell;

  /**
   * @param {import("./wire.js").Joined} joined
   * @param {(event: string, data: any, id?: string) => void} tell
   */
  constructor(joined, tell) {
    this.#tell = tell;
    this.cursor = new Cursor(joined.cursor);
    this.members = new Members(joined.peer, (event, data) => this.#say(event, data));
    this.members.begin(joined.peers ?? []);
  }

  /** The incarnation is a new one. @param {import("./wire.js").Joined} joined */
  restart(joined) {
    this.cursor.rebase(joined.cursor);
    this.members.restart(joined.peer);
    this.#tell("rejoined", {});
    this.members.snapshot(joined.peers ?? [], [], 0);
    this.members.compare();
  }

  /** @param {import("./wire.js").Snapshot} snapshot */
  snapshot({ gap, peers, sessions, cursor, replayed }) {
    // A ticket names the cursor of when it was asked for; what was read since by the former reader is not missing.
    let known = false;
    if (gap && REWINDS.has(gap.reason)) this.cursor.rebase(cursor ?? null);
    else if (cursor) known = !this.cursor.admit(cursor);
    if (!peers && !sessions) return this.members.resumed(replayed);
    this.members.snapshot(peers, sessions, replayed);
    if (gap && !(known && gap.reason === "evicted")) this.#tell("gap", { ...gap, peers: peers ?? [], sessions: sessions ?? [] });
    if (replayed === 0) this.members.compare();
  }

  /** @param {import("./wire.js").WireEvent} event */
  event({ id, event, data }) {
    // The id of `ready` is where the replay starts, which the snapshot has dealt with.
    if (event === "ready") return this.#tell(event, data);
    const fresh = id === undefined || this.cursor.admit(id);
    if (fresh && !this.members.stale(event, data)) {
      this.members.apply(event, data);
      if (event !== UNREAD) this.#say(event, data, id);
    }
    if (id !== undefined && this.members.counted()) this.members.compare();
  }

  /** All that was held has come. @param {{cursor?: string}} drained */
  drained({ cursor }) {
    if (cursor) this.cursor.admit(cursor);
    this.members.compare();
  }

  /** @param {string} event @param {any} data @param {string} [id] */
  #say(event, data, id) {
    this.#tell(event, data, id);
    if (event.startsWith("peer-")) this.#tell("peers", { peers: [...this.members.now.peers.values()] });
  }
}
