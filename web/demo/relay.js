/** The switch that has calls run through relays alone, and what there is to say of it. */

import { element, input } from "./page.js";
import { relayInWords } from "./words.js";

export class RelaySwitch {
  #input = input("relay-only");
  #hint = element("relay-hint");

  /** @param {(on: boolean) => void} switched */
  constructor(switched) {
    this.#input.addEventListener("change", () => switched(this.#input.checked));
  }

  /** @param {import("./meeting.js").Meeting["relay"]} relay */
  show({ on, locked, offered, moving }) {
    this.#input.checked = on || locked;
    // On a server without relays it can be switched off, and not on.
    this.#input.disabled = locked || moving || (!offered && !on);
    this.#hint.textContent = relayInWords({ on, locked, offered, moving });
  }
}
