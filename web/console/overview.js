/** Everything at once: how much there is, three plots, and what happened lately. */

import { element, make } from "../demo/page.js";
import { clock, span } from "./durations.js";
import { READERS_MS, drawEnds, drawReaders, drawSetup } from "./plots.js";
import { hashOf } from "./rooms.js";
import { doerOf } from "./sessions.js";
import { brief, endedBy, leftFor } from "./words.js";

const SHOWN = 40;

/**
 * @typedef {import("./metrics.js").Metrics} Metrics
 * @typedef {import("./lines.js").Line} Line
 */

export class Overview {
  /** @type {Metrics | undefined} */
  #metrics;
  /** @type {import("./plots.js").Sample[]} */
  #readers = [];
  #toldLines = -1;
  /** Whether the server shows this operator no figures. */
  #refused = false;

  constructor() {
    new ResizeObserver(() => this.#plots()).observe(element("overview"));
  }

  /** @param {Metrics | undefined} metrics none where they are not for this operator @param {number} now by this machine's clock */
  measured(metrics, now) {
    this.#metrics = metrics;
    this.#refused = !metrics;
    if (!metrics) return this.#plots();
    this.#readers.push({ at: now, by: metrics.by("readers", "transport") });
    this.#readers = this.#readers.filter(({ at }) => at >= now - READERS_MS);
    this.#plots();
  }

  /** @param {import("./book.js").Book} book @param {number} now */
  draw(book, now) {
    const rooms = [...book.rooms.values()].filter(({ over }) => !over);
    const peers = rooms.reduce((sum, room) => sum + room.peers, 0);
    const failed = [...book.rooms.values()].reduce((sum, room) => sum + room.health(now).failed, 0);
    const open = rooms.reduce((sum, room) => sum + room.health(now).open, 0);
    const readers = this.#metrics?.sum("readers");
    this.#figures([
      ["Rooms", rooms.length],
      ["Peers", peers],
      ["Sessions open", open],
      ["Readers", readers ?? "–"],
      ["Calls failed or lost", failed],
    ]);
    if (this.#toldLines === book.lines) return;
    this.#toldLines = book.lines;
    const told = book.lately.flatMap((line) => item(line) ?? []).slice(-SHOWN).reverse();
    element("lately").replaceChildren(...told);
    element("lately-empty").hidden = told.length > 0;
  }

  /** @param {[string, number | string][]} figures */
  #figures(figures) {
    const list = element("figures-now");
    if (list.children.length === 0) list.append(...figures.map(([name]) => make("div", "", make("dt", "", name), make("dd"))));
    for (const [n, [name, value]] of figures.entries()) {
      const cell = /** @type {HTMLElement} */ (list.children[n].lastElementChild);
      if (cell.textContent !== String(value)) cell.textContent = String(value);
      if (name === "Calls failed or lost") cell.dataset.bad = String(value !== 0);
    }
  }

  #plots() {
    if (!this.#metrics) {
      const word = this.#refused ? "The figures are for an operator of the whole server." : "Not known yet.";
      for (const name of ["setup", "readers", "ends"]) element(`${name}-word`).textContent = word;
      return;
    }
    drawSetup(element("setup"), element("setup-word"), this.#metrics.buckets("sessions_answered_seconds"));
    drawReaders(element("readers"), element("readers-word"), this.#readers, this.#readers.at(-1)?.at ?? Date.now());
    drawEnds(element("ends"), element("ends-word"), this.#metrics.by("session_ends_total", "reason"));
  }
}

/** What is worth a line among all rooms. @param {Line} line */
function item(line) {
  const words = told(line);
  if (!words) return undefined;
  const link = /** @type {HTMLAnchorElement} */ (make("a", "", line.room));
  link.href = hashOf(line.room);
  const made = make("li", words.bad ? "bad" : "", make("time", "", clock(line.at)), link, make("span", "", words.text));
  return made;
}

/** @param {Line} line @returns {{text: string, bad?: boolean} | undefined} */
function told(line) {
  const [peer, from, to] = [line.peer, line.from, line.to].map((one) => one && brief(one));
  const { event, reason, state, slug, type, ice, how, gap, after_ms: afterMs } = line;
  switch (event) {
    case "joined":
      return { text: `${peer} joined` };
    case "left":
      return { text: `${peer} ${leftFor(reason)}`, bad: reason === "timeout" };
    case "away":
      return { text: `${peer} away` };
    case "refused":
      return { text: `${type} of ${from}${to ? ` to ${to}` : ""} refused: ${slug}`, bad: true };
    case "session":
      if (state === "offered") return { text: `${from} calls ${to}` };
      if (state === "answered") return { text: `${from} answers ${to}${afterMs === undefined ? "" : ` after ${span(afterMs)}`}` };
      return { text: `${from} and ${to}: ${endedBy(reason ?? "unknown", doerOf(line))}`, bad: reason === "timeout" };
    case "report":
      return ice === "failed" ? { text: `${peer}: ICE failed`, bad: true } : undefined;
    case "reading":
      return how === "gap" ? { text: `${peer} has lost events (${gap ?? "gap"})`, bad: true } : undefined;
  }
  return undefined;
}
