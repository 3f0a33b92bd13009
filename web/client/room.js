/** One peer's membership of a room: what comes in, what goes out, and its end. */

import { Backlog } from "./backlog.js";
import { Backoff, persist, sleep } from "./backoff.js";
import { enter } from "./entry.js";
import { SwitchboardError, asError } from "./error.js";
import { Feed } from "./feed.js";
import { Goodbye } from "./goodbye.js";
import { Inbox } from "./inbox.js";
import { Intake } from "./intake.js";
import { Ladder } from "./ladder.js";
import { Outbox } from "./outbox.js";
import { watchPage } from "./page.js";
import { uuid } from "./random.js";
import { isSealed, sealedFrom } from "./secrecy.js";

/** A proof of life goes out with an event when the last request is this old. */
const ALIVE_MS = 30_000;
/** Credentials that run out sooner are no longer given to a connection. */
const EXPIRING_MS = 60_000;
/** How long a leave waits for what is still to be sent. */
const FLUSH_MS = 2_000;

/**
 * @typedef {object} Membership
 * @property {import("./request.js").Requests} requests
 * @property {import("./identity.js").Identity} identity
 * @property {import("./wire.js").Joined} joined
 * @property {string} name
 * @property {unknown} [meta]
 * @property {import("./secrecy.js").Secrecy | null} [secrecy] In a room with a key.
 * @property {Map<string, SwitchboardError>} [problems] Those of the peers that were here before.
 * @property {import("./entry.js").AccessToken} [accessToken]
 * @property {import("./wire.js").Mode} transport
 * @property {AbortSignal} [signal]
 * @property {boolean} chosen Whether the application chose the peer id.
 * @property {boolean} [reports] Whether the server's operator may be told how ICE fares.
 *
 * @typedef {"open" | "reconnecting" | "ended"} State
 */

/**
 * Every event of the wire is dispatched as a CustomEvent of its name with its data in `detail`, beside the
 * library's own: `transport`, `state`, `gap`, `peers`, `rejoined`, `problem`. The same come out of `for await (… of room)`.
 */
export class Room extends EventTarget {
  /** @type {string} */
  url;
  /** @type {string} */
  name;
  /** This peer's own id. @type {string} */
  peer;
  /** @type {number} */
  order;
  /** @type {RTCIceServer[]} */
  iceServers = [];
  /** `relay` where the server wants the members' addresses hidden from each other. @type {RTCIceTransportPolicy} */
  iceTransportPolicy = "all";
  /** @type {State} */
  state = "open";
  /** Set once the membership is over. @type {import("./wire.js").End | null} */
  end = null;
  /** Of peers whose meta can't be read, why: they have no key, or another one than this side. @type {Map<string, SwitchboardError>} */
  problems;
  /** Leads negotiation signals to the calls they belong to. */
  backlog = new Backlog();
  #membership;
  #requests;
  #inbox;
  #ladder;
  #outbox;
  #secrecy;
  /** @type {Intake | null} */
  #intake = null;
  #meta;
  /** @type {Feed<import("./wire.js").WireEvent>} */
  #feed = new Feed();
  #ended = new AbortController();
  #unwatch;
  #graceMs = 30_000;
  #iceUntil = Infinity;
  #rejoining = false;
  /** Whether a new access token is being asked for. */
  #renewing = false;
  #goodbye;
  #rejoinedAt = 0;
  #rejoinBackoff = new Backoff();
  /** Whether an operator is told how calls fare. */
  #reports = false;

  /** Made by `join`. @param {Membership} membership */
  constructor(membership) {
    super();
    const { requests, joined, name, meta, transport, signal, secrecy = null, problems = new Map() } = membership;
    this.#membership = membership;
    this.#requests = requests;
    this.#meta = meta;
    this.#secrecy = secrecy;
    this.problems = problems;
    this.url = requests.base;
    this.name = name;
    this.peer = joined.peer;
    this.order = joined.order;
    this.#inbox = new Inbox(joined, (event, data, id) => this.#tell(event, data, id));
    this.#outbox = new Outbox({
      post: (text, signal) => requests.call("POST", `${requests.own}/signals`, { text, signal }),
      ...(secrecy && { seal: (/** @type {import("./wire.js").Signal} */ sent) => secrecy.seal(this.peer, sent) }),
      accepted: (sent, result) => this.#inbox.members.sent(sent, result),
      over: (reason) => this.#overInTurn({ reason, retry: "never" }),
    });
    /** @type {import("./ladder.js").Sink} */
    const sink = {
      event: (event) => this.#hear(event),
      snapshot: (snapshot) => this.#inbox.snapshot(snapshot),
      drained: (drained) => this.#inbox.drained(drained),
      transport: (used, why) => this.#tell("transport", { transport: used, why }),
      state: (state, why) => this.#become(state, why),
      ended: (end) => this.#over(end),
    };
    if (secrecy) this.#intake = new Intake(secrecy, sink, { self: () => this.peer, isNew: (id) => this.#inbox.cursor.isNew(id), problems });
    this.#ladder = new Ladder(requests, this.#inbox.cursor, transport, this.#intake ?? sink);
    this.#goodbye = new Goodbye(requests, () => !this.end && void this.#alive());
    this.#unwatch = watchPage({
      closing: () => this.#closing(),
      hide: (persisted) => this.#hide(persisted),
      show: () => this.#show(),
      online: () => this.#online(),
      wake: () => this.#ladder.wake(),
      look: () => this.#ladder.hurry(),
    });
    signal?.addEventListener("abort", () => void this.leave().catch(() => {}), { once: true, signal: this.#ended.signal });
    this.#adopt(joined);
    for (const { peer, meta } of secrecy ? [] : this.peers.values()) if (isSealed(meta)) problems.set(peer, sealedFrom(peer));
    this.#ladder.start("joined", joined.ticket);
  }

  /** The others. @returns {Map<string, import("./wire.js").Peer>} */
  get peers() {
    return this.#inbox.members.now.peers;
  }

  /** This peer's open sessions. @returns {Map<string, import("./wire.js").Session>} */
  get sessions() {
    return this.#inbox.members.now.sessions;
  }

  /** Whether what this peer and its likes say is sealed from the server, under a key of their own. */
  get sealed() {
    return this.#secrecy !== null;
  }

  /** The reader in use. @returns {import("./wire.js").Transport | null} */
  get transport() {
    return this.#ladder.transport;
  }

  /**
   * Sends one signal or several, in order, and repeats them until they are answered.
   *
   * @param {import("./wire.js").Signal | import("./wire.js").Signal[]} signals
   * @param {{signal?: AbortSignal}} [options] An abort takes back what has not been sent yet.
   * @returns {Promise<import("./wire.js").SignalResult[]>} rejects with the first refusal; what became of the
   *   others is in its `results`.
   */
  send(signals, { signal } = {}) {
    if (this.end) return Promise.reject(endError(this.end));
    return this.#outbox.send(Array.isArray(signals) ? signals : [signals], signal);
  }

  /** Changes the reader; nothing is lost or doubled. @param {import("./wire.js").Mode} mode */
  setTransport(mode) {
    if (!["auto", "sse", "poll"].includes(mode)) throw new TypeError(`no such transport: ${mode}`);
    this.#ladder.setMode(mode);
  }

  /** Replaces what the others are told about this peer. @param {unknown} meta */
  async setMeta(meta) {
    const url = `${this.#requests.own}/meta`;
    const body = this.#secrecy ? await this.#secrecy.sealMeta(this.peer, meta) : meta;
    await persist(() => this.#requests.call("POST", url, { body }), this.#ended.signal);
    this.#meta = meta;
  }

  /** Servers whose credentials are good now: those at hand, or fresh ones where they have run out. @returns {Promise<RTCIceServer[]>} */
  async freshIceServers() {
    if (Date.now() >= this.#iceUntil - EXPIRING_MS && !this.end) {
      const { body } = await this.#requests.call("GET", `${this.url}/ice-servers`);
      this.#adopt(body);
    }
    return this.iceServers;
  }

  /** Goes on under a new access token, in the same incarnation. @param {import("./entry.js").AccessToken} accessToken */
  async renew(accessToken) {
    this.#membership.accessToken = accessToken;
    const meta = this.#secrecy ? await this.#secrecy.sealMeta(this.peer, this.#meta) : this.#meta;
    const joined = await enter(
      this.#requests,
      { peer: this.peer, meta, token: this.#requests.token },
      { accessToken, signal: this.#ended.signal },
    );
    this.#requests.identify(joined.peer, joined.token);
    this.#membership.identity.keep(joined.peer, joined.token);
    this.#adopt(joined);
    this.#outbox.resume();
    this.#ladder.renew("renewed");
  }

  /**
   * Leaves the room, after what is still to be sent. The room is over for this page at once.
   *
   * @param {string} [detail] What its own other readers are told with their `end`.
   * @returns {Promise<void>} once the server knows; rejects where it cannot be told, and its grace ends the membership.
   */
  async leave(detail) {
    if (this.end) return;
    await Promise.race([this.#outbox.idle(), sleep(FLUSH_MS)]);
    if (this.end) return;
    const query = detail === undefined ? "" : `?detail=${encodeURIComponent(detail)}`;
    this.#finish({ reason: "left", retry: "never", ...(detail === undefined ? {} : { detail }) });
    await persist(() => this.#requests.leave(query));
  }

  /**
   * Tells the server's operator how ICE fares in a call, where there is one who wants to know. Rejects where the server has not answered.
   *
   * @param {import("./reports.js").Report} report
   */
  async report(report) {
    if (!this.#reports || this.end) return;
    await this.#requests.call("POST", `${this.#requests.own}/reports`, { body: report }).catch((thrown) => {
      // What is refused is refused again.
      if (asError(thrown).status === 0) throw thrown;
    });
  }

  /** Stops here without telling anybody: to the others this peer goes away, and its grace runs. */
  close() {
    this.#finish({ reason: "closed", retry: "never" });
  }

  [Symbol.asyncIterator]() {
    return this.#feed.iterate();
  }

  /** @param {import("./wire.js").WireEvent} event */
  #hear(event) {
    if (event.event === "ready") this.#adopt(event.data);
    if (event.event === "ice-servers") this.#adopt(event.data);
    this.#inbox.event(event);
    if (event.event === "end" && event.data.reason === "expired") void this.#expired();
    if (Date.now() - this.#requests.lastAt >= ALIVE_MS && !this.end) void this.#alive();
  }

  async #alive() {
    try {
      await this.#requests.call("POST", `${this.#requests.own}/alive`);
    } catch (thrown) {
      const { over } = asError(thrown);
      if (over) this.#overInTurn({ reason: over, retry: "never" });
    }
  }

  /** Takes over what joins, `ready` and `ice-servers` say of how things are done here. @param {any} told */
  #adopt({ heartbeat_ms, grace_ms, iceServers, iceTransportPolicy, ttl, token, reports }) {
    if (token !== undefined) this.#reports = reports === true && this.#membership.reports !== false;
    if (heartbeat_ms > 0) this.#ladder.heartbeatMs = heartbeat_ms;
    if (grace_ms >= 0) this.#graceMs = grace_ms;
    if (!Array.isArray(iceServers)) return;
    this.iceServers = iceServers;
    this.iceTransportPolicy = iceTransportPolicy === "relay" ? "relay" : "all";
    this.#iceUntil = ttl > 0 ? Date.now() + ttl * 1000 : Infinity;
  }

  /** @param {string} event @param {any} data @param {string} [id] */
  #tell(event, data, id) {
    const sealed = this.#secrecy === null && isSealed(event === "signal" ? data.data : data?.meta);
    const who = data.from ?? data.peer;
    const isNews = sealed && !this.problems.has(who);
    // Known before a peer is told of, so that nobody calls in vain; told after it.
    if (isNews) this.problems.set(who, sealedFrom(who));
    if (!sealed || event !== "signal") this.#pass(event, data, id);
    if (isNews) this.#pass("problem", { peer: who, error: this.problems.get(who) });
    if (event === "peer-left") this.problems.delete(data.peer);
  }

  /** @param {string} event @param {any} data @param {string} [id] */
  #pass(event, data, id) {
    if (event === "signal") this.backlog.deliver(data);
    if (event === "problem") this.backlog.unread(data.peer, data.error);
    if (event === "session-ended") this.backlog.sessionEnded(data.session);
    if (event === "peer-left") this.backlog.peerLeft(data.peer);
    if (event === "peer-away" && data.grace_ms === undefined) data.grace_ms = this.#graceMs;
    this.#feed.push({ ...(id === undefined ? {} : { id }), event, data });
    this.dispatchEvent(new CustomEvent(event, { detail: data }));
  }

  /** @param {State} state @param {string} [why] */
  #become(state, why) {
    if (this.state === state || this.state === "ended") return;
    this.state = state;
    if (state === "open") this.#outbox.hurry();
    this.#tell("state", { state, ...(why === undefined ? {} : { why }) });
  }

  /** An answer to a request says so, which may overtake what the reader has brought before. @param {import("./wire.js").End} end */
  #overInTurn(end) {
    if (!this.#intake) return this.#over(end);
    this.#outbox.pause();
    this.#intake.inTurn(() => this.#over(end));
  }

  /** The server says that this incarnation is over. @param {import("./wire.js").End} end */
  #over(end) {
    if (this.end || this.#rejoining) return;
    if (end.reason === "unknown") void this.#rejoin("unknown");
    else if (end.reason === "expired") void this.#expired();
    else this.#finish(end);
  }

  /**
   * The access has run out. The membership goes on under a new token, if one is to be had within its grace; what was to be
   * sent waits for it. A token that is a fixed word is the application's to renew, by {@link renew}.
   */
  async #expired() {
    const { accessToken } = this.#membership;
    if (this.#renewing || this.end) return;
    this.#outbox.pause();
    this.#become("reconnecting", "expired");
    if (typeof accessToken !== "function") return;
    this.#renewing = true;
    try {
      await this.renew(accessToken);
    } catch (thrown) {
      if (!this.end) this.#finish({ reason: "expired", retry: "never", detail: asError(thrown).slug });
    } finally {
      this.#renewing = false;
    }
  }

  /**
   * The server has forgotten this peer, or been told that it left: it joins again, as a new incarnation.
   *
   * @param {string} why
   * @param {string} [token] That of the former one, where the server may still know it.
   */
  async #rejoin(why, token) {
    const { identity, accessToken, chosen } = this.#membership;
    this.#rejoining = true;
    this.#become("reconnecting", why);
    this.#ladder.stop();
    this.#outbox.pause();
    this.#outbox.clear(endError({ reason: "unknown", retry: "never" }));
    this.backlog.clear();
    const signal = this.#ended.signal;
    try {
      // Servers that do not share their memory would otherwise send a client back and forth without a pause.
      if (Date.now() - this.#rejoinedAt > 60_000) this.#rejoinBackoff.reset();
      else await sleep(this.#rejoinBackoff.next(), signal);
      const joined = await this.#reenter(identity, token, { accessToken, signal, tries: Infinity }, chosen);
      this.#requests.identify(joined.peer, joined.token);
      identity.keep(joined.peer, joined.token);
      if (signal.aborted) return;
      this.#rejoinedAt = Date.now();
      if (this.#secrecy) await this.#open(joined, this.#secrecy);
      else this.problems.clear();
      if (signal.aborted) return;
      this.peer = joined.peer;
      this.order = joined.order;
      this.#rejoining = false;
      this.#adopt(joined);
      this.#inbox.restart(joined);
      if (this.end) return;
      this.#outbox.resume();
      this.#ladder.start("rejoined", joined.ticket);
    } catch (thrown) {
      if (signal.aborted) return;
      this.#rejoining = false;
      this.#finish({ reason: "unknown", retry: "never", detail: asError(thrown).slug });
    }
  }

  /** Opens what a new join says of the others, once what the former reader brought is told. @param {import("./wire.js").Joined} joined @param {import("./secrecy.js").Secrecy} secrecy */
  async #open(joined, secrecy) {
    const [{ peers, errors }] = await Promise.all([secrecy.openPeers(joined.peers ?? []), this.#intake?.handed()]);
    joined.peers = peers;
    this.problems.clear();
    for (const [peer, error] of errors) this.problems.set(peer, error);
  }

  /**
   * @param {import("./identity.js").Identity} identity
   * @param {string | undefined} token
   * @param {{accessToken?: import("./entry.js").AccessToken, signal: AbortSignal, tries: number}} manner
   * @param {boolean} chosen
   */
  async #reenter(identity, token, manner, chosen) {
    const meta = async (/** @type {string} */ peer) => (this.#secrecy ? this.#secrecy.sealMeta(peer, this.#meta) : this.#meta);
    try {
      return await enter(this.#requests, { peer: this.peer, meta: await meta(this.peer), token, fresh: true }, manner);
    } catch (thrown) {
      // Somebody else has the id by now; one that was made up can be made up again.
      if (chosen || asError(thrown).slug !== "peer-exists") throw thrown;
      identity.startOver(uuid());
      return enter(this.#requests, { peer: identity.peer, meta: await meta(identity.peer) }, manner);
    }
  }

  /** @param {import("./wire.js").End} end */
  #finish(end) {
    if (this.end) return;
    this.end = end;
    this.state = "ended";
    this.#ended.abort();
    this.#ladder.stop();
    this.#intake?.clear();
    this.#outbox.clear(endError(end));
    this.backlog.clear();
    this.#unwatch();
    // After `replaced` what the tab remembers is for the page that took over; after `closed`, for the next join.
    this.#membership.identity.end({ forgotten: end.reason !== "replaced" && end.reason !== "closed" });
    this.#tell("end", end);
    this.#tell("state", { state: "ended", why: end.reason });
    this.#feed.end();
  }

  #closing() {
    if (!this.end && (this.backlog.claimed || this.sessions.size > 0)) this.#goodbye.announce();
  }

  /** @param {boolean} persisted */
  #hide(persisted) {
    // First of all: a browser may end the page before all that it is told here is done.
    // Chromium says `persisted` of a page with an open peer connection too, and then throws it away.
    if (!this.end && (!persisted || this.backlog.claimed)) this.#goodbye.say();
    this.#ladder.stop();
    this.#membership.identity.hide();
  }

  #show() {
    if (this.end || this.#rejoining) return;
    this.#membership.identity.show();
    if (this.#goodbye.takeBack()) return void this.#rejoin("pageshow", this.#requests.token);
    this.#become("reconnecting", "pageshow");
    this.#ladder.start("pageshow");
    this.#outbox.hurry();
  }

  #online() {
    this.#ladder.renew("online");
    if (!this.#rejoining) this.#outbox.hurry();
  }
}

/** @param {import("./wire.js").End} end */
function endError({ reason, detail }) {
  return new SwitchboardError({ status: 410, slug: "ended", reason, detail: detail ?? "this peer is no longer in the room" });
}
