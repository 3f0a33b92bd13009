/** One line across the page for what needs a decision, with a button where something can be done. */

import { element, make } from "./page.js";

export class Banner {
  #element = element("banner");

  /** @param {string} text @param {string} label @param {() => void} [act] what the button does beside closing the banner */
  show(text, label, act) {
    const button = make("button", "button", label);
    button.setAttribute("type", "button");
    button.dataset.testid = "banner-action";
    button.addEventListener("click", () => {
      this.hide();
      act?.();
    });
    this.#element.replaceChildren(make("span", "", text), button);
    this.#element.hidden = false;
  }

  hide() {
    this.#element.hidden = true;
  }
}
