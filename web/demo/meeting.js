/**
 * Everybody in one room, each connected with each: who is here, the call with each of them, and what was
 * said. Knows the client library and no element of the page.
 */

import { connect, join } from "../client/switchboard.js";
import { word } from "../client/random.js";
import { KEYLESS } from "../client/secrecy.js";
import { callEnded, gone, unread } from "./words.js";

const CHAT = "chat";
/** Asks the other side to set up a call anew after one of the two had hung up. */
const CALL_AGAIN = "call-again";
/** Asks the other side for a second call, in the session that it names, which is to take the place of the first. */
const MOVE = "call-move";
/** A call that is not up within this time does not take another's place. */
const MOVE_MS = 15_000;
/** What was on its way through the former call gets this time. One side hangs up; the other only where that did not happen. */
const HANGUP_MS = { initiator: 1500, other: 8000 };
/** Ends of a call between two who stay in the room. */
const ENDS_ALONE = new Set(["hangup", "failed", "rate-limited"]);
/** The least time between two moves. */
const SETTLE_MS = 1500;

/**
 * @typedef {import("../client/call.js").Call} Call
 *
 * @typedef {object} Person
 * @property {string} peer
 * @property {string} name
 * @property {{name?: string, mic?: boolean, camera?: boolean}} meta
 * @property {"live"|"away"|"gone"} presence what the server knows of them
 * @property {"connecting"|"connected"|"disconnected"|"failed"|"ended"} state what became of the call with them
 * @property {string|null} reason why they are gone, or why the call ended
 * @property {"us"|"them"} by whose doing that was
 * @property {MediaStream|null} stream
 * @property {Call|null} call
 */

/**
 * Events: `person` {person} when anything about somebody changed, `said` {name, text}, `happened` {text}, `relay` {} when `relay`
 * has changed.
 * What concerns only the way to the server is left to the room's own events.
 */
export class Meeting extends EventTarget {
  /** @type {Map<string, Person>} */
  people = new Map();
  #relayOnly;
  /** Calls that are to take the place of others, and whether it was this page that asked for them. @type {Map<Person, {call: Call, ours: boolean}>} */
  #moves = new Map();
  /** How many former calls have yet to end. */
  #settling = 0;

  /** @param {import("../client/room.js").Room} room @param {MediaStream} stream @param {boolean} relayOnly */
  constructor(room, stream, relayOnly) {
    super();
    this.room = room;
    this.stream = stream;
    this.#relayOnly = relayOnly;
    this.#watch();
  }

  /**
   * @param {string} server
   * @param {string} name of the room
   * @param {MediaStream} stream
   * @param {{peer?: string, key?: string, meta: object, transport: "auto"|"sse"|"poll", relayOnly: boolean}} options
   */
  static async start(server, name, stream, { relayOnly, ...options }) {
    return new Meeting(await join(server, name, options), stream, relayOnly);
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
    const person = this.people.get(peer);
    if (!person) return;
    this.#moves.get(person)?.call.hangup();
    person.call?.hangup();
  }

  /** @param {string} peer */
  callAgain(peer) {
    const person = this.people.get(peer);
    if (!person || person.presence === "gone") return;
    this.hangup(peer);
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

  /** Whether calls run through relays alone: by this page's wish, or the room's; whether there are any; and whether calls are on the move. */
  get relay() {
    const { iceServers, iceTransportPolicy } = this.room;
    const offered = iceServers.some(({ urls }) => [urls].flat().some((url) => /^turns?:/i.test(url)));
    return { on: this.#relayOnly, locked: iceTransportPolicy === "relay", offered, moving: this.#moves.size > 0 || this.#settling > 0 };
  }

  /** Of the calls that are under way and of those to come. @param {boolean} on */
  setRelayOnly(on) {
    this.#relayOnly = on;
    this.#happened(on ? "Calls go through relays alone" : "Calls go by any way");
    for (const person of this.people.values()) {
      if (person.presence === "gone" || person.call?.state === "ended") continue;
      if (person.call?.state !== "connected" && person.call?.state !== "disconnected") this.callAgain(person.peer);
      else this.#move(person, word(), true);
    }
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
    on("signal", ({ from, type, data }) => this.#signal(from, type, data));
    on("rejoined", () => this.#happened("The server had forgotten this call. Joined again."));
  }

  /** @param {string} peer @param {string} slug */
  #unread(peer, slug) {
    this.#happened(unread(slug, this.people.get(peer)?.name ?? nameOf({ peer })));
  }

  /** @param {string} from @param {string} type @param {any} data */
  #signal(from, type, data) {
    const person = this.people.get(from);
    if (!person) return;
    const { call } = person;
    if (type === CALL_AGAIN && call?.state !== "connected") {
      call?.hangup();
      this.#call(person);
    }
    if (type === MOVE && typeof data?.session === "string" && call && call.state !== "ended") {
      const move = this.#moves.get(person);
      // Where both have asked at once, one of the two is enough.
      if (!move?.ours || !move.call.initiator) this.#move(person, data.session, false);
    }
    // An offer for a call that was given up before its session was known has been refused by the library.
    if (type === "offer" && call?.state === "ended" && call.session !== undefined) this.#call(person);
  }

  /** @param {{peer: string, meta: any, state?: string}} other */
  #welcome(other) {
    this.hangup(other.peer);
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

  /** @param {Person} person @param {string} [session] */
  #connect(person, session) {
    const call = connect(this.room, person.peer, { session, stream: this.stream, channels: [CHAT], rtcConfig: this.#relayOnly ? { iceTransportPolicy: "relay" } : {} });
    call.addEventListener("message", (told) => {
      const { channel, data } = /** @type {CustomEvent} */ (told).detail;
      if (this.people.get(person.peer) !== person || channel.label !== CHAT || typeof data !== "string") return;
      this.#tell("said", { name: person.name, text: data });
    });
    return call;
  }

  /** @param {Person} person */
  #call(person) {
    const began = performance.now();
    const call = this.#connect(person);
    person.state = "connecting";
    person.stream = null;
    const greet = () => {
      if (call.state !== "connected" || person.call !== call) return;
      call.removeEventListener("state", greet);
      this.#happened(`Connected with ${person.name} in ${((performance.now() - began) / 1000).toFixed(1)}\u00a0s`);
    };
    call.addEventListener("state", greet);
    // The first change is the offer that opens the session; what follows is negotiated in passing.
    call.pc.addEventListener("signalingstatechange", () => {
      if (call.state === "ended") return;
      this.#happened(call.initiator ? `Offer sent to ${person.name}` : `Offer received from ${person.name}`);
    }, { once: true });
    this.#follow(person, call);
  }

  /**
   * Sets up a second call, since no connection changes to relays while it works without. Media and words go on through the former
   * until the new one is up.
   *
   * @param {Person} person @param {string} session @param {boolean} ours whether the other side is to be asked for it
   */
  #move(person, session, ours) {
    const other = this.#moves.get(person);
    this.#moves.delete(person);
    other?.call.hangup();
    if (ours) this.room.send({ to: person.peer, type: MOVE, data: { session } }).catch(() => {});
    const former = person.call;
    const call = this.#connect(person, session);
    this.#moves.set(person, { call, ours });
    this.#tell("relay", {});
    /** @type {MediaStream|null} */
    let stream = null;
    const look = () => {
      if (this.#moves.get(person)?.call !== call) return;
      const up = call.state === "connected" && call.channels.get(CHAT)?.readyState === "open";
      if (!up && call.state !== "ended") return;
      this.#moves.delete(person);
      this.#settle();
      if (up) {
        person.state = "connected";
        person.stream = stream ?? person.stream;
        this.#follow(person, call);
        setTimeout(() => former?.hangup(), call.initiator ? HANGUP_MS.initiator : HANGUP_MS.other);
      } else if (former?.state === "connected") this.#happened(`No other way to ${person.name} was found. The connection stays as it is.`);
    };
    call.addEventListener("track", (told) => (stream = /** @type {CustomEvent} */ (told).detail.streams[0] ?? stream));
    for (const event of ["state", "channel"]) call.addEventListener(event, look);
    setTimeout(() => this.#moves.get(person)?.call === call && call.hangup(), MOVE_MS);
  }

  /** The other side may be a little later; nothing else is begun meanwhile. */
  #settle() {
    this.#settling += 1;
    setTimeout(() => {
      this.#settling -= 1;
      this.#tell("relay", {});
    }, SETTLE_MS);
  }

  /** From now on it is the call with them. @param {Person} person @param {Call} call */
  #follow(person, call) {
    person.call = call;
    person.reason = null;
    /** @param {string} event @param {(detail: any) => void} handler */
    const on = (event, handler) => call.addEventListener(event, (told) => {
      // What an older call still has to say no longer concerns anybody.
      if (person.call !== call || this.people.get(person.peer) !== person) return;
      handler(/** @type {CustomEvent} */ (told).detail);
      this.#tell("person", { person });
    });
    on("state", ({ state }) => {
      if (person.presence !== "gone") person.state = state === "new" ? "connecting" : state;
      if (state === "failed") this.#happened(`No network path to ${person.name}`);
    });
    on("track", ({ streams }) => {
      person.stream = streams[0] ?? person.stream;
    });
    // The page looks at its channels whenever something is told of a person.
    on("channel", () => {});
    on("ended", ({ reason, by }) => {
      if (person.presence === "gone") return;
      person.state = "ended";
      person.reason = reason;
      person.by = by;
      // Of somebody who left, the room tells the same in a moment; of keys that differ it has.
      if (ENDS_ALONE.has(reason)) this.#happened(callEnded(reason, by, person.name));
    });
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
