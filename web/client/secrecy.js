/**
 * Secrecy from the server: what the members of a room say is sealed under a key that they share and the server
 * never sees.
 *
 * AES-256-GCM with a nonce drawn for each message, under a key that HKDF-SHA-256 derives from the shared one. What
 * the receiver knows of a message by itself is authenticated with it, so that nobody on the way can put it elsewhere:
 * the room, the sender, the receiver, the type, the session. Within, each message has a number of its sender's.
 */

import { fromBase64Url, toBase64Url } from "./base64url.js";
import { SwitchboardError } from "./error.js";
import { word } from "./random.js";

const VERSION = 1;
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
/** Of what tells one key from another, and nothing else of it. */
const KEY_ID_BYTES = 6;
/** The server's bounds, in bytes of JSON. */
const DATA_BYTES = 64 * 1024;
const META_BYTES = 4 * 1024;
/** No signal has a type with this sign in it. */
const META = "#meta";
/** Senders whose last number is remembered; each join of a peer is another. */
const SENDERS_KEPT = 4096;
/** Metas that are remembered opened, since every snapshot repeats them. */
const METAS_KEPT = 512;
const SEALED = /^(\d+)\.([A-Za-z0-9_-]{8})\.([A-Za-z0-9_-]+)$/;

/**
 * @typedef {object} Envelope  What stands in the place of `data` or `meta`.
 * @property {string} sealed `VERSION.KEY-ID.BOX`; the box is the nonce and what AES-GCM made.
 * @property {true} [all] For every other peer; of a `bye`, for every session with that peer.
 *
 * @typedef {object} Context  What a message is bound to.
 * @property {string} type
 * @property {string} from
 * @property {string | null} to Null is every other peer.
 * @property {string | null} session Null is none, or for a `bye` every one.
 *
 * @typedef {object} Opened
 * @property {unknown} [data]
 * @property {string} [by] The sender: a word for one membership of a peer.
 * @property {number} [n] Rises with each message of that sender.
 * @property {SwitchboardError} [error] Why it does not open.
 */

/** A new key for a room: 256 random bits as text for the fragment of a link. @returns {string} */
export function makeKey() {
  return toBase64Url(crypto.getRandomValues(new Uint8Array(KEY_BYTES)));
}

/**
 * The key in the fragment of an address, as in `#key=…` or `#room&key=…`.
 *
 * @param {string} fragment Such as `location.hash`.
 * @returns {string | null} null where it names none.
 * @throws {TypeError} where a key is named that is not whole.
 */
export function keyIn(fragment) {
  const [, key] = /(?:^|[#&?])key=([^&]*)/.exec(fragment) ?? [];
  if (key === undefined) return null;
  bytesOf(key);
  return key;
}

/** Who can't be understood for good, unlike who sent one message that can't. */
export const KEYLESS = new Set(["no-key", "other-key", "sealed"]);

/** Whether this is something that a member of a room with a key has sealed. @param {any} value @returns {value is Envelope} */
export function isSealed(value) {
  return typeof value?.sealed === "string" && SEALED.test(value.sealed);
}

/** A member of a room without a key is told this of whoever has one. @param {string} peer */
export function sealedFrom(peer) {
  return problem("sealed", `what ${peer} says is sealed: join with the key of this room`);
}

/** The key is never part of what is told. @param {unknown} key */
function bytesOf(key) {
  const bytes = typeof key === "string" ? fromBase64Url(key) : null;
  if (bytes?.length !== KEY_BYTES) throw new TypeError(`a room's key is the base64url text of ${KEY_BYTES} bytes, as makeKey() gives it; this one is missing or not whole`);
  return bytes;
}

export class Secrecy {
  #room;
  #key;
  #keyId;
  /** This membership, as its messages name it. */
  #by = word();
  #count = 0;
  /** The last number that was handed on of each sender. @type {Map<string, number>} */
  #last = new Map();
  /** @type {Map<string, Promise<Opened>>} */
  #metas = new Map();

  /** Made by {@link Secrecy.of}. @param {string} room @param {CryptoKey} key @param {string} keyId */
  constructor(room, key, keyId) {
    this.#room = room;
    this.#key = key;
    this.#keyId = keyId;
  }

  /**
   * @param {unknown} key
   * @param {string} room
   * @returns {Promise<Secrecy>} rejects with a TypeError where that is no key, and with `insecure-context` where the page has no WebCrypto.
   */
  static async of(key, room) {
    const bytes = bytesOf(key);
    const subtle = globalThis.crypto?.subtle;
    if (!subtle) throw problem("insecure-context", "a room with a key needs WebCrypto, which browsers have on pages that came by HTTPS or from localhost");
    const shared = await subtle.importKey("raw", bytes, "HKDF", false, ["deriveKey", "deriveBits"]);
    const from = (/** @type {string} */ purpose) => ({ name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: utf8(`switchboard ${VERSION} ${purpose}`) });
    const sealing = await subtle.deriveKey(from("sealing"), shared, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
    const id = await subtle.deriveBits(from("key id"), shared, KEY_ID_BYTES * 8);
    return new Secrecy(room, sealing, toBase64Url(new Uint8Array(id)));
  }

  /**
   * A signal as it goes out. An offer has its session from here, since what is sealed names it. A `bye` without data stays so.
   *
   * @param {string} from
   * @param {import("./wire.js").Signal} signal
   * @returns {Promise<import("./wire.js").Signal>} rejects with `too-large`, as the server would refuse it.
   */
  async seal(from, signal) {
    const { to, type, data } = signal;
    if (type === "bye" && data === undefined) return signal;
    const session = signal.session ?? (type === "offer" ? word() : undefined);
    const all = type === "bye" ? session === undefined : to === undefined;
    const envelope = await this.#seal({ type, from, to: to ?? null, session: session ?? null }, { by: this.#by, n: (this.#count += 1), data });
    return { ...signal, ...(session === undefined ? {} : { session }), data: within(DATA_BYTES, "a signal's data", all ? { ...envelope, all } : envelope) };
  }

  /** @param {string} from @param {unknown} meta @returns {Promise<Envelope>} rejects with `too-large`. */
  async sealMeta(from, meta) {
    const envelope = await this.#seal({ type: META, from, to: null, session: null }, { by: this.#by, data: meta });
    return within(META_BYTES, "meta", envelope);
  }

  /**
   * @param {{from: string, type: string, session?: string, data?: any}} signal
   * @param {string} to This peer.
   * @returns {Promise<Opened>}
   */
  openSignal({ from, type, session, data }, to) {
    return this.#open({ type, from, to: data?.all ? null : to, session: session ?? null }, data);
  }

  /** @param {{session: string, peer: string, data?: any}} ended @param {string} to @returns {Promise<Opened>} */
  openBye({ session, peer, data }, to) {
    return this.#open({ type: "bye", from: peer, to, session: data?.all ? null : session }, data);
  }

  /**
   * Peers with their metas opened, and for each whose meta does not open why; it has none then.
   *
   * @template {{peer: string, meta?: any}} T
   * @param {T[]} peers
   * @returns {Promise<{peers: T[], errors: Map<string, SwitchboardError>}>}
   */
  async openPeers(peers) {
    /** @type {Map<string, SwitchboardError>} */
    const errors = new Map();
    const opening = peers.map(async (peer) => {
      const { data = {}, error } = await this.#openMeta(peer);
      if (error) errors.set(peer.peer, error);
      return { ...peer, meta: error ? null : data };
    });
    return { peers: await Promise.all(opening), errors };
  }

  /** @param {{peer: string, meta?: any}} peer @returns {Promise<Opened>} */
  #openMeta({ peer, meta }) {
    const name = `${peer} ${meta?.sealed}`;
    const opened = this.#metas.get(name) ?? this.#open({ type: META, from: peer, to: null, session: null }, meta);
    keep(this.#metas, name, opened, METAS_KEPT);
    return opened;
  }

  /** Whether a message is a later one than all before it of the same sender. @param {Opened} opened */
  isNext({ by = "", n = 0 }) {
    if (n <= (this.#last.get(by) ?? 0)) return false;
    keep(this.#last, by, n, SENDERS_KEPT);
    return true;
  }

  /** @param {Context} context @param {object} content @returns {Promise<Envelope>} */
  async #seal(context, content) {
    const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
    const box = await crypto.subtle.encrypt(this.#manner(nonce, context), this.#key, utf8(JSON.stringify(content)));
    const bytes = new Uint8Array(NONCE_BYTES + box.byteLength);
    bytes.set(nonce);
    bytes.set(new Uint8Array(box), NONCE_BYTES);
    return { sealed: `${VERSION}.${this.#keyId}.${toBase64Url(bytes)}` };
  }

  /** @param {Context} context @param {unknown} envelope @returns {Promise<Opened>} never rejects. */
  async #open(context, envelope) {
    const { from } = context;
    if (!isSealed(envelope)) return { error: problem("no-key", `${from} has no key to this room: what it says is not sealed, and not handed on`) };
    const [, version, keyId, text] = /** @type {RegExpExecArray} */ (SEALED.exec(envelope.sealed));
    if (Number(version) !== VERSION || keyId !== this.#keyId) return { error: problem("other-key", `${from} has another key to this room: what it says can't be opened`) };
    try {
      const bytes = fromBase64Url(text) ?? new Uint8Array();
      const box = bytes.subarray(NONCE_BYTES);
      const plain = await crypto.subtle.decrypt(this.#manner(bytes.subarray(0, NONCE_BYTES), context), this.#key, box);
      return JSON.parse(new TextDecoder().decode(plain));
    } catch {
      return { error: problem("tampered", `what came as from ${from} was changed on the way, or was not meant for here`) };
    }
  }

  /** @param {Uint8Array<ArrayBuffer>} iv @param {Context} context @returns {AesGcmParams} */
  #manner(iv, { type, from, to, session }) {
    return { name: "AES-GCM", iv, additionalData: utf8(JSON.stringify(["switchboard", VERSION, this.#room, from, to, type, session])) };
  }
}

/** @param {string} peer */
export function repeatedFrom(peer) {
  return problem("replayed", `what came as from ${peer} had come before, or out of its order`);
}

/** @param {string} slug @param {string} detail */
function problem(slug, detail) {
  return new SwitchboardError({ status: 422, slug, detail });
}

/** @template T @param {number} bytes @param {string} what @param {T} envelope @returns {T} */
function within(bytes, what, envelope) {
  const { length } = JSON.stringify(envelope);
  if (length <= bytes) return envelope;
  throw new SwitchboardError({ status: 413, slug: "too-large", detail: `${what} is at most ${bytes} bytes, and this is ${length} once sealed` });
}

/** @param {string} text */
function utf8(text) {
  return new TextEncoder().encode(text);
}

/** @template T @param {Map<string, T>} map @param {string} name @param {T} value @param {number} most The oldest go. */
function keep(map, name, value, most) {
  map.delete(name);
  map.set(name, value);
  for (const oldest of map.keys()) {
    if (map.size <= most) break;
    map.delete(oldest);
  }
}
