/** What this page sends: the camera and microphone, or the drawn picture where they can't be had. */

import { Picture } from "./picture.js";

const CAMERA = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 }, facingMode: "user" };

export class Source {
  /** @type {Picture|null} */
  #picture;

  /** @param {MediaStream} stream @param {"camera"|"picture"} kind @param {Picture|null} picture */
  constructor(stream, kind, picture) {
    this.stream = stream;
    this.kind = kind;
    this.#picture = picture;
  }

  /** @param {string} name */
  static drawn(name) {
    const picture = new Picture(name);
    return new Source(picture.stream, "picture", picture);
  }

  /**
   * The camera; where there is none but a microphone, the drawn picture with sound. Rejects with the
   * browser's own DOMException where neither can be had.
   * @param {string} name
   */
  static async camera(name) {
    if (!navigator.mediaDevices) throw new DOMException("no media devices", "NotSupportedError");
    try {
      return new Source(await navigator.mediaDevices.getUserMedia({ video: CAMERA, audio: true }), "camera", null);
    } catch (error) {
      // Asking again after a refusal would nag; asking again for half of what was missing helps.
      if (!(error instanceof DOMException) || error.name !== "NotFoundError") throw error;
    }
    try {
      return new Source(await navigator.mediaDevices.getUserMedia({ video: CAMERA }), "camera", null);
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== "NotFoundError") throw error;
    }
    const sound = await navigator.mediaDevices.getUserMedia({ audio: true });
    const picture = new Picture(name);
    return new Source(new MediaStream([...picture.stream.getTracks(), ...sound.getTracks()]), "picture", picture);
  }

  get hasSound() {
    return this.stream.getAudioTracks().length > 0;
  }

  /** @param {boolean} on */
  sound(on) {
    for (const track of this.stream.getAudioTracks()) track.enabled = on;
  }

  /** @param {boolean} on */
  sight(on) {
    for (const track of this.stream.getVideoTracks()) track.enabled = on;
  }

  /** @param {string} name */
  rename(name) {
    this.#picture?.rename(name);
  }

  stop() {
    for (const track of this.stream.getTracks()) track.stop();
    this.#picture?.stop();
  }
}
