/** What happened in tests and how long it took, shown together at their end. */

export class Table {
  #rows = [["what happened", "read by", "what was seen", "after"]];

  /** @param {string} what @param {string} transport @param {string} seen @param {number} ms */
  add(what, transport, seen, ms) {
    this.#rows.push([what, transport, seen, `${Math.round(ms)} ms`]);
  }

  get empty() {
    return this.#rows.length === 1;
  }

  toString() {
    const widths = this.#rows[0].map((_, column) => Math.max(...this.#rows.map((row) => row[column].length)));
    return this.#rows.map((row) => row.map((cell, column) => (column === 3 ? cell.padStart(widths[3]) : cell.padEnd(widths[column]))).join("  ")).join("\n");
  }
}
