/** On a tile, how its connection runs: a word or two at all times, the figures and their plot on a closer look. */

import { Meter } from "./meter.js";
import { part } from "./page.js";
import { Plot } from "./plot.js";
import { rateInWords, roundTripInWords, wayInShort, wayInWords } from "./words.js";

/** Who wants little to move sees figures and plot in steps of this. */
const CALM_MS = 5000;
const CALM = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * @typedef {import("../client/call.js").Call} Call
 * @typedef {import("../client/way.js").Way} Way
 */

export class Badge {
  #root;
  #button;
  #plot;
  /** @type {Meter|null} */
  #meter = null;
  #name = "";
  #drawnAt = -Infinity;

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#root = root;
    this.#button = part(root, "button");
    this.#plot = new Plot(part(root, ".plot svg"), part(root, ".plot-top"));
    this.#button.addEventListener("click", () => this.#pin(root.dataset.pinned !== "true"));
    root.parentElement?.addEventListener("keydown", ({ key }) => key === "Escape" && this.#pin(false));
    this.#pin(false);
  }

  /** @param {Call|null} call one that is up, or null @param {string} name of the other side */
  follow(call, name) {
    this.#name = name;
    if (call && this.#meter) this.#meter.call = call;
    else if (call) this.#meter = new Meter(call);
    else {
      this.#meter = null;
      this.#root.hidden = true;
      this.#pin(false);
    }
  }

  /**
   * @param {boolean} relayOnly whether it is to run through a relay of this side
   * @returns {Promise<Way|null>} how it runs
   */
  async measure(relayOnly) {
    const meter = this.#meter;
    if (!meter) return null;
    const before = meter.way;
    await meter.read();
    if (meter !== this.#meter || !meter.way) return null;
    const { way } = meter;
    const now = performance.now();
    const same = before && wayInShort(before) === wayInShort(way) && this.#root.dataset.unwanted === String(unwanted(way, relayOnly));
    if (same && CALM.matches && now - this.#drawnAt < CALM_MS) return way;
    this.#drawnAt = now;
    this.#show(way, relayOnly);
    this.#figures(meter, way, now);
    return way;
  }

  /** @param {Way} way @param {boolean} relayOnly */
  #show(way, relayOnly) {
    const root = this.#root;
    root.hidden = false;
    root.dataset.kind = way.kind;
    root.dataset.transport = way.transport;
    root.dataset.unwanted = String(unwanted(way, relayOnly));
    part(root, "use").setAttribute("href", `demo/icons.svg#way-${way.kind}`);
    part(root, ".way-short").textContent = wayInShort(way);
    part(root, ".way-story").textContent = wayInWords(way, this.#name, unwanted(way, relayOnly));
    this.#button.setAttribute("aria-label", `The connection with ${this.#name}: ${wayInShort(way)}`);
  }

  /** @param {Meter} meter @param {Way} way @param {number} now */
  #figures({ samples }, { rtt }, now) {
    const { down, up } = samples[samples.length - 1];
    part(this.#root, ".way-down").textContent = down === null ? "–" : rateInWords(down);
    part(this.#root, ".way-up").textContent = up === null ? "–" : rateInWords(up);
    part(this.#root, ".way-rtt").textContent = rtt === null ? "–" : roundTripInWords(rtt);
    this.#plot.draw(samples, now);
  }

  /** @param {boolean} pinned whether the figures stay in sight */
  #pin(pinned) {
    this.#root.dataset.pinned = String(pinned);
    this.#button.setAttribute("aria-expanded", String(pinned));
  }
}

/** Whether the other side may see this one's address although it is not to. @param {Way} way @param {boolean} relayOnly */
const unwanted = ({ relay }, relayOnly) => relayOnly && relay !== "ours" && relay !== "both";
