/**
 * RTCPeerConnection's signaling state machine without a network: implicit descriptions, rollback, the chain of
 * operations, negotiationneeded, user name fragments. It refuses what a browser refuses.
 */

let named = 0;

class FakeChannel extends EventTarget {
  constructor(label, init) {
    super();
    Object.assign(this, { label, id: init.id, negotiated: init.negotiated });
  }
}

export class FakePeerConnection extends EventTarget {
  /** @type {FakePeerConnection[]} */
  static all = [];
  /** How many candidates each finds. */
  static finds = 3;

  signalingState = "stable";
  connectionState = "new";
  iceConnectionState = "new";
  iceGatheringState = "new";
  localDescription = null;
  remoteDescription = null;
  /** Candidates that were taken in. */
  candidates = [];
  channels = [];
  tracks = [];
  restarts = 0;
  rollbacks = 0;
  /** Whether there is a network path to the other side. */
  path = true;
  /** What it tells of itself, by id. */
  stats = new Map();
  #chain = Promise.resolve();
  #operations = 0;
  #needed = false;
  #fragment = "";
  #stable = { local: null, remote: null };
  #media = 0;
  #agreed = 0;

  constructor(configuration = {}) {
    super();
    this.configuration = configuration;
    FakePeerConnection.all.push(this);
  }

  getConfiguration() {
    return this.configuration;
  }

  setConfiguration(configuration) {
    this.configuration = configuration;
  }

  async getStats() {
    return this.stats;
  }

  createDataChannel(label, init) {
    const channel = new FakeChannel(label, init);
    this.channels.push(channel);
    if (this.channels.length === 1) this.#change();
    return channel;
  }

  addTrack(track) {
    const sender = { track, replaceTrack: async (next) => void (sender.track = next) };
    this.tracks.push({ sender, receiver: { track: { kind: track.kind } }, direction: "sendrecv" });
    this.#change();
    return sender;
  }

  getTransceivers() {
    return this.tracks;
  }

  restartIce() {
    this.restarts += 1;
    this.#fragment = "";
    this.#change();
  }

  close() {
    this.signalingState = "closed";
    this.connectionState = "closed";
  }

  setLocalDescription() {
    return this.#queue(async () => {
      const type = this.signalingState === "have-remote-offer" ? "answer" : "offer";
      await tick();
      if (this.signalingState === "closed") return;
      const restarts = !this.#fragment;
      if (restarts) this.#fragment = `frag${(named += 1)}`;
      this.localDescription = { type, sdp: `v=0\r\na=ice-ufrag:${this.#fragment}\r\n` };
      if (type === "offer") this.signalingState = "have-local-offer";
      else this.#settle();
      if (type === "offer") this.#agreed = this.#media;
      if (restarts) this.#gather(this.#fragment);
    });
  }

  setRemoteDescription({ type, sdp }) {
    return this.#queue(async () => {
      await tick();
      if (this.signalingState === "closed") return;
      if (type === "offer" && this.signalingState === "have-local-offer") {
        this.rollbacks += 1;
        this.localDescription = this.#stable.local;
        this.#fragment = "";
        this.#agreed = -1;
        this.signalingState = "stable";
      }
      const wanted = type === "offer" ? "stable" : "have-local-offer";
      if (this.signalingState !== wanted) throw new DOMException(`${type} in ${this.signalingState}`, "InvalidStateError");
      // An offer that restarts ICE is answered with new credentials.
      if (type === "offer" && this.remoteDescription && ufragIn(this.remoteDescription.sdp) !== ufragIn(sdp)) this.#fragment = "";
      this.remoteDescription = { type, sdp };
      if (type === "offer") this.signalingState = "have-remote-offer";
      else this.#settle();
    });
  }

  addIceCandidate(candidate) {
    return this.#queue(async () => {
      if (!this.remoteDescription) throw new DOMException("no remote description", "InvalidStateError");
      if (candidate.usernameFragment && !this.remoteDescription.sdp.includes(`a=ice-ufrag:${candidate.usernameFragment}\r\n`)) {
        throw new DOMException(`unknown ufrag ${candidate.usernameFragment}`, "OperationError");
      }
      this.candidates.push(candidate);
    });
  }

  become(state) {
    this.connectionState = state;
    this.iceConnectionState = state;
    this.dispatchEvent(new Event("iceconnectionstatechange"));
    this.dispatchEvent(new Event("connectionstatechange"));
  }

  #change() {
    this.#media += 1;
    this.#update();
  }

  #update() {
    if (this.#needed || this.signalingState !== "stable" || this.#media === this.#agreed) return;
    this.#needed = true;
    setImmediate(() => {
      if (!this.#needed) return;
      if (this.signalingState !== "stable" || this.#operations > 0) return void (this.#needed = false);
      this.dispatchEvent(new Event("negotiationneeded"));
    });
  }

  #settle() {
    this.signalingState = "stable";
    this.#stable = { local: this.localDescription, remote: this.remoteDescription };
    this.#needed = false;
    // An answer agrees to what the offer has room for; what was rolled back is still to be offered.
    if (this.localDescription.type === "answer" && this.#agreed === 0) this.#agreed = this.#media;
    setImmediate(() => this.#update());
    if (this.path) this.become("connected");
  }

  #queue(work) {
    this.#operations += 1;
    const done = this.#chain.then(work);
    this.#chain = done
      .catch(() => {})
      .then(() => {
        this.#operations -= 1;
        if (this.#operations === 0) this.#update();
      });
    return done;
  }

  #gather(fragment) {
    const found = [1, 2, 3].slice(0, FakePeerConnection.finds).map((n) => ({ candidate: `candidate:${n} 1 udp 1 127.0.0.1 ${n} typ host ufrag ${fragment}`, sdpMid: "0", sdpMLineIndex: 0, usernameFragment: fragment }));
    this.iceGatheringState = "gathering";
    this.dispatchEvent(new Event("icegatheringstatechange"));
    for (const [index, init] of [...found, null].entries()) {
      setImmediate(() => {
        if (this.signalingState === "closed") return;
        const candidate = init && { ...init, toJSON: () => init };
        this.dispatchEvent(Object.assign(new Event("icecandidate"), { candidate, index }));
      });
    }
  }
}

const ufragIn = (sdp) => /a=ice-ufrag:(\S+)/.exec(sdp)?.[1];

const tick = () => new Promise((resolve) => setImmediate(resolve));
