/** The running account of what happened, newest last, which screen readers hear as it grows. */

import { element, keepAtEnd, make } from "./page.js";

const KEPT = 100;

export class Activity {
  #list = element("log");
  #clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

  constructor() {
    keepAtEnd(this.#list);
  }

  /** @param {string} text */
  add(text) {
    const now = new Date();
    const time = make("time", "", this.#clock.format(now));
    time.setAttribute("datetime", now.toISOString());
    this.#list.append(make("li", "", time, make("span", "", text)));
    while (this.#list.childElementCount > KEPT) this.#list.firstElementChild?.remove();
  }

  clear() {
    this.#list.replaceChildren();
  }
}
