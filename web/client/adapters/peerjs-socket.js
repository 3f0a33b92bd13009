/** What PeerJS takes for its WebSocket: PeerServer's dialect on one side, a room on the other. */

import { asError } from "../error.js";
import { giveUp, leave, take } from "./peerjs-seat.js";

/** How long an offer waits for its recipient to come, as PeerServer lets it. */
const PATIENCE_MS = 5_000;
/** PeerJS negotiates once a connection; this long after the answer its last candidate has gone. */
const NEGOTIATED_MS = 60_000;
/** Tells that a peer goes away from here alone, and keeps its connections. */
const DISCONNECT = "peerjs-disconnect";
/** @type {Record<string, string>} */
const TYPES = { OFFER: "offer", ANSWER: "answer", CANDIDATE: "candidate" };
/** @type {Record<string, string>} */
const MESSAGES = { offer: "OFFER", answer: "ANSWER", candidate: "CANDIDATE" };

/** @typedef {{type: string, src?: string, dst?: string, payload?: any}} Message  PeerServer's dialect. */

/** PeerJS allows blanks in its ids, the server does not; a tilde stands in none of PeerJS' own. @param {string} id */
const encode = (id) => id.replace(/[^A-Za-z0-9._-]/g, (char) => `~${char.charCodeAt(0).toString(16)}.`);
/** What was not written by `encode` stands for itself, so that no peer passes for another. @param {string} peer */
function decode(peer) {
  const id = peer.replace(/~([0-9a-f]{1,4})\./g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
  return encode(id) === peer ? id : peer;
}

/** As much of a WebSocket as PeerJS knows. */
export class PeerJsSocket extends EventTarget {
  /** Those that are open in this page. @type {Set<PeerJsSocket>} */
  static open = new Set();
  /** @type {((event: Event) => void) | null} */
  onopen = null;
  /** @type {((event: MessageEvent) => void) | null} */
  onmessage = null;
  /** @type {((event: Event) => void) | null} */
  onclose = null;
  /** @type {((event: Event) => void) | null} */
  onerror = null;
  readyState = 0;
  url;
  #id;
  #key;
  /** @type {Promise<import("../room.js").Room>} */
  #joining;
  /** @type {import("../room.js").Room | null} */
  #room = null;
  /** Marks the page as one with calls, so that it says goodbye when it goes. @type {import("../backlog.js").Claim} */
  #claim = { peer: "", session: "", take: () => {} };
  /** Messages to peers that are not there yet. @type {Map<string, {messages: Message[], timer: ReturnType<typeof setTimeout>}>} */
  #waiting = new Map();
  /** Peers that said that they only disconnect. @type {Set<string>} */
  #disconnecting = new Set();
  /** The ids of the connections with each peer. @type {Map<string, Set<string>>} */
  #connections = new Map();
  /** @type {Set<ReturnType<typeof setTimeout>>} */
  #timers = new Set();

  /** @param {URL} url @param {import("./peerjs.js").PeerJsOptions} options */
  constructor(url, options) {
    super();
    this.url = url.href;
    this.#id = url.searchParams.get("id") ?? "";
    this.#key = `${options.url} ${options.room} ${this.#id}`;
    const { url: server, room, ...others } = options;
    this.#joining = take(this.#key, server, room, { ...others, peer: encode(this.#id) });
    void this.#open();
  }

  /** Who is in the room, in PeerJS' words. */
  get peers() {
    return this.#room ? [this.#id, ...[...this.#room.peers.keys()].map(decode)] : [];
  }

  /** @param {string} text */
  send(text) {
    if (this.readyState !== 1) return;
    /** @type {Message} */
    const message = JSON.parse(text);
    const { type, dst } = message;
    if (!TYPES[type] || !dst) return;
    if (type === "OFFER") this.#note(dst, message.payload);
    const waiting = this.#waiting.get(dst);
    if (waiting) waiting.messages.push(message);
    else if (this.#room?.peers.has(encode(dst))) void this.#pass(message, dst);
    else this.#wait(message, dst);
  }

  close() {
    if (this.readyState >= 2) return;
    this.readyState = 2;
    const room = this.#room;
    // With PeerJS the connections outlive the one to the server; the others are told that this is no end.
    void room?.send({ type: DISCONNECT }).catch(() => {});
    if (room) leave(this.#key, room);
    else giveUp(this.#key, this.#joining);
    this.#shut();
  }

  async #open() {
    try {
      const room = await this.#joining;
      if (this.readyState !== 0) return;
      this.#attach(room);
    } catch (thrown) {
      if (this.readyState !== 0) return;
      const { slug, message, passing } = asError(thrown);
      if (slug === "peer-exists") this.#tell({ type: "ID-TAKEN", payload: { msg: "ID is taken" } });
      else if (!passing) this.#tell({ type: "ERROR", payload: { msg: message } });
      this.#emit("error", new Event("error"));
      this.#shut();
    }
  }

  /** @param {import("../room.js").Room} room */
  #attach(room) {
    this.#room = room;
    PeerJsSocket.open.add(this);
    room.backlog.claim(this.#claim);
    /** @param {string} event @param {(detail: any) => void} handler */
    const on = (event, handler) => room.addEventListener(event, (told) => this.readyState === 1 && handler(/** @type {CustomEvent} */ (told).detail));
    on("signal", (signal) => this.#hear(signal));
    on("peer-joined", ({ peer }) => {
      this.#disconnecting.delete(peer);
      this.#arrived(decode(peer));
    });
    on("peer-left", ({ peer, reason }) => {
      const disconnected = this.#disconnecting.delete(peer) && reason === "left";
      // Of those whom the server has merely forgotten only the connections themselves can tell.
      if (!disconnected && reason !== "unknown") this.#gone(decode(peer));
    });
    on("end", () => room.end && this.#shut());
    this.readyState = 1;
    this.#emit("open", new Event("open"));
    this.#tell({ type: "OPEN" });
  }

  /** @param {{from: string, type: string, session?: string, data: any}} signal */
  #hear({ from, type, session, data }) {
    // Nobody here claims what the room keeps for calls that are still to be made.
    this.#room?.backlog.clear();
    if (type === DISCONNECT) this.#disconnecting.add(from);
    const message = MESSAGES[type];
    if (!message) return;
    if (type === "offer") this.#note(decode(from), data);
    if (type === "answer") this.#settle(from, session);
    this.#tell({ type: message, src: decode(from), dst: this.#id, payload: data });
  }

  /** @param {string} peer @param {any} payload Of an offer. */
  #note(peer, payload) {
    if (typeof payload?.connectionId !== "string") return;
    this.#connections.set(peer, (this.#connections.get(peer) ?? new Set()).add(payload.connectionId));
  }

  /** Makes PeerJS close its connections with a peer. @param {string} src */
  #gone(src) {
    // At a LEAVE it closes every other one only. An offer of no known kind closes the one that it names.
    for (const connectionId of this.#connections.get(src) ?? []) this.#tell({ type: "OFFER", src, dst: this.#id, payload: { connectionId, type: "none" } });
    this.#connections.delete(src);
    this.#tell({ type: "LEAVE", src, dst: this.#id });
  }

  /** Ends a session whose negotiation is over: the server keeps few of them open for one peer. @param {string} to @param {string} [session] */
  #settle(to, session) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      void this.#room?.send({ to, type: "bye", session }).catch(() => {});
    }, NEGOTIATED_MS);
    this.#timers.add(timer);
  }

  /** @param {Message} message @param {string} dst */
  async #pass(message, dst) {
    const { type, payload } = message;
    const session = encode(String(payload?.connectionId ?? "")).slice(0, 64);
    try {
      await this.#room?.send({ to: encode(dst), type: TYPES[type], ...(session ? { session } : {}), data: payload });
    } catch (thrown) {
      if (this.readyState !== 1) return;
      const { slug } = asError(thrown);
      if (slug === "unknown-peer" || slug === "peer-left") this.#wait(message, dst);
      else if (type === "OFFER") this.#expire(dst);
    }
  }

  /** @param {Message} message @param {string} dst */
  #wait(message, dst) {
    const known = this.#waiting.get(dst);
    if (known) return void known.messages.push(message);
    const messages = [message];
    const timer = setTimeout(() => {
      this.#waiting.delete(dst);
      // The last candidates to one who has left need no complaint.
      if (messages.some(({ type }) => type === "OFFER")) this.#expire(dst);
    }, PATIENCE_MS);
    this.#waiting.set(dst, { messages, timer });
  }

  /** @param {string} dst */
  #arrived(dst) {
    const waiting = this.#waiting.get(dst);
    if (!waiting) return;
    clearTimeout(waiting.timer);
    this.#waiting.delete(dst);
    for (const message of waiting.messages) void this.#pass(message, dst);
  }

  /** @param {string} dst */
  #expire(dst) {
    this.#tell({ type: "EXPIRE", src: dst, dst: this.#id });
  }

  #shut() {
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
    for (const timer of this.#timers) clearTimeout(timer);
    this.#waiting.clear();
    this.#timers.clear();
    PeerJsSocket.open.delete(this);
    this.#room?.backlog.release(this.#claim);
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.#emit("close", new Event("close"));
  }

  /** @param {Message} message */
  #tell(message) {
    this.#emit("message", new MessageEvent("message", { data: JSON.stringify(message) }));
  }

  /** @param {"open" | "message" | "close" | "error"} name @param {any} event */
  #emit(name, event) {
    this[`on${name}`]?.(event);
    this.dispatchEvent(event);
  }
}
