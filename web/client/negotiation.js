/**
 * Perfect negotiation over any way that keeps the order of what it carries. Knows nothing of rooms.
 *
 * Both sides may change what they send at any time. Where two offers cross, the polite side rolls its own back
 * and the impolite one ignores the other's.
 */

/** Candidates that are found within this time travel together. The first goes at once. */
const TRICKLE_MS = 50;
/** Candidates kept for a description that has not come yet. */
const EARLY_KEPT = 256;
/** The least time between two ICE restarts of this side, doubled with each that brought nothing. */
const RESTART_MS = 2_000;
const RESTART_LAST_MS = 30_000;

/**
 * @typedef {{type: RTCSdpType, sdp: string}} Description
 * @typedef {Description | RTCIceCandidateInit[]} Message  A description, or a batch of candidates.
 *
 * @typedef {object} Manner
 * @property {boolean} polite
 * @property {boolean} initiator Whether this side makes the first offer; the other waits for it.
 * @property {(message: Message) => unknown} send May return a promise; the next message waits for nothing.
 * @property {(error: unknown) => void} [failed] A description could not be applied or made.
 * @property {() => unknown} [beforeRestart] Awaited before an ICE restart, to set fresh servers.
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
  #restartMs = RESTART_MS;
  #restartedAt = -Infinity;
  /** The last state seen, since two events tell of one change. */
  #state = "new";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #restartTimer;
  #listening = new AbortController();

  /** @param {RTCPeerConnection} pc @param {Manner} manner */
  constructor(pc, manner) {
    this.#pc = pc;
    this.#manner = manner;
    this.#begun = manner.initiator;
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
    this.#planRestart(() => true);
  }

  close() {
    this.#closed = true;
    this.#listening.abort();
    clearTimeout(this.#trickle);
    clearTimeout(this.#restartTimer);
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

  /** Makes the description that the signaling state calls for, and sends it before its candidates. */
  async #describe() {
    this.#describing += 1;
    try {
      await this.#pc.setLocalDescription();
      const local = this.#pc.localDescription;
      if (local && !this.#closed) this.#send({ type: local.type, sdp: local.sdp });
    } finally {
      this.#describing -= 1;
    }
    this.#flush();
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
    if (!isOffer && pc.signalingState !== "have-local-offer") return; // An answer to an offer that was rolled back.
    const ready = !this.#makingOffer && pc.signalingState === "stable";
    this.#ignoreOffer = isOffer && !ready && !this.#manner.polite;
    if (this.#ignoreOffer) return;
    this.#begun = true;
    // An offer that meets one of our own rolls ours back by itself.
    // Firefox answers an ICE restart by taking the active part in DTLS, even where the other side has it, which ends media or the
    // call. An offer that keeps that part to its sender leaves no choice.
    const theirs = isOffer && pc.currentRemoteDescription?.sdp.includes("a=setup:active");
    await pc.setRemoteDescription(theirs ? { type: "offer", sdp: message.sdp.replaceAll("a=setup:actpass", "a=setup:active") } : message);
    if (this.#closed) return;
    for (const candidate of this.#early.splice(0)) await this.#add(candidate);
    // An offer that was about to be made here has become the answer already.
    if (isOffer && pc.signalingState === "have-remote-offer") await this.#describe();
  }

  /** @param {RTCIceCandidateInit} candidate */
  async #add(candidate) {
    const remote = this.#pc.remoteDescription;
    const fragment = candidate.usernameFragment ?? ufragIn(candidate.candidate);
    if (!remote || (fragment && !remote.sdp.split(/\r?\n/).includes(`a=ice-ufrag:${fragment}`))) {
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
    // Older Firefox knows only the state of ICE.
    const state = this.#pc.connectionState ?? this.#pc.iceConnectionState;
    if (state === this.#state) return;
    this.#state = state;
    if (state === "connected") this.#restartMs = RESTART_MS;
    if (state === "failed") this.#planRestart(() => this.#state === "failed");
  }

  /** @param {() => boolean} wanted Whether it still is, when its time has come. */
  #planRestart(wanted) {
    if (this.#closed || !this.#begun || !this.#pc.remoteDescription || this.#restartTimer !== undefined) return;
    const wait = this.#restartedAt + this.#restartMs - Date.now();
    if (wait <= 0) return void this.#restart();
    this.#restartTimer = setTimeout(() => {
      this.#restartTimer = undefined;
      if (wanted()) void this.#restart();
    }, wait);
  }

  async #restart() {
    this.#restartedAt = Date.now();
    this.#restartMs = Math.min(RESTART_LAST_MS, this.#restartMs * 2);
    try {
      await this.#manner.beforeRestart?.();
    } catch {
      // Old servers are better than no restart.
    }
    if (!this.#closed) this.#pc.restartIce();
  }

  /** @param {unknown} error */
  #fail(error) {
    if (!this.#closed) this.#manner.failed?.(error);
  }
}

/** The ICE user name fragment in a description or a candidate. @param {string} [text] */
function ufragIn(text) {
  return text?.match(/(?:a=ice-ufrag:| ufrag )([^\s]+)/)?.[1];
}
