/** The text chat beside the call. Knows how a message looks, not how it travels. */

import { button, element, input, keepAtEnd, make } from "./page.js";

/** Older messages leave the page, so that a long call stays light. */
const KEPT = 500;

export class Chat {
  #list = element("messages");
  #input = input("chat-input");
  #send = button("chat-send");

  /** @param {(text: string) => boolean} say tells the others; false where nobody can hear it */
  constructor(say) {
    keepAtEnd(this.#list);
    element("chat").addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.#input.value.trim();
      if (!text || !say(text)) return;
      this.#input.value = "";
      this.add("You", text, true);
    });
  }

  /** @param {boolean} open */
  set open(open) {
    this.#input.disabled = this.#send.disabled = !open;
    this.#input.placeholder = open ? "Say something" : "Opens once connected";
  }

  /** @param {string} name @param {string} text @param {boolean} mine */
  add(name, text, mine) {
    const message = make("li", mine ? "message mine" : "message", make("b", "", name), text);
    message.dataset.testid = "message";
    message.dataset.from = mine ? "us" : "them";
    this.#list.append(message);
    while (this.#list.childElementCount > KEPT) this.#list.firstElementChild?.remove();
  }

  clear() {
    this.#list.replaceChildren();
    this.open = false;
  }
}
