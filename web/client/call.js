/** A call: one peer connection with one other peer of a room, set up and ended through it. */

import { SwitchboardError, asError } from "./error.js";
import { negotiate } from "./negotiation.js";
import { word } from "./random.js";
import { isUp } from "./recovery.js";
import { Reports } from "./reports.js";
import { KEYLESS } from "./secrecy.js";
import { wayOf } from "./way.js";

/**
 * @typedef {"new" | "connecting" | "connected" | "disconnected" | "failed" | "ended"} CallState
 *
 * @typedef {string | ({label: string} & RTCDataChannelInit)} ChannelWish
 *
 * @typedef {object} CallOptions
 * @property {MediaStream} [stream]
 * @property {ChannelWish[]} [channels] The same on both sides, in the same order. One named `data` where left out.
 * @property {string} [session] The id for a new session, or the one session whose offer to wait for.
 * @property {RTCConfiguration} [rtcConfig] Laid over the room's ICE servers and transport policy.
 */

/** Refusals that say that the other side, or the session with it, is no more. */
const GONE = new Set(["session-over", "session-taken", "peer-left", "unknown-peer", "unknown-session", "ended"]);

/** The end of a call between whose sides no path is found, as its events tell it and as the `bye` of the side that gives up first. */
const NO_PATH = "failed";

/** Ends of the room that this page brought about. */
const OURS = new Set(["left", "closed"]);

/** @type {Map<string, CallState>} */
const STATES = new Map([
  ["new", "new"],
  ["checking", "connecting"],
  ["connecting", "connecting"],
  ["connected", "connected"],
  ["completed", "connected"],
  ["disconnected", "disconnected"],
  ["failed", "failed"],
]);

/**
 * Sets up a call with a peer. Both sides do this; the one with the lower `order` offers. It may be done before
 * or after the other side's offer has come.
 *
 * @param {import("./room.js").Room} room
 * @param {string} peer
 * @param {CallOptions} [options]
 */
export function connect(room, peer, options = {}) {
  const other = room.peers.get(peer);
  if (!other) throw new SwitchboardError({ status: 404, slug: "unknown-peer", detail: `${peer} is not in the room` });
  return new Call(room, other, options);
}

export class Call extends EventTarget {
  /** @type {string} */
  peer;
  /** @type {RTCPeerConnection} */
  pc;
  /** Known from the start on the side that offers, from the first offer on the other. @type {string | undefined} */
  session;
  /** @type {CallState} */
  state = "new";
  /** Why it ended. @type {string | null} */
  reason = null;
  /** @type {Map<string, RTCDataChannel>} */
  channels = new Map();
  /** Whether this side makes the first offer. @type {boolean} */
  initiator;
  #room;
  /** What the application has said in place of the room. @type {Pick<RTCConfiguration, "iceServers" | "iceTransportPolicy">} */
  #own;
  #negotiation;
  /** @type {import("./backlog.js").Claim} */
  #claim;
  #over = new AbortController();
  #reports;
  /** Whether the other side can know of the session. */
  #met = false;

  /** Made by `connect`. @param {import("./room.js").Room} room @param {import("./wire.js").Peer} other @param {CallOptions} options */
  constructor(room, other, { stream, channels = ["data"], session, rtcConfig }) {
    super();
    this.#room = room;
    this.#own = { iceServers: rtcConfig?.iceServers, iceTransportPolicy: rtcConfig?.iceTransportPolicy };
    this.peer = other.peer;
    this.initiator = room.order < other.order;
    this.session = session ?? (this.initiator ? word() : undefined);
    this.pc = new RTCPeerConnection({ ...rtcConfig, ...this.#ice });
    this.#reports = new Reports((report) => this.#met && room.report({ session: this.session, ...report }), async () => wayOf(await this.pc.getStats(), this.pc));
    this.#negotiation = negotiate(this.pc, {
      polite: !this.initiator,
      initiator: this.initiator,
      send: (message) => this.#send(message),
      failed: (error) => this.#tell("problem", { error }),
      beforeRestart: () => this.#refresh(),
      reachable: () => room.state === "open" && room.peers.get(this.peer)?.state !== "away",
      gaveUp: () => this.#giveUp(),
      noFirstPath: () => this.#missPath(),
    });
    this.#watch();
    for (const [id, wish] of channels.entries()) this.#open(id, wish);
    for (const track of stream?.getTracks() ?? []) this.pc.addTrack(track, /** @type {MediaStream} */ (stream));
    this.#claim = { peer: this.peer, session: this.session, take: (signal) => this.#take(signal), unread: (error) => this.#unread(error) };
    room.backlog.claim(this.#claim);
    // Not before the caller had its turn: what it adds at once belongs into the first offer.
    queueMicrotask(() => {
      const problem = room.problems.get(this.peer);
      if (problem) this.#unread(problem);
      if (this.state !== "ended") this.#negotiation.start();
    });
  }

  /** Ends the call on both sides. @param {unknown} [data] What the other side finds in its `ended`. */
  hangup(data) {
    if (this.state === "ended") return;
    const room = this.#room;
    const { peer: to, session } = this;
    /** @param {string} ended */
    const bye = (ended) => void room.send({ to, type: "bye", session: ended, ...(data === undefined ? {} : { data }) }).catch(() => {});
    this.#end("hangup", "us");
    if (session !== undefined && this.#met) bye(session);
    // The offer may be on its way: it is refused when it comes, so that the other side does not wait for ever.
    else if (!this.initiator) room.backlog.decline(to, bye);
  }

  /** Sends these tracks in place of the present ones; no renegotiation where the kinds stay the same. @param {MediaStream | null} stream */
  async replaceStream(stream) {
    const left = [...(stream?.getTracks() ?? [])];
    /** @type {Promise<void>[]} */
    const changes = [];
    for (const { sender, receiver, direction } of this.pc.getTransceivers()) {
      if (direction === "stopped" || direction === "recvonly" || direction === "inactive") continue;
      const index = left.findIndex(({ kind }) => kind === receiver.track.kind);
      const track = index < 0 ? null : left.splice(index, 1)[0];
      if (sender.track !== track) changes.push(sender.replaceTrack(track));
    }
    await Promise.all(changes);
    for (const track of left) this.pc.addTrack(track, /** @type {MediaStream} */ (stream));
  }

  /**
   * How the connection runs just now; null while there is none.
   *
   * @returns {Promise<import("./way.js").Way | null>}
   */
  async way() {
    return this.state === "ended" ? null : wayOf(await this.pc.getStats(), this.pc);
  }

  /** @param {number} id @param {ChannelWish} wish */
  #open(id, wish) {
    const { label, ...init } = typeof wish === "string" ? { label: wish } : wish;
    // Both sides open it under the same number, so that neither has to wait for the other's word of it.
    const channel = this.pc.createDataChannel(label, { ...init, negotiated: true, id });
    channel.binaryType = "arraybuffer";
    channel.addEventListener("open", () => this.#tell("channel", { channel }));
    channel.addEventListener("message", ({ data }) => this.#tell("message", { channel, data }));
    this.channels.set(label, channel);
  }

  /** @param {import("./negotiation.js").Message} message */
  async #send(message) {
    const { peer: to, session } = this;
    const signals = Array.isArray(message)
      ? message.map((data) => ({ to, type: "candidate", session, data }))
      : [{ to, type: message.type, session, data: message }];
    this.#met = true;
    try {
      await this.#room.send(signals, { signal: this.#over.signal });
    } catch (thrown) {
      if (this.#over.signal.aborted) return;
      const error = asError(thrown);
      const gone = GONE.has(error.slug);
      if (gone || !Array.isArray(message)) this.#end(error.reason ?? error.slug, gone ? "them" : "us");
      else this.#tell("problem", { error });
    }
  }

  /** @param {import("./backlog.js").Incoming} signal */
  #take({ type, session, data }) {
    if (this.state === "ended") return;
    if (type === "candidate") return void this.#negotiation.receive(Array.isArray(data) ? data : [data]);
    if (this.session === undefined) this.session = this.#claim.session = session;
    this.#met = true;
    const round = typeof data?.round === "number" ? { round: data.round } : {};
    void this.#negotiation.receive({ type: type === "offer" ? "offer" : "answer", sdp: String(data?.sdp), ...round });
  }

  #watch() {
    const { signal } = this.#over;
    const { pc } = this;
    const room = this.#room;
    /** @param {EventTarget | undefined} target @param {string} event @param {(event: any) => void} handler */
    const on = (target, event, handler) => target?.addEventListener?.(event, handler, { signal });

    // Older Firefox knows only the state of ICE.
    const look = () => this.#become(pc.connectionState ?? pc.iceConnectionState);
    on(pc, "connectionstatechange", look);
    on(pc, "iceconnectionstatechange", look);
    const reports = this.#reports;
    on(pc, "iceconnectionstatechange", () => reports.become(pc.iceConnectionState));
    on(pc, "connectionstatechange", () => {
      if (pc.connectionState === "connected") reports.become("connected");
      // Of a path that never was Chromium says there that it was lost, and here that there is none. DTLS may fail here, too.
      if (pc.connectionState === "failed" && !isUp(pc.iceConnectionState)) reports.become("failed");
    });
    on(pc, "icegatheringstatechange", () => pc.iceGatheringState === "gathering" && reports.gather());
    on(pc, "icecandidate", ({ candidate }) => reports.find(candidate));
    on(pc, "track", ({ track, streams, transceiver }) => this.#tell("track", { track, streams, transceiver }));

    on(room, "session-ended", ({ detail }) => {
      if (this.session === undefined || detail.session !== this.session) return;
      if (detail.reason === "hangup" && detail.data?.reason === NO_PATH) return this.#end(NO_PATH, "them");
      this.#end(detail.reason, "them", detail.data);
    });
    on(room, "peer-left", ({ detail }) => detail.peer === this.peer && this.#end(detail.reason, "them"));
    on(room, "rejoined", () => this.#end("unknown", "them"));
    on(room, "end", () => room.end && this.#end(room.end.reason, OURS.has(room.end.reason) ? "us" : "them"));
    on(room, "ice-servers", () => void this.#refresh().catch(() => {}));

    let open = room.state === "open";
    on(room, "state", ({ detail }) => {
      const was = open;
      open = detail.state === "open";
      if (open && !was) this.#negotiation.reachableAgain(true);
    });
    on(room, "peer-back", ({ detail }) => detail.peer === this.peer && this.#negotiation.reachableAgain(false));
    on(globalThis.window, "online", () => this.#negotiation.restart());
    const connection = /** @type {any} */ (globalThis.navigator)?.connection;
    let kind = connection?.type;
    on(connection, "change", () => {
      // It tells of each new estimate of the speed, too.
      if (connection.type === kind) return;
      kind = connection.type;
      if (kind !== "none") this.#negotiation.restart();
    });
  }

  get #ice() {
    const { iceServers = this.#room.iceServers, iceTransportPolicy = this.#room.iceTransportPolicy } = this.#own;
    return { iceServers, iceTransportPolicy };
  }

  /** Has the next ICE restart use what is good by now. */
  async #refresh() {
    // Old servers are better than none.
    if (!this.#own.iceServers) await this.#room.freshIceServers().catch(() => {});
    if (this.state !== "ended") this.pc.setConfiguration({ ...this.pc.getConfiguration(), ...this.#ice });
  }

  /**
   * Something of theirs can't be read. Where none of it can, for want of the same key, there is nothing to wait for. One
   * message alone shows nothing, since it may have been put in on the way.
   *
   * @param {SwitchboardError} error
   */
  #unread(error) {
    if (this.state === "ended") return;
    this.#tell("problem", { error });
    if (this.#room.problems.get(this.peer) === error && KEYLESS.has(error.slug) && this.state !== "connected") this.#end(error.slug, "them");
  }

  /** Where the browser says nothing of it, this does. It is looked for on. */
  #missPath() {
    if (isUp(this.pc.iceConnectionState)) return;
    this.#reports.become("failed");
    this.#become("failed");
  }

  /** Neither side is to blame, so both are told the same. */
  #giveUp() {
    const { peer: to, session } = this;
    this.#end(NO_PATH, "them");
    void this.#room.send({ to, type: "bye", session, data: { reason: NO_PATH } }).catch(() => {});
  }

  /** @param {string} state */
  #become(state) {
    const known = STATES.get(state);
    if (known === undefined || this.state === known || this.state === "ended") return;
    this.state = known;
    this.#tell("state", { state: known });
  }

  /** @param {string} reason @param {"us" | "them"} by @param {unknown} [data] */
  #end(reason, by, data) {
    if (this.state === "ended") return;
    this.state = "ended";
    this.reason = reason;
    this.#over.abort();
    this.#room.backlog.release(this.#claim);
    this.#negotiation.close();
    this.pc.close();
    if (reason === NO_PATH) this.#reports.become("failed");
    this.#reports.become("closed");
    this.#tell("state", { state: "ended" });
    this.#tell("ended", { reason, by, ...(data === undefined ? {} : { data }) });
  }

  /** @param {string} event @param {unknown} detail */
  #tell(event, detail) {
    this.dispatchEvent(new CustomEvent(event, { detail }));
  }
}
