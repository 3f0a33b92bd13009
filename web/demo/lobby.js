/** The form before a call: name, room, and with what picture to start. */

import { button, element, input, video } from "./page.js";
import { makeKey } from "../client/switchboard.js";
import { cleanRoom, friendlyRoom, hashOf, keyInHash, roomInHash, savedName, savedRelayOnly, saveRelayOnly } from "./settings.js";
import { Source } from "./source.js";
import { KEY_CUT, NO_CRYPTO } from "./words.js";

const NO_WEBRTC = "This browser has no WebRTC, and there are no calls without it. Its signaling would work: the network check shows how.";

export class Lobby {
  /** Whether there can be a call in this browser. */
  able = typeof RTCPeerConnection === "function";
  #name = input("name");
  #room = input("room");
  #error = element("lobby-error");
  #private = input("private");
  #relay = input("relay-first");
  /** Of a private link. @type {string|null} */
  key = null;
  /** Whether the link names a key and holds only a part of it: then nobody is led into an open room instead. */
  cut = false;
  /** @type {Source|null} */
  #preview = null;

  /** @param {{start: (picture: boolean) => void, hashChanged: () => void}} on */
  constructor(on) {
    this.#name.value = savedName();
    this.#name.addEventListener("input", () => this.#preview?.rename(this.name));
    this.#room.addEventListener("change", () => this.#putRoom(cleanRoom(this.#room.value) || friendlyRoom()));
    element("lobby").addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.able) on.start(false);
    });
    button("start-picture").addEventListener("click", () => on.start(true));
    this.#private.addEventListener("change", () => {
      this.cut = false;
      this.key = this.#private.checked ? makeKey() : null;
      this.error = "";
      this.#putRoom(this.room);
    });
    this.#relay.addEventListener("change", () => saveRelayOnly(this.#relay.checked));
    window.addEventListener("hashchange", () => {
      const { key, whole } = keyInHash();
      if (roomInHash() === this.room && key === this.key && whole !== this.cut) return;
      this.#readHash();
      on.hashChanged();
    });
    this.#readHash();
  }

  /** The name that the others see, also where none was typed. */
  get name() {
    return this.typedName || "Guest";
  }

  get typedName() {
    return this.#name.value.trim();
  }

  get room() {
    return this.#room.value;
  }

  open() {
    this.#preview = Source.drawn(this.name);
    video("preview").srcObject = this.#preview.stream;
    this.#relay.checked = savedRelayOnly();
    this.busy = false;
    if (!this.able) this.error = NO_WEBRTC;
    else this.#judgeKey();
  }

  close() {
    video("preview").srcObject = null;
    this.#preview?.stop();
    this.#preview = null;
  }

  /** @param {boolean} busy */
  set busy(busy) {
    button("start").disabled = button("start-picture").disabled = busy || !this.able;
    element("lobby").setAttribute("aria-busy", String(busy));
  }

  /** @param {string} text empty takes it away */
  set error(text) {
    this.#error.textContent = text;
    this.#error.hidden = !text;
  }

  #readHash() {
    const { key, whole } = keyInHash();
    this.key = key;
    this.cut = !whole;
    this.#private.checked = key !== null || this.cut;
    // There is nothing to make a key for where it could not be used.
    this.#private.disabled = !crypto.subtle && !this.#private.checked;
    if (this.#private.disabled) element("private-hint").textContent = NO_CRYPTO;
    this.#putRoom(roomInHash() || friendlyRoom());
    this.#judgeKey();
  }

  #judgeKey() {
    if (this.cut) this.error = KEY_CUT;
    else if (this.key !== null && !crypto.subtle) this.error = NO_CRYPTO;
    else if (this.able) this.error = "";
  }

  /** @param {string} room */
  #putRoom(room) {
    this.#room.value = room;
    // What is left of a key that was cut stays in sight, to be mended.
    if (!this.cut) history.replaceState(null, "", `${location.pathname}${location.search}${hashOf(room, this.key)}`);
  }
}
