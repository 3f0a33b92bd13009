/**
 * A browser and a server of the imagination: fake fetch, EventSource, page, storage and clock.
 * Nothing in it knows how the client works inside; it speaks the wire.
 */

import { mock } from "node:test";

export const EPOCH = "00000000000000aa";

/** Lets everything that is ready run, however long its chain of promises. */
export async function settle() {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

export class FakeEventSource extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSED = 2;
  /** @type {FakeEventSource[]} */
  static all = [];
  static get last() {
    return FakeEventSource.all.at(-1);
  }

  readyState = 0;
  onerror = null;
  lastEventId = "";

  constructor(url) {
    super();
    this.url = String(url);
    FakeEventSource.all.push(this);
  }

  /** As the browser does: an event without an id carries the id of the one before it. */
  emit(event, data = {}, id) {
    if (this.readyState === 2) return;
    this.readyState = 1;
    if (id !== undefined) this.lastEventId = id;
    this.dispatchEvent(new MessageEvent(event, { data: JSON.stringify(data), lastEventId: this.lastEventId }));
  }

  ready({ seq = 0, epoch = EPOCH, ...more } = {}) {
    const cursor = `${epoch}-${seq}`;
    this.emit("ready", { room: "r", peer: "me", cursor, resumed: true, replayed: 0, heartbeat_ms: 15000, grace_ms: 30000, ...more }, cursor);
  }

  prove(options) {
    this.ready(options);
    this.emit("ping");
  }

  /** The connection breaks; with 0 the browser reconnects by itself, with 2 it gives up. */
  fail(readyState) {
    this.readyState = readyState;
    this.onerror?.(new Event("error"));
  }

  close() {
    this.readyState = 2;
    this.closedByPage = true;
  }
}

export class FakeStorage {
  #map = new Map();
  getItem(key) {
    return this.#map.get(key) ?? null;
  }
  setItem(key, value) {
    this.#map.set(key, String(value));
  }
  removeItem(key) {
    this.#map.delete(key);
  }
  keys() {
    return [...this.#map.keys()];
  }
}

export function json(body, status = 200, headers = {}) {
  return new Response(status === 204 ? null : JSON.stringify(body), { status, headers: { "Content-Type": "application/json", ...headers } });
}

export function problem(status, slug, more = {}, headers = {}) {
  return json({ type: `/problems/${slug}`, title: slug, status, detail: "", ...more }, status, headers);
}

export const cursorOf = (seq, epoch = EPOCH) => `${epoch}-${seq}`;

export const event = (seq, name, data, epoch = EPOCH) => ({ id: cursorOf(seq, epoch), event: name, data });

export class World {
  /** Every request that was made: {method, path, query, headers, body, url, signal}. */
  requests = [];
  /** Held polls: {request, answer(body), fail()}. */
  polls = [];
  /** @type {Map<string, (request: any) => Response | Promise<Response>>} */
  #doors = new Map();
  page = new EventTarget();
  beacons = [];
  #undo = [];
  tickets = 0;
  joins = 0;
  joinAnswer = {};

  constructor({ storage = new FakeStorage(), eventSource = true, navigator = {} } = {}) {
    // Waits are drawn by lot: here by the same lot in each run.
    let lot = 12_345;
    mock.method(Math, "random", () => (lot = (lot * 48_271) % 2_147_483_647) / 2_147_483_647);
    mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 1_700_000_000_000 });
    // The clock that nobody sets goes as the other does.
    const began = Date.now();
    mock.method(performance, "now", () => Date.now() - began);
    FakeEventSource.all = [];
    this.storage = storage;
    this.#put("sessionStorage", storage);
    this.#put("EventSource", eventSource ? FakeEventSource : undefined);
    this.#put("BroadcastChannel", undefined);
    this.#put("fetch", (url, init) => this.#fetch(url, init));
    this.#put("navigator", {
      sendBeacon: (url, body) => {
        this.beacons.push({ url: String(url), body });
        return true;
      },
      ...navigator,
    });
    this.#put("addEventListener", this.page.addEventListener.bind(this.page));
    this.#put("removeEventListener", this.page.removeEventListener.bind(this.page));
    this.on("POST /rooms/r/peers", (request) => {
      this.joins += 1;
      return json(this.joined(request.body), 201);
    });
    this.on("POST tickets", () => json({ ticket: `ticket-${(this.tickets += 1)}` }, 201));
    this.on("POST signals", ({ body }) => json({ results: body.map(accept) }, 202));
    this.on("POST alive", () => json(null, 204));
    this.on("POST meta", () => json(null, 204));
    this.on("POST leave", () => json(null, 204));
    this.on("GET poll", (request) => this.#hold(request));
    this.on("POST poll", (request) => this.#hold(request));
    this.on("GET /probe", () => new Response("", { status: 503 }));
  }

  joined(body = {}) {
    return {
      room: "r",
      peer: body.peer ?? "me",
      order: 1,
      token: `token-${this.joins}`,
      cursor: cursorOf(0),
      ticket: `join-ticket-${this.joins}`,
      peers: [{ peer: "bob", meta: {}, state: "live", order: 0 }],
      iceServers: [],
      ttl: 3600,
      heartbeat_ms: 15000,
      grace_ms: 30000,
      ...this.joinAnswer,
    };
  }

  /** Sets what a door answers: "METHOD /path", or "METHOD name" for what stands behind `…/peers/{peer}/`. */
  on(door, handler) {
    this.#doors.set(door, handler);
  }

  made(method, tail) {
    return this.requests.filter((request) => request.method === method && request.path.endsWith(tail));
  }

  get held() {
    return this.polls.filter((poll) => !poll.done);
  }

  /** Moves the clock, letting what wakes up run in its turn. */
  async pass(ms) {
    await settle();
    for (let left = ms; left > 0; left -= 50) {
      mock.timers.tick(Math.min(50, left));
      await settle();
    }
  }

  /** Moves the clock until something is so. */
  async until(isSo, ms) {
    for (let left = ms; left > 0 && !isSo(); left -= 50) await this.pass(50);
    if (!isSo()) throw new Error(`not so within ${ms} ms: ${isSo}`);
  }

  /** The clock jumps without a timer having run, as when a machine sleeps. */
  async sleepThrough(ms) {
    mock.timers.setTime(Date.now() + ms);
    await settle();
  }

  tell(name, more = {}) {
    this.page.dispatchEvent(Object.assign(new Event(name), more));
  }

  end() {
    mock.timers.reset();
    mock.restoreAll();
    for (const undo of this.#undo.splice(0)) undo();
  }

  #put(name, value) {
    const before = Object.getOwnPropertyDescriptor(globalThis, name);
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    this.#undo.push(() => (before ? Object.defineProperty(globalThis, name, before) : delete globalThis[name]));
  }

  async #fetch(url, init = {}) {
    const parsed = new URL(url);
    const headers = Object.fromEntries(Object.entries(init.headers ?? {}).map(([key, value]) => [key.toLowerCase(), value]));
    const text = init.body;
    let body = text;
    try {
      body = text === undefined ? undefined : JSON.parse(text);
    } catch {
      // A beacon's fallback sends bare text.
    }
    const request = { method: init.method ?? "GET", url: String(url), path: parsed.pathname, query: parsed.searchParams, headers, body, signal: init.signal };
    this.requests.push(request);
    const own = parsed.pathname.match(/^\/rooms\/[^/]+\/peers\/[^/]+\/?(.*)$/);
    const door = this.#doors.get(`${request.method} ${parsed.pathname}`) ?? (own ? this.#doors.get(`${request.method} ${own[1]}`) : undefined);
    if (!door) throw new Error(`no such door: ${request.method} ${parsed.pathname}`);
    if (init.signal?.aborted) throw init.signal.reason;
    return new Promise((resolve, reject) => {
      init.signal?.addEventListener("abort", () => reject(init.signal.reason));
      Promise.resolve().then(() => door(request)).then(resolve, reject);
    });
  }

  /** A poll that asks to wait is held until the test answers it; one that does not is answered empty. */
  #hold(request) {
    const cursor = request.body?.cursor ?? request.headers["last-event-id"] ?? cursorOf(0);
    if ((request.body?.wait ?? Number(request.query.get("wait"))) === 0 && !this.holdAll) return json({ events: [], cursor, more: false, retry_ms: 0 });
    return new Promise((resolve, reject) => {
      const poll = {
        request,
        done: false,
        answer: (body) => {
          poll.done = true;
          resolve(body instanceof Response ? body : json({ events: [], cursor, more: false, retry_ms: 0, ...body }));
        },
        fail: () => {
          poll.done = true;
          reject(new TypeError("connection lost"));
        },
      };
      request.signal?.addEventListener("abort", () => (poll.done = true));
      this.polls.push(poll);
    });
  }
}

export function accept(signal) {
  return { id: signal.id, ...(signal.session ? { session: signal.session } : {}), to: [{ peer: signal.to ?? "bob", state: "live" }] };
}

/** Collects the events of these names that a room (or call) dispatches, as [name, detail]. */
export function listen(target, ...names) {
  const heard = [];
  for (const name of names) target.addEventListener(name, ({ detail }) => heard.push([name, detail]));
  return heard;
}
