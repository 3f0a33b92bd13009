/**
 * A transport for trystero: its topics over one Switchboard room.
 *
 *     import { createTopicStrategy } from "@trystero-p2p/core";
 *     const joinRoom = createTopicStrategy(trysteroTransport({ url, room: "lobby" }));
 *
 * Topics are hashes and what is published is encrypted by trystero, so the server learns neither the names of
 * trystero's rooms nor the descriptions.
 */

import { join } from "../switchboard.js";

/** The signals that carry topics. */
const TYPE = "topic";
/** Between two announcements to all in the room, once the first have gone. */
const ANNOUNCE_MS = 15_000;
/** Topics that one peer may call its own; what is for an older one goes to all in the room. */
const HOMES_PER_PEER = 64;

/**
 * @typedef {Record<string, any> | string} Message As trystero hands it over.
 * @typedef {(topic: string, message: any) => void | Promise<void>} Listener
 * @typedef {{kind: string, selfTopic: string}} PublishContext
 *
 * @typedef {import("../switchboard.js").JoinOptions & {url: string | URL, room: string}} TrysteroOptions
 */

/**
 * @param {TrysteroOptions} options The server, the room that carries the topics, and what else `join` takes.
 * @returns what `createTopicStrategy` takes
 */
export function trysteroTransport({ url, room, ...options }) {
  /** @type {Promise<Topics> | undefined} */
  let opening;
  return {
    /** A connection that fails is tried again at the next announcement; trystero's own pause is a minute. */
    steadyAnnounceIntervalMs: ANNOUNCE_MS,
    /** Each page is a peer of its own, which no reload brings back: trystero makes a new id, too. */
    init: () => (opening = join(url, room, { remember: false, ...options }).then((joined) => new Topics(joined))),
    /** @param {Topics} topics @param {string} topic @param {Listener} listener */
    subscribeTopic: (topics, topic, listener) => topics.subscribe(topic, listener),
    /** @param {Topics} topics @param {string} topic @param {Message} message @param {PublishContext} context */
    publishTopic: (topics, topic, message, { kind, selfTopic }) => topics.publish(topic, message, selfTopic, kind === "announce"),
    /** Once the server has been told that trystero has left its last room: what a process waits for before it ends. */
    left: async () => (await opening)?.left,
  };
}

export class Topics {
  /** The room underneath. @type {import("../room.js").Room} */
  room;
  /** Settles when the room has been left. @type {Promise<void>} */
  left;
  /** @type {() => void} */
  #leave = () => {};
  /** @type {Map<string, Set<Listener>>} */
  #listeners = new Map();
  /** The topics that each peer of the room says are for it alone, the oldest first. @type {Map<string, Set<string>>} */
  #homes = new Map();

  /** @param {import("../room.js").Room} room */
  constructor(room) {
    this.room = room;
    this.left = new Promise((resolve) => (this.#leave = () => resolve(room.leave())));
    room.addEventListener("signal", (event) => this.#hear(/** @type {CustomEvent} */ (event).detail));
    room.addEventListener("peer-left", (event) => {
      this.#homes.delete(/** @type {CustomEvent} */ (event).detail.peer);
    });
  }

  /** @param {string} topic @param {Listener} listener @returns {() => void} */
  subscribe(topic, listener) {
    const listeners = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(topic) === listeners) this.#listeners.delete(topic);
      // trystero makes a new client when it joins again after its last room.
      if (this.#listeners.size === 0) this.#leave();
    };
  }

  /**
   * @param {string} topic
   * @param {Message} message
   * @param {string} home The topic that only this peer hears.
   * @param {boolean} toAll For all in the room, whoever says that the topic is theirs.
   */
  async publish(topic, message, home, toAll) {
    const signal = { type: TYPE, data: { topic, home, message } };
    // Anybody can say that a topic is theirs, but nobody takes it from another by that.
    const homes = toAll ? [] : [...this.#homes.keys()].filter((peer) => this.#homes.get(peer)?.has(topic));
    // trystero announces again and again, so what finds nobody needs no repetition.
    await this.room.send(homes.length > 0 ? homes.map((to) => ({ to, ...signal })) : signal).catch(() => {});
  }

  /** @param {{from: string, type: string, data: any}} signal */
  #hear({ from, type, data }) {
    if (type !== TYPE || typeof data?.topic !== "string") return;
    if (typeof data.home === "string") this.#noteHome(data.home, from);
    for (const listener of this.#listeners.get(data.topic) ?? []) void listener(data.topic, data.message);
  }

  /** @param {string} topic @param {string} peer */
  #noteHome(topic, peer) {
    const topics = this.#homes.get(peer) ?? new Set();
    topics.delete(topic);
    this.#homes.set(peer, topics.add(topic));
    if (topics.size > HOMES_PER_PEER) topics.delete(topics.values().next().value ?? "");
  }
}
