/** The way in: the operator's token, which this tab keeps as long as it is open, and no longer. */

import { asError } from "../client/error.js";
import { button, element, input } from "../demo/page.js";

const KEY = "switchboard-operator";

/** @type {Record<number, string>} */
const WORDS = {
  401: "That token is not this server’s operator’s. It is the value of --operator-token.",
  403: "That token does not grant the right to operate here.",
  404: "No operator is configured on this server. Start it with --operator-token, or with access keys.",
};

export class Door {
  #opened;

  /** @param {(token: string) => Promise<void>} opened shown a token; rejects where it does not open */
  constructor(opened) {
    this.#opened = opened;
    element("door-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#try(input("token").value.trim());
    });
    element("forget").addEventListener("click", () => this.forget());
  }

  /** Opens by itself where the tab was open before. */
  begin() {
    const token = kept();
    if (token) void this.#try(token);
    else this.#show();
  }

  forget() {
    keep(null);
    this.#show();
    // What the page has in its memory goes as well.
    location.replace(location.pathname + location.search);
  }

  /** What opened does so no longer. @param {unknown} error */
  refused(error) {
    keep(null);
    this.#show();
    this.#fail(error);
  }

  /** @param {string} token */
  async #try(token) {
    element("door-error").hidden = true;
    if (!token) return this.#fail(new Error("Type the operator’s token."), "Type the operator’s token.");
    button("enter").disabled = true;
    try {
      await this.#opened(token);
      keep(token);
      input("token").value = "";
    } catch (thrown) {
      if ([401, 403].includes(asError(thrown).status)) keep(null);
      this.#show();
      this.#fail(thrown);
    } finally {
      button("enter").disabled = false;
    }
  }

  #show() {
    document.documentElement.dataset.view = "door";
    input("token").focus();
  }

  /** @param {unknown} thrown @param {string} [words] */
  #fail(thrown, words) {
    const { status, foreign, detail } = asError(thrown);
    const own = foreign ? undefined : WORDS[status];
    element("door-error").textContent = words ?? own ?? (status ? `The server answered with an error (${status}). ${foreign ? "Something on the way has answered for it." : detail}` : "The server can’t be reached. Check that it runs, then try again.");
    element("door-error").hidden = false;
  }
}

/** Some browsers refuse storage to a page; the token is then asked for with each load. @returns {string | null} */
function kept() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** @param {string | null} token */
function keep(token) {
  try {
    if (token === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, token);
  } catch {
    // As above.
  }
}
