/** The form before a call: name, room, and with what picture to start. */

import { button, element, input, video } from "./page.js";
import { cleanRoom, friendlyRoom, roomInHash, savedName } from "./settings.js";
import { Source } from "./source.js";

const NO_WEBRTC = "This browser has no WebRTC, and there are no calls without it. Its signaling would work: the network check shows how.";

export class Lobby {
  /** Whether there can be a call in this browser. */
  able = typeof RTCPeerConnection === "function";
  #name = input("name");
  #room = input("room");
  #error = element("lobby-error");
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
    window.addEventListener("hashchange", () => {
      if (roomInHash() === this.room) return;
      this.#putRoom(roomInHash() || friendlyRoom());
      on.hashChanged();
    });
    this.#putRoom(roomInHash() || friendlyRoom());
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
    this.busy = false;
    if (!this.able) this.error = NO_WEBRTC;
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

  /** @param {string} room */
  #putRoom(room) {
    this.#room.value = room;
    history.replaceState(null, "", `${location.pathname}${location.search}#${room}`);
  }
}
