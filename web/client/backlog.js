/**
 * Signals of negotiations, each led to the call it belongs to, or kept until there is one.
 *
 * An application may set up its call before or after the offer arrives; both work because of this.
 */

/** Signals kept, in all and of one peer: some negotiations' worth. */
const KEPT = 512;
const KEPT_OF_ONE = 128;
/** An offer that was on its way when its call was given up comes within this time. */
const DECLINE_MS = 10_000;
const TYPES = new Set(["offer", "answer", "candidate"]);

/**
 * @typedef {{from: string, type: string, session?: string, data: any, id?: string}} Incoming
 *
 * @typedef {object} Claim
 * @property {string} peer
 * @property {string | undefined} session Undefined while the call waits for its first offer.
 * @property {(signal: Incoming) => void} take
 * @property {(error: import("./error.js").SwitchboardError) => void} [unread] Something of that peer's can't be read.
 */

export class Backlog {
  /** @type {Set<Claim>} */
  #claims = new Set();
  /** @type {Map<string, Incoming[]>} */
  #kept = new Map();
  /** Peers whose next new session is not wanted for now. @type {Map<string, {refuse: (session: string) => void, until: number}>} */
  #declined = new Map();

  /** From now on the claim's signals go to it, those that are kept first. @param {Claim} claim */
  claim(claim) {
    this.#claims.add(claim);
    this.#declined.delete(claim.peer);
    const kept = this.#kept.get(claim.peer) ?? [];
    this.#kept.delete(claim.peer);
    for (const signal of kept) this.deliver(signal);
  }

  /** Whether a call is under way. */
  get claimed() {
    return this.#claims.size > 0;
  }

  /** @param {Claim} claim */
  release(claim) {
    this.#claims.delete(claim);
  }

  /** The next session that this peer offers within a while goes to `refuse`, unless it is claimed before. @param {string} peer @param {(session: string) => void} refuse */
  decline(peer, refuse) {
    this.#declined.set(peer, { refuse, until: Date.now() + DECLINE_MS });
  }

  /** @param {Incoming} signal */
  deliver(signal) {
    if (!TYPES.has(signal.type)) return;
    const claim = this.#find(signal);
    if (claim) return claim.take(signal);
    const declined = this.#declined.get(signal.from);
    if (declined && signal.type === "offer" && signal.session) {
      this.#declined.delete(signal.from);
      if (Date.now() < declined.until) return declined.refuse(signal.session);
    }
    this.#keep(signal);
  }

  /** @param {string} peer @param {import("./error.js").SwitchboardError} error */
  unread(peer, error) {
    for (const claim of [...this.#claims]) if (claim.peer === peer) claim.unread?.(error);
  }

  /** @param {string} session */
  sessionEnded(session) {
    for (const [peer, kept] of this.#kept) {
      const rest = kept.filter((signal) => signal.session !== session);
      if (rest.length > 0) this.#kept.set(peer, rest);
      else this.#kept.delete(peer);
    }
  }

  /** @param {string} peer */
  peerLeft(peer) {
    this.#kept.delete(peer);
    this.#declined.delete(peer);
  }

  clear() {
    this.#kept.clear();
    this.#declined.clear();
  }

  /** @param {Incoming} signal */
  #find({ from, session, type }) {
    const claims = [...this.#claims].filter(({ peer }) => peer === from);
    const known = claims.find((claim) => claim.session !== undefined && claim.session === session);
    if (known) return known;
    // Candidates may come before their offer; a waiting call keeps them.
    return claims.find((claim) => claim.session === undefined && type !== "answer");
  }

  /** @param {Incoming} signal */
  #keep(signal) {
    const kept = this.#kept.get(signal.from) ?? [];
    // Beyond the bounds a negotiation is given up whole, the oldest first: half of one is of no use.
    if (kept.length >= KEPT_OF_ONE) kept.length = 0;
    kept.push(signal);
    this.#kept.delete(signal.from);
    this.#kept.set(signal.from, kept);
    let count = 0;
    for (const { length } of this.#kept.values()) count += length;
    for (const [peer, { length }] of this.#kept) {
      if (count <= KEPT) break;
      this.#kept.delete(peer);
      count -= length;
    }
  }
}
