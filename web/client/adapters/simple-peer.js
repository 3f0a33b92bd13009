/**
 * simple-peer over a room: who offers follows from the order of the joins, signals arrive once and in order, and
 * the end of one side is told to the other with its reason.
 *
 *     const peer = connectSimplePeer(SimplePeer, room, "bob", { stream });
 *     peer.on("ended", ({ reason }) => console.log(reason));
 *
 * The class is handed in, so that nothing is loaded here.
 */

import { asError } from "../error.js";
import { word } from "../random.js";
import { KEYLESS } from "../secrecy.js";

/**
 * What is used of a SimplePeer.
 *
 * @typedef {object} SimplePeerLike
 * @property {boolean} destroyed
 * @property {boolean} connected
 * @property {(data: any) => void} signal
 * @property {(error?: Error) => void} destroy
 * @property {(event: string, listener: (...args: any[]) => void) => unknown} on
 * @property {(event: string, ...args: any[]) => unknown} emit
 *
 * @typedef {object} Ended  The detail of a peer's `ended` event.
 * @property {string} reason
 * @property {"us" | "them"} by Whose word the server heard first.
 * @property {unknown} [data] What the other side's `bye` brought.
 *
 * @typedef {{session?: string, config?: RTCConfiguration, [option: string]: unknown}} SimplePeerOptions
 */

/** Refusals that say that the other side, or the session with it, is no more. */
const GONE = new Set(["session-over", "session-taken", "peer-left", "unknown-peer", "unknown-session", "ended"]);
/** What the answering side may ask of the offering one. */
const REQUEST = "simple-peer";

/**
 * Makes a SimplePeer that is connected with a peer of the room. Both sides do this, before or after the other's
 * offer has come.
 *
 * Beside its own events it emits `ended` once, with an {@link Ended}: before its `close` where the room told of the
 * end, after it where the connection closed first.
 *
 * @template {SimplePeerLike} P
 * @param {new (options: any) => P} SimplePeer
 * @param {import("../room.js").Room} room
 * @param {string} to The other's peer id.
 * @param {SimplePeerOptions} [options] SimplePeer's own, but for `initiator`. `session` names a new session, or the one to wait for.
 * @returns {P}
 */
export function connectSimplePeer(SimplePeer, room, to, { session, config, ...options } = {}) {
  const other = room.peers.get(to);
  if (!other) throw new TypeError(`${to} is not in the room`);
  const initiator = room.order < other.order;
  const { iceServers, iceTransportPolicy } = room;
  const peer = new SimplePeer({ ...options, initiator, config: { iceServers, iceTransportPolicy, ...config } });
  new Wire(room, to, peer, initiator, session ?? (initiator ? word() : undefined));
  return peer;
}

class Wire {
  #room;
  #to;
  #peer;
  #initiator;
  /** @type {import("../backlog.js").Claim} */
  #claim;
  /** Whether the other side can know of the session. */
  #met = false;
  #ended = false;
  #over = new AbortController();
  /** Asked for before the offer has come, whose session it needs. @type {object[]} */
  #early = [];

  /**
   * @param {import("../room.js").Room} room
   * @param {string} to
   * @param {SimplePeerLike} peer
   * @param {boolean} initiator
   * @param {string | undefined} session
   */
  constructor(room, to, peer, initiator, session) {
    this.#room = room;
    this.#to = to;
    this.#peer = peer;
    this.#initiator = initiator;
    this.#claim = { peer: to, session, take: (signal) => this.#take(signal), unread: () => this.#unread() };

    const { signal } = this.#over;
    /** @param {string} event @param {(detail: any) => void} handler */
    const on = (event, handler) => room.addEventListener(event, (told) => handler(/** @type {CustomEvent} */ (told).detail), { signal });
    on("signal", (told) => told.from === to && told.type === REQUEST && told.session === this.#claim.session && this.#hand(told.data));
    on("session-ended", (told) => told.session === this.#claim.session && this.#end(told.reason, "them", told.data));
    on("peer-left", (told) => told.peer === to && this.#end(told.reason, "them"));
    on("rejoined", () => this.#end("unknown", "them"));
    on("end", () => room.end && this.#end(room.end.reason, room.end.reason === "left" || room.end.reason === "closed" ? "us" : "them"));

    peer.on("signal", (data) => void this.#send(data));
    peer.on("close", () => void this.#closed());
    room.backlog.claim(this.#claim);
    // Not before the caller had its turn, which wants to hear of it.
    queueMicrotask(() => this.#unread());
  }

  /** Who has another key than this side can't be connected with. */
  #unread() {
    const error = this.#room.problems.get(this.#to);
    if (error && KEYLESS.has(error.slug) && !this.#peer.connected) this.#end(error.slug, "them");
  }

  /** @param {import("../backlog.js").Incoming} signal */
  #take({ type, session, data }) {
    if (type !== "candidate") {
      this.#claim.session ??= session;
      this.#met = true;
      this.#hand({ type, sdp: data?.sdp });
      for (const request of this.#early.splice(0)) void this.#send(request);
      return;
    }
    for (const candidate of Array.isArray(data) ? data : [data]) {
      // simple-peer knows no end of candidates.
      if (candidate?.candidate) this.#hand({ type, candidate });
    }
  }

  /** @param {any} data */
  #hand(data) {
    if (!this.#peer.destroyed) this.#peer.signal(data);
  }

  /** @param {any} data What simple-peer wants the other side to have. */
  async #send(data) {
    if (this.#ended) return;
    const { session } = this.#claim;
    if (session === undefined) return void this.#early.push(data);
    const type = data.type === "offer" || data.type === "answer" || data.type === "candidate" ? data.type : REQUEST;
    this.#met = true;
    try {
      await this.#room.send({ to: this.#to, type, session, data: type === "candidate" ? data.candidate : data }, { signal: this.#over.signal });
    } catch (thrown) {
      if (this.#over.signal.aborted) return;
      const error = asError(thrown);
      if (GONE.has(error.slug)) this.#end(error.reason ?? error.slug, "them");
      else this.#peer.destroy(error);
    }
  }

  /** The connection is closed: by the application, by a failure, or because the other side closed its own first. */
  async #closed() {
    if (this.#ended) return;
    this.#ended = true;
    this.#release();
    const { session } = this.#claim;
    const room = this.#room;
    const to = this.#to;
    /** @param {string | undefined} ended */
    const bye = (ended) => room.send({ to, type: "bye", session: ended });
    /** @type {Ended} */
    let end = { reason: "hangup", by: "us" };
    if (session !== undefined && this.#met) {
      try {
        await bye(session);
      } catch (thrown) {
        const { slug, reason } = asError(thrown);
        // Of an offer that was taken back the server knows nothing.
        if (slug !== "unknown-session") end = { reason: reason ?? slug, by: "them" };
      }
    } else if (!this.#initiator) {
      // The offer may be on its way: it is refused when it comes, so that the other side does not wait for ever.
      room.backlog.decline(to, (offered) => void bye(offered).catch(() => {}));
    }
    this.#peer.emit("ended", end);
  }

  /** @param {string} reason @param {"us" | "them"} by @param {unknown} [data] */
  #end(reason, by, data) {
    if (this.#ended) return;
    this.#ended = true;
    this.#release();
    this.#peer.emit("ended", { reason, by, ...(data === undefined ? {} : { data }) });
    this.#peer.destroy();
  }

  #release() {
    this.#over.abort();
    this.#room.backlog.release(this.#claim);
  }
}
