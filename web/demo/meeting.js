/**
 * Everybody in one room, each connected with each: who is here, the call with each of them, and what was
 * said. Knows the client library and no element of the page.
 */

import { connect, join } from "../client/switchboard.js";
import { KEYLESS } from "../client/secrecy.js";
import { callEnded, gone, unread } from "./words.js";

const CHAT = "chat";
/** Asks the other side to set up a call anew after one of the two had hung up. */
const CALL_AGAIN = "call-again";

/**
 * @typedef {object} Person
 * @property {string} peer
 * @property {string} name
 * @property {{name?: string, mic?: boolean, camera?: boolean}} meta
 * @property {"live"|"away"|"gone"} presence what the server knows of them
 * @property {"connecting"|"connected"|"disconnected"|"failed"|"ended"} state what became of the call with them
 * @property {string|null} reason why they are gone, or why the call ended
 * @property {"us"|"them"} by whose doing that was
 * @property {MediaStream|null} stream
 * @property {import("../client/call.js").Call|null} call
 */

/**
 * Events: `person` {person} when anything about somebody changed, `said` {name, text}, `happened` {text}.
 * What concerns only the way to the server is left to the room's own events.
 */
export class Meeting extends EventTarget {
  /** @type {Map<string, Person>} */
  people = new Map();

  /** @param {import("../client/room.js").Room} room @param {MediaStream} stream */
  constructor(room, stream) {
    super();
    this.room = room;
    this.stream = stream;
    this.#watch();
  }

  /**
   * @param {string} server
   * @param {string} name of the room
   * @param {MediaStream} stream
   * @param {{peer?: string, key?: string, meta: object, transport: "auto"|"sse"|"poll"}} options
   */
  static async start(server, name, stream, options) {
    return new Meeting(await join(server, name, options), stream);
  }

  /** Calls those who are here already; what listens to this meeting must be in place by then. */
  greet() {
    for (const other of this.room.peers.values()) this.#welcome(other);
    for (const [peer, { slug }] of this.room.problems) this.#unread(peer, slug);
  }

  /** In what the key of this page differs from that of everybody here; null where there is anybody that it fits. @returns {string|null} */
  get differs() {
    const slugs = [...this.room.peers.keys()].map((peer) => this.room.problems.get(peer)?.slug ?? "");
    return slugs.length > 0 && slugs.every((slug) => KEYLESS.has(slug)) ? slugs[0] : null;
  }

  /** @param {string} peer */
  hangup(peer) {
    this.people.get(peer)?.call?.hangup();
  }

  /** @param {string} peer */
  callAgain(peer) {
    const person = this.people.get(peer);
    if (!person || person.presence === "gone") return;
    person.call?.hangup();
    // Goes out before the offer, so that the other side is ready for it; where they offer, it asks them to.
    this.room.send({ to: peer, type: CALL_AGAIN }).catch(() => {});
    this.#call(person);
  }

  /** Tells everyone who can hear it. @param {string} text @returns {boolean} whether anyone could */
  say(text) {
    const open = this.#open();
    for (const channel of open) channel.send(text);
    return open.length > 0;
  }

  get canSpeak() {
    return this.#open().length > 0;
  }

  leave() {
    return this.room.leave();
  }

  #open() {
    /** @type {RTCDataChannel[]} */
    const open = [];
    for (const { call } of this.people.values()) {
      const channel = call?.channels.get(CHAT);
      if (channel?.readyState === "open") open.push(channel);
    }
    return open;
  }

  #watch() {
    /** @param {string} event @param {(detail: any) => void} handler */
    const on = (event, handler) => this.room.addEventListener(event, (told) => handler(/** @type {CustomEvent} */ (told).detail));
    on("peer-joined", (other) => {
      this.#happened(`${nameOf(other)} joined`);
      this.#welcome(other);
    });
    on("peer-updated", ({ peer, meta }) => this.#change(peer, (person) => {
      person.meta = meta ?? {};
      person.name = nameOf({ peer, meta });
    }));
    on("peer-away", ({ peer }) => this.#change(peer, (person) => {
      person.presence = "away";
      this.#happened(`${person.name} is away`);
    }));
    on("peer-back", ({ peer }) => this.#change(peer, (person) => {
      person.presence = "live";
      this.#happened(`${person.name} is back`);
    }));
    on("peer-left", ({ peer, reason }) => this.#change(peer, (person) => {
      person.presence = "gone";
      person.state = "ended";
      person.reason = reason;
      person.by = "them";
      this.#happened(`${person.name} ${gone(reason)}`);
    }));
    // Of one message alone it is not known whose it was.
    on("problem", ({ peer, error, type }) => this.#unread(peer, type !== undefined && KEYLESS.has(error.slug) ? "tampered" : error.slug));
    on("signal", ({ from, type }) => this.#signal(from, type));
    on("rejoined", () => this.#happened("The server had forgotten this call. Joined again."));
  }

  /** @param {string} peer @param {string} slug */
  #unread(peer, slug) {
    this.#happened(unread(slug, this.people.get(peer)?.name ?? nameOf({ peer })));
  }

  /** @param {string} from @param {string} type */
  #signal(from, type) {
    const person = this.people.get(from);
    if (!person) return;
    const { call } = person;
    if (type === CALL_AGAIN && call?.state !== "connected") {
      call?.hangup();
      this.#call(person);
    }
    // An offer for a call that was given up before its session was known has been refused by the library.
    if (type === "offer" && call?.state === "ended" && call.session !== undefined) this.#call(person);
  }

  /** @param {{peer: string, meta: any, state?: string}} other */
  #welcome(other) {
    this.people.get(other.peer)?.call?.hangup();
    /** @type {Person} */
    const person = {
      peer: other.peer,
      name: nameOf(other),
      meta: other.meta ?? {},
      presence: other.state === "away" ? "away" : "live",
      state: "connecting",
      reason: null,
      by: "them",
      stream: null,
      call: null,
    };
    this.people.set(other.peer, person);
    this.#call(person);
  }

  /** @param {Person} person */
  #call(person) {
    const began = performance.now();
    const call = connect(this.room, person.peer, { stream: this.stream, channels: [CHAT] });
    person.call = call;
    person.state = "connecting";
    person.reason = null;
    person.stream = null;
    let connected = false;
    /** @param {string} event @param {(detail: any) => void} handler */
    const on = (event, handler) => call.addEventListener(event, (told) => {
      // What an older call still has to say no longer concerns anybody.
      if (person.call !== call || this.people.get(person.peer) !== person) return;
      handler(/** @type {CustomEvent} */ (told).detail);
      this.#tell("person", { person });
    });
    on("state", ({ state }) => {
      if (person.presence !== "gone") person.state = state === "new" ? "connecting" : state;
      if (state === "connected" && !connected) {
        connected = true;
        this.#happened(`Connected with ${person.name} in ${((performance.now() - began) / 1000).toFixed(1)}\u00a0s`);
      }
      if (state === "failed") this.#happened(`No network path to ${person.name}`);
    });
    on("track", ({ streams }) => {
      person.stream = streams[0] ?? person.stream;
    });
    // The page looks at its channels whenever something is told of a person.
    on("channel", () => {});
    on("message", ({ channel, data }) => {
      if (channel.label === CHAT && typeof data === "string") this.#tell("said", { name: person.name, text: data });
    });
    on("ended", ({ reason, by }) => {
      if (person.presence === "gone") return;
      person.state = "ended";
      person.reason = reason;
      person.by = by;
      // Of somebody who left, the room tells the same in a moment.
      if (reason === "hangup") this.#happened(callEnded(reason, by, person.name));
    });
    // The first change is the offer that opens the session; what follows is negotiated in passing.
    call.pc.addEventListener("signalingstatechange", () => {
      if (call.state === "ended") return;
      this.#happened(call.initiator ? `Offer sent to ${person.name}` : `Offer received from ${person.name}`);
    }, { once: true });
    this.#tell("person", { person });
  }

  /** @param {string} peer @param {(person: Person) => void} change */
  #change(peer, change) {
    const person = this.people.get(peer);
    if (!person) return;
    change(person);
    this.#tell("person", { person });
  }

  /** @param {string} text */
  #happened(text) {
    this.#tell("happened", { text });
  }

  /** @param {string} event @param {unknown} detail */
  #tell(event, detail) {
    this.dispatchEvent(new CustomEvent(event, { detail }));
  }
}

/** @param {{peer: string, meta?: any}} other */
function nameOf({ peer, meta }) {
  const name = typeof meta?.name === "string" ? meta.name.trim().slice(0, 40) : "";
  return name || `Guest ${peer.slice(0, 4)}`;
}
