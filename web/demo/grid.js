/** Fits the tiles into the stage: of all numbers of columns the one that shows the most picture. */

const GAP = 12;
const WIDEST = 16 / 9;
const TALLEST = 1.1;
const NARROW = matchMedia("(max-width: 900px)");

export class Grid {
  #element;
  #stage;

  /** @param {HTMLElement} element the box that holds the tiles; its parent is the stage */
  constructor(element) {
    this.#element = element;
    this.#stage = /** @type {HTMLElement} */ (element.parentElement);
    new ResizeObserver(() => this.fit()).observe(this.#stage);
    this.fit();
  }

  /** @param {HTMLElement} tile */
  add(tile) {
    this.#element.append(tile);
    this.fit();
  }

  /** @param {HTMLElement} tile */
  remove(tile) {
    tile.remove();
    this.fit();
  }

  fit() {
    const others = this.#element.querySelectorAll(".tile").length;
    // One's own picture fills the stage when alone, sits in the corner of one other, and is a tile among more.
    this.#stage.dataset.self = others === 0 ? "alone" : others === 1 ? "corner" : "tile";
    if (others === 0) return;
    const count = others === 1 ? 1 : others + 1;
    const width = this.#element.clientWidth;
    // On a narrow page the stage is as high as its tiles, which may take this much of the window.
    const height = NARROW.matches ? window.innerHeight * 0.62 : this.#element.clientHeight;
    const { w, h } = best(count, width, height);
    this.#element.style.setProperty("--tile-width", `${w}px`);
    this.#element.style.setProperty("--tile-height", `${h}px`);
  }
}

/**
 * @param {number} count
 * @param {number} width
 * @param {number} height
 */
export function best(count, width, height) {
  let found = { w: 0, h: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    let w = (width - GAP * (columns - 1)) / columns;
    let h = Math.min((height - GAP * (rows - 1)) / rows, w / TALLEST);
    w = Math.min(w, h * WIDEST);
    w = Math.max(0, Math.floor(w));
    h = Math.max(0, Math.floor(h));
    if (w * h > found.w * found.h) found = { w, h };
  }
  return found;
}
