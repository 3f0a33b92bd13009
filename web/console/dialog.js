/** Asks before somebody is put out, and for what they are told. */

import { asError } from "../client/error.js";
import { button, element, input } from "../demo/page.js";

/** The server's bound. */
const DETAIL_BYTES = 256;

export class Dialog {
  #dialog = /** @type {HTMLDialogElement} */ (element("dialog"));
  /** @type {((detail: string) => Promise<void>) | undefined} */
  #act;

  constructor() {
    element("dialog-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#do();
    });
    element("dialog-leave").addEventListener("click", () => this.#dialog.close());
  }

  /** @param {{title: string, word: string, label: string, act: (detail: string) => Promise<void>}} question */
  ask({ title, word, label, act }) {
    this.#act = act;
    element("dialog-title").textContent = title;
    element("dialog-word").textContent = word;
    element("dialog-do").textContent = label;
    element("dialog-error").hidden = true;
    input("detail").value = "";
    this.#dialog.showModal();
    input("detail").focus();
  }

  async #do() {
    const detail = input("detail").value.trim();
    if (new TextEncoder().encode(detail).length > DETAIL_BYTES) return this.#fail(`That is too long: ${DETAIL_BYTES} bytes at most.`);
    button("dialog-do").disabled = true;
    try {
      await this.#act?.(detail);
      this.#dialog.close();
    } catch (thrown) {
      const { status, slug, detail: why } = asError(thrown);
      this.#fail(status ? `Refused: ${why || slug}.` : "The server did not answer. Try again in a moment.");
    } finally {
      button("dialog-do").disabled = false;
    }
  }

  /** @param {string} text */
  #fail(text) {
    element("dialog-error").textContent = text;
    element("dialog-error").hidden = false;
  }
}
