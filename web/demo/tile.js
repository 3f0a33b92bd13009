/** One other person on the stage: their picture, their name, and what became of them. */

import { Badge } from "./badge.js";
import { KEYLESS } from "../client/secrecy.js";
import { hueOf, initialOf } from "./picture.js";
import { callEnded } from "./words.js";
import { element, part } from "./page.js";

const STATES = new Map(Object.entries({
  connecting: "Connecting…",
  disconnected: "Connection interrupted…",
}));

/** @typedef {import("./meeting.js").Person} Person */

export class Tile {
  #video;
  /** @type {MediaStream|null} */
  #stream = null;
  #hidden = false;
  #silenced;
  #badge;

  /**
   * @param {string} peer
   * @param {{hangup: () => void, again: () => void, dismiss: () => void, silenced: (video: HTMLVideoElement) => void}} on
   */
  constructor(peer, on) {
    const template = /** @type {HTMLTemplateElement} */ (element("tile"));
    this.root = part(/** @type {DocumentFragment} */ (template.content.cloneNode(true)), ".tile");
    this.root.dataset.peer = peer;
    this.#video = /** @type {HTMLVideoElement} */ (part(this.root, "video"));
    this.#video.addEventListener("resize", () => this.#showPicture());
    part(this.root, ".tile-hangup").addEventListener("click", on.hangup);
    part(this.root, ".again").addEventListener("click", on.again);
    part(this.root, ".dismiss").addEventListener("click", on.dismiss);
    this.#silenced = on.silenced;
    this.#badge = new Badge(part(this.root, ".way"));
  }

  /** @param {Person} person */
  show(person) {
    const { root } = this;
    const { name } = person;
    root.dataset.state = person.state;
    root.dataset.presence = person.presence;
    root.dataset.mic = person.meta.mic === false ? "off" : "on";
    if (person.reason) root.dataset.reason = person.reason;
    else delete root.dataset.reason;
    root.setAttribute("aria-label", name);
    root.style.setProperty("--hue", String(hueOf(name)));
    this.#video.setAttribute("aria-label", `Picture of ${name}`);
    part(root, ".disc").textContent = initialOf(name);
    part(root, ".tile-name span").textContent = name;
    part(root, ".tile-state").textContent = person.presence === "away" ? "Away, may come back" : STATES.get(person.state) ?? "";
    part(root, ".tile-end p").textContent = person.state === "ended" || person.state === "failed" ? callEnded(person.reason, person.by, name) : "";
    part(root, ".again").hidden = person.presence === "gone" || KEYLESS.has(person.reason ?? "");
    part(root, ".again").setAttribute("aria-label", `Call ${name} again`);
    part(root, ".dismiss").setAttribute("aria-label", `Close the picture of ${name}`);
    part(root, ".tile-hangup").setAttribute("aria-label", `Hang up on ${name}`);
    this.#hidden = person.meta.camera === false;
    if (person.stream && person.stream !== this.#stream) this.#play(person.stream);
    this.#showPicture();
    this.#badge.follow(person.state === "connected" || person.state === "disconnected" ? person.call : null, name);
  }

  /** Looks how the connection runs, and shows it. @param {boolean} relayOnly */
  measure(relayOnly) {
    return this.#badge.measure(relayOnly);
  }

  #showPicture() {
    const drawn = this.#video.videoWidth > 0 && this.#stream !== null && !this.#hidden;
    this.root.dataset.picture = drawn ? "shown" : "none";
  }

  /** @param {MediaStream} stream */
  async #play(stream) {
    this.#stream = stream;
    this.#video.srcObject = stream;
    try {
      await this.#video.play();
    } catch (error) {
      // Without a click on this page the browser refuses sound, but never a silent picture.
      if (!(error instanceof DOMException) || error.name !== "NotAllowedError") return;
      this.#video.muted = true;
      this.#silenced(this.#video);
      await this.#video.play().catch(() => {});
    }
  }
}
