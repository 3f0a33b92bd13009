/** The list of who is here, away or gone, and why. */

import { hueOf, initialOf } from "./picture.js";
import { personState } from "./words.js";
import { element, make, part } from "./page.js";

/** People who left stay in the list, the latest few of them. */
const GONE_KEPT = 4;

/** @typedef {import("./meeting.js").Person} Person */

export class People {
  #list = element("people");
  #count = element("people-count");
  /** @type {Map<string, HTMLElement>} */
  #rows = new Map();

  /** @param {string} name @param {string} sending what this page sends, in words */
  self(name, sending) {
    const row = this.#row("");
    row.dataset.state = "self";
    fill(row, name, sending);
    part(row, "b").append(" ", make("small", "", "(you)"));
    this.#countUp();
  }

  /** @param {Person} person */
  show(person) {
    const row = this.#row(person.peer);
    row.dataset.state = person.presence === "live" ? person.state : person.presence;
    row.dataset.peer = person.peer;
    if (person.reason) row.dataset.reason = person.reason;
    else delete row.dataset.reason;
    fill(row, person.name, personState(person));
    const gone = [...this.#rows].filter(([, other]) => other.dataset.state === "gone");
    for (const [peer, old] of gone.slice(0, -GONE_KEPT)) {
      old.remove();
      this.#rows.delete(peer);
    }
    this.#countUp();
  }

  clear() {
    this.#list.replaceChildren();
    this.#rows.clear();
  }

  /** @param {string} peer */
  #row(peer) {
    let row = this.#rows.get(peer);
    if (!row) {
      row = make("li", "person", make("span", "disc"), make("b"), make("span"));
      part(row, ".disc").setAttribute("aria-hidden", "true");
      row.dataset.testid = "person";
      this.#rows.set(peer, row);
      this.#list.append(row);
    }
    return row;
  }

  #countUp() {
    const here = [...this.#rows.values()].filter((row) => row.dataset.state !== "gone").length;
    this.#count.textContent = String(here);
  }
}

/** @param {HTMLElement} row @param {string} name @param {string} state */
function fill(row, name, state) {
  row.style.setProperty("--hue", String(hueOf(name)));
  part(row, ".disc").textContent = initialOf(name);
  part(row, "b").textContent = name;
  part(row, "span:last-child").textContent = state;
}
