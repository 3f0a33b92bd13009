/**
 * Perfect negotiation over any way that keeps the order of what it carries. Knows nothing of rooms.
 *
 * Both sides may change what they send at any time. Where two offers cross, the polite side rolls its own back
 * and the impolite one ignores the other's.
 */

import { Recovery, isUp } from "./recovery.js";
import { sleep } from "./backoff.js";

/** Candidates that are found within this time travel together. The first goes at once. */
const TRICKLE_MS = 50;
/** Candidates kept for a description that has not come yet. */
const EARLY_KEPT = 256;
/** An offer that is not answered within this time is sent again, then after twice as long. */
const ANSWER_MS = 8_000;
const ANSWER_LAST_MS = 60_000;
/** Fresh servers are not waited for any longer. */
const PREPARE_MS = 4_000;
/** ICE connected and the connection failed, for this long: DTLS has failed, which no restart mends. */
const DOOMED_MS = 2_000;
/** User name fragments of the other side's former descriptions that are remembered. */
const PAST_KEPT = 32;

/**
 * @typedef {object} Description
 * @property {RTCSdpType} type
 * @property {string} sdp
 * @property {number} [round] Which of its sender's offers it is, or answers. Peers that know nothing of it leave it out.
 *
 * @typedef {Description | RTCIceCandidateInit[]} Message  A description, or a batch of candidates.
 *
 * @typedef {object} Manner
 * @property {boolean} polite
 * @property {boolean} initiator Whether this side makes the first offer; the other waits for it.
 * @property {(message: Message) => unknown} send May return a promise; the next message waits for nothing.
 * @property {(error: unknown) => void} [failed] A description could not be applied or made.
 * @property {() => unknown} [beforeRestart] Awaited before an ICE restart, to set fresh servers.
 * @property {() => boolean} [reachable] Whether the other side would hear of a restart now; while not, none is made.
 * @property {() => void} [gaveUp] No path was found, however often.
 * @property {() => void} [noFirstPath] No path has been found so far, and the browser says nothing of it.
 */

/** @param {RTCPeerConnection} pc @param {Manner} manner */
export function negotiate(pc, manner) {
  return new Negotiation(pc, manner);
}

export class Negotiation {
  #pc;
  #manner;
  #closed = false;
  #makingOffer = false;
  /** While a description of ours is made, its candidates wait for it. */
  #describing = 0;
  #ignoreOffer = false;
  /** Whether the first offer has been made or has come. */
  #begun;
  /** What arrives is worked through one by one. @type {Promise<void>} */
  #work = Promise.resolve();
  /** Found here and not sent yet. @type {RTCIceCandidateInit[]} */
  #found = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #trickle;
  /** Come from there before their description. @type {RTCIceCandidateInit[]} */
  #early = [];
  /** Fragments whose candidates come too late. @type {Set<string>} */
  #past = new Set();
  /** The number of this side's last offer. */
  #round = 0;
  /** The last answer given to an offer with a number. @type {Description | undefined} */
  #answered;
  #answerMs = ANSWER_MS;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #unanswered;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #doomed;
  #recovery;
  #listening = new AbortController();

  /** @param {RTCPeerConnection} pc @param {Manner} manner */
  constructor(pc, manner) {
    this.#pc = pc;
    this.#manner = manner;
    this.#begun = manner.initiator;
    this.#recovery = new Recovery({
      polite: manner.polite,
      reachable: () => this.#reachable(),
      attempt: (fresh) => void this.#restart(fresh),
      giveUp: () => manner.gaveUp?.(),
      isUp: () => this.#isUp,
      noFirstPath: () => manner.noFirstPath?.(),
    });
    const { signal } = this.#listening;
    pc.addEventListener("negotiationneeded", () => void this.#offer(), { signal });
    pc.addEventListener("icecandidate", ({ candidate }) => this.#find(candidate), { signal });
    pc.addEventListener("connectionstatechange", () => this.#watch(), { signal });
    pc.addEventListener("iceconnectionstatechange", () => this.#watch(), { signal });
  }

  /** Makes the first offer even where there is nothing to send or receive yet. */
  start() {
    if (this.#manner.initiator && this.#pc.signalingState === "stable" && !this.#pc.localDescription) void this.#offer();
  }

  /**
   * Takes in what the other side sent.
   *
   * @param {Message} message
   * @returns {Promise<void>} settles when it has been worked in; never rejects.
   */
  receive(message) {
    this.#work = this.#work.then(() => this.#receive(message)).catch((error) => this.#fail(error));
    return this.#work;
  }

  /** Looks for new paths, as after a change of network. */
  restart() {
    if (this.#met) this.#recovery.changed();
  }

  /** The other side is `reachable` again. @param {boolean} ours Whether it was this side's signaling that was cut. */
  reachableAgain(ours) {
    this.#recovery.back(ours);
  }

  close() {
    this.#closed = true;
    this.#listening.abort();
    clearTimeout(this.#trickle);
    clearTimeout(this.#unanswered);
    clearTimeout(this.#doomed);
    this.#recovery.close();
    this.#found = [];
    this.#early = [];
  }

  async #offer() {
    if (this.#closed || !this.#begun) return;
    try {
      this.#makingOffer = true;
      await this.#describe();
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#makingOffer = false;
    }
  }

  /** Makes the description that the signaling state calls for, and sends it before its candidates. @param {number} [round] that of the offer it answers */
  async #describe(round) {
    this.#describing += 1;
    try {
      await this.#pc.setLocalDescription();
      if (!this.#closed) this.#tell(round);
    } finally {
      this.#describing -= 1;
    }
    this.#flush();
  }

  /** Sends the description that was made. @param {number} [round] */
  #tell(round) {
    const local = this.#pc.localDescription;
    if (!local) return;
    const { type, sdp } = local;
    if (type === "offer") {
      this.#send({ type, sdp, round: (this.#round += 1) });
      this.#answerMs = ANSWER_MS;
      this.#awaitAnswer();
    } else {
      const answer = { type, sdp, ...(round === undefined ? {} : { round }) };
      this.#answered = round === undefined ? undefined : answer;
      this.#send(answer);
    }
  }

  #awaitAnswer() {
    clearTimeout(this.#unanswered);
    this.#unanswered = setTimeout(() => {
      this.#answerMs = Math.min(ANSWER_LAST_MS, this.#answerMs * 2);
      if (this.#repeat()) this.#awaitAnswer();
    }, this.#answerMs);
  }

  /**
   * Sends again what got no answer, word for word: whichever of the two is answered, the answer fits. The very first
   * offer waits until the other side is ready for it.
   *
   * @returns {boolean} whether an answer is still due
   */
  #repeat() {
    const { localDescription: local, signalingState } = this.#pc;
    if (this.#closed || !local || signalingState !== "have-local-offer") return false;
    if (this.#met && this.#reachable()) this.#send({ type: local.type, sdp: local.sdp, round: this.#round });
    return true;
  }

  /** @param {Message} message */
  async #receive(message) {
    if (this.#closed) return;
    if (Array.isArray(message)) {
      for (const candidate of message) await this.#add(candidate);
      return;
    }
    const pc = this.#pc;
    const isOffer = message.type === "offer";
    if (!isOffer) {
      // An answer to an offer that was rolled back, or answered before.
      if (pc.signalingState !== "have-local-offer" || (message.round ?? this.#round) !== this.#round) return;
    } else if (message.round !== undefined && message.round === this.#answered?.round) {
      // They have not had the answer.
      return this.#send(this.#answered);
    }
    const ready = !this.#makingOffer && pc.signalingState === "stable";
    this.#ignoreOffer = isOffer && !ready && !this.#manner.polite;
    if (this.#ignoreOffer) return;
    this.#begun = true;
    const former = ufragsIn(pc.remoteDescription?.sdp);
    // An offer that meets one of our own rolls ours back by itself.
    // Firefox answers an ICE restart by taking the active part in DTLS, even where the other side has it, which ends media or the
    // call. An offer that keeps that part to its sender leaves no choice.
    const theirs = isOffer && pc.currentRemoteDescription?.sdp.includes("a=setup:active");
    await pc.setRemoteDescription({ type: message.type, sdp: theirs ? message.sdp.replaceAll("a=setup:actpass", "a=setup:active") : message.sdp });
    if (this.#closed) return;
    const restarted = this.#outdate(former);
    if (!isOffer) this.#recovery.answered();
    else if (restarted) this.#recovery.theirs();
    this.#recovery.described();
    for (const candidate of this.#early.splice(0)) await this.#add(candidate);
    // An offer that was about to be made here has become the answer already.
    if (isOffer && pc.signalingState === "have-remote-offer") await this.#describe(message.round);
  }

  /** Candidates of these fragments are late from now on. @param {string[]} former @returns {boolean} whether there are any */
  #outdate(former) {
    const present = ufragsIn(this.#pc.remoteDescription?.sdp);
    const gone = former.filter((fragment) => !present.includes(fragment));
    for (const fragment of gone) this.#past.add(fragment);
    for (const fragment of this.#past) {
      if (this.#past.size > PAST_KEPT || present.includes(fragment)) this.#past.delete(fragment);
    }
    return gone.length > 0;
  }

  /** @param {RTCIceCandidateInit} candidate */
  async #add(candidate) {
    const remote = this.#pc.remoteDescription;
    const fragment = candidate.usernameFragment ?? ufragIn(candidate.candidate);
    if (fragment && this.#past.has(fragment)) return;
    if (!remote || (fragment && !ufragsIn(remote.sdp).includes(fragment))) {
      // Its description is still to come, or was an offer that lost against ours.
      this.#early.push(candidate);
      if (this.#early.length > EARLY_KEPT) this.#early.shift();
      return;
    }
    try {
      await this.#pc.addIceCandidate(candidate);
    } catch (error) {
      // Not every browser takes the empty candidate that ends the list.
      if (!this.#ignoreOffer && candidate.candidate) this.#fail(error);
    }
  }

  /** @param {RTCIceCandidate | null} candidate null at the end of them all. */
  #find(candidate) {
    const fragment = ufragIn(this.#pc.localDescription?.sdp);
    if (candidate) this.#found.push(candidate.toJSON());
    else if (this.#found.at(-1)?.candidate !== "") this.#found.push({ candidate: "", sdpMid: "0", sdpMLineIndex: 0, ...(fragment ? { usernameFragment: fragment } : {}) });
    if (this.#trickle !== undefined) return;
    this.#flush();
  }

  #flush() {
    if (this.#closed || this.#describing > 0 || this.#found.length === 0 || this.#trickle !== undefined) return;
    this.#send(this.#found.splice(0));
    this.#trickle = setTimeout(() => {
      this.#trickle = undefined;
      this.#flush();
    }, TRICKLE_MS);
  }

  /** @param {Message} message */
  #send(message) {
    // A refusal is the sender's to deal with: it knows whether the other side is gone.
    Promise.resolve(this.#manner.send(message)).catch(() => {});
  }

  #watch() {
    this.#recovery.saw(this.#state);
    clearTimeout(this.#doomed);
    // Firefox does so once ICE has failed, even where a restart finds a path.
    if (this.#dtlsFailed) this.#doomed = setTimeout(() => this.#dtlsFailed && this.#manner.gaveUp?.(), DOOMED_MS);
  }

  /** @returns {string} */
  get #state() {
    // Older Firefox knows only the state of ICE.
    return this.#pc.connectionState ?? this.#pc.iceConnectionState;
  }

  get #isUp() {
    return isUp(this.#state);
  }

  get #dtlsFailed() {
    const { connectionState, iceConnectionState } = this.#pc;
    return connectionState === "failed" && isUp(iceConnectionState);
  }

  /** Whether there is a connection to mend. */
  get #met() {
    return this.#begun && this.#pc.remoteDescription !== null;
  }

  #reachable() {
    return this.#manner.reachable?.() ?? true;
  }

  /** @param {boolean} fresh Whether an offer that waits for its answer tells of another network. */
  async #restart(fresh) {
    try {
      // Old servers are better than no restart.
      await Promise.race([this.#manner.beforeRestart?.(), sleep(PREPARE_MS, this.#listening.signal)]);
    } catch {}
    // What has come up meanwhile needs none.
    if (this.#closed || (!fresh && this.#isUp)) return;
    // One offer at a time: an answer to the former would be taken for one to the latter by peers that know no rounds.
    const waiting = this.#repeat();
    if (fresh || !waiting) this.#pc.restartIce();
  }

  /** @param {unknown} error */
  #fail(error) {
    if (!this.#closed) this.#manner.failed?.(error);
  }
}

/** @param {string} [sdp] */
function ufragsIn(sdp) {
  return [...(sdp ?? "").matchAll(/^a=ice-ufrag:(\S+)/gm)].map(([, fragment]) => fragment);
}

/** The ICE user name fragment in a description or a candidate. @param {string} [text] */
function ufragIn(text) {
  return text?.match(/(?:a=ice-ufrag:| ufrag )([^\s]+)/)?.[1];
}
