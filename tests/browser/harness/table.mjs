/** Times that tests took down, shown together at their end. */

const WIDTHS = [34, 10, 34, 9];

export class Table {
  #rows = [["what happened", "read by", "what the other page saw", "after"]];

  /** @param {string} what @param {string} transport @param {string} seen @param {number} ms */
  add(what, transport, seen, ms) {
    this.#rows.push([what, transport, seen, `${Math.round(ms)} ms`]);
  }

  toString() {
    return this.#rows.map((row) => row.map((cell, column) => (column === 3 ? cell.padStart(WIDTHS[3]) : cell.padEnd(WIDTHS[column]))).join("")).join("\n");
  }
}
