/** What the page shows of the facts. */

import { element, make, part } from "../demo/page.js";
import { drawSilences, drawTicks, ticksWord } from "./figures.js";
import { report } from "./report.js";
import { groups } from "./rows.js";
import { idleCut, longestSilence, verdict, wantsAccess } from "./verdict.js";
import { seconds } from "./patience.js";

/** @typedef {import("./verdict.js").Facts} Facts */

const WORDS = { good: "good", warn: "limited", bad: "fault", none: "", running: "running" };

export class View {
  /** @type {Facts|undefined} */
  #facts;
  #silenceBegan = 0;
  /** Those that have come while more are to come. @type {import("./ticks.js").Ticks|undefined} */
  #ticking;
  #when = new Date();
  #verdictShown = false;

  constructor() {
    new ResizeObserver(() => this.#figures()).observe(element("ticks"));
  }

  /** @param {Facts} facts */
  begin(facts) {
    this.#facts = facts;
    this.#when = new Date();
    this.#silenceBegan = 0;
    this.#ticking = undefined;
    this.#verdictShown = false;
    document.documentElement.dataset.phase = "quick";
    delete document.documentElement.dataset.usable;
    element("verdict").dataset.level = "running";
    element("verdict-title").textContent = "Looking at the way to the server…";
    element("verdict-lead").textContent = "Requests up, events down, silence, and the way for picture and sound.";
    element("media-word").hidden = true;
    element("advice").hidden = true;
    element("ticks-word").textContent = "Upright lines: each arrives as it is sent.";
    element("silence-word").textContent = "Comes after the quick check, and takes half a minute.";
    this.show();
  }

  silenceBegins() {
    this.#silenceBegan = performance.now();
    this.#verdictShown = true;
    document.documentElement.dataset.phase = "silence";
    this.show();
  }

  done() {
    document.documentElement.dataset.phase = "done";
    this.#verdictShown = true;
    this.show();
  }

  /** @param {number} part of one @param {string} words */
  progress(part, words) {
    /** @type {HTMLProgressElement} */ (element("progress-bar")).value = part;
    element("progress-text").textContent = words;
    element("progress").hidden = document.documentElement.dataset.phase === "done";
    this.#figures();
  }

  show() {
    const facts = this.#facts;
    if (!facts) return;
    this.#rows(facts);
    this.#figures();
    element("progress").hidden = document.documentElement.dataset.phase === "done";
    if (!this.#verdictShown) return;
    const found = verdict(facts);
    document.documentElement.dataset.usable = found.usable;
    element("verdict").dataset.level = found.level;
    say("verdict-title", found.title);
    say("verdict-lead", found.lead);
    // It stays once it was asked for, to be tried with another.
    if (wantsAccess(facts)) element("entry").hidden = false;
    say("media-word", found.media);
    element("media-word").hidden = !found.media;
    element("advice").hidden = found.advice.length === 0;
    element("advice-list").replaceChildren(...found.advice.map((one) => make("li", "", one)));
    if (facts.ticks) say("ticks-word", ticksWord(facts.ticks));
    say("silence-word", silenceWord(facts));
    say("report", this.text);
  }

  /** Only the picture: whatever else is drawn between two ticks would be measured with them. @param {import("./ticks.js").Ticks} ticks */
  ticking(ticks) {
    this.#ticking = ticks;
    drawTicks(element("ticks"), ticks);
  }

  get text() {
    return this.#facts ? report(this.#facts, this.#when, navigator.userAgent) : "";
  }

  #figures() {
    if (!this.#facts) return;
    drawTicks(element("ticks"), this.#facts.ticks ?? this.#ticking);
    drawSilences(element("silence"), this.#facts, this.#silenceBegan ? performance.now() - this.#silenceBegan : 0);
  }

  /** @param {Facts} facts */
  #rows(facts) {
    const sections = groups(facts).map(({ title, rows }) => {
      const list = make("ul", "rows", ...rows.map(rowOf));
      return make("section", "group", make("h2", "", title), list);
    });
    element("groups").replaceChildren(...sections);
  }
}

/** @param {import("./rows.js").Row} row */
function rowOf({ key, label, state, value, note }) {
  const template = /** @type {HTMLTemplateElement} */ (element("row"));
  const made = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
  const item = part(made, ".row");
  item.dataset.key = key;
  item.dataset.state = state;
  item.dataset.testid = `row-${key}`;
  part(made, "use").setAttribute("href", `check/icons.svg#${state}`);
  part(made, ".row-label").textContent = label;
  part(made, ".row-value").append(value, ...(WORDS[state] ? [make("span", "hidden", `, ${WORDS[state]}`)] : []));
  part(made, ".row-note").textContent = note ?? "";
  return made;
}

/** A live region speaks up at each change: the same words again are none. @param {string} id @param {string} words */
function say(id, words) {
  if (element(id).textContent !== words) element(id).textContent = words;
}

/** @param {Facts} facts */
function silenceWord(facts) {
  const { silences, joined } = facts;
  if (silences.length === 0) return joined?.refused ? "Not measured, for want of a join." : "Not measured, since nothing comes through.";
  const cut = idleCut(facts);
  if (cut !== undefined) return `A connection that is silent for ${seconds(cut)} is ${silences.some(({ state }) => state === "dark") ? "forgotten" : "cut"}.`;
  if (silences.some(({ state }) => state === "running")) return "The longer ones are still listening.";
  return silences.some(({ state }) => state === "kept") ? `${seconds(longestSilence(facts))} of it, and nothing was cut.` : "The server has too many checks at once.";
}
