/** The table: what was seen of each way in each browser. */

/** @typedef {import("./row.mjs").Seen & {name: string, kind: string, idle: string, failed?: boolean}} Line */

const HEAD = ["between the pages and the server", "browser", "WebSocket", "reader", "settled", "connected", "POST to event, p50", "silence", "tab closed, told after", ""];

export class Findings {
  /** @type {Line[]} */
  #lines = [];

  /** @param {Line} line */
  add(line) {
    this.#lines.push(line);
  }

  toString() {
    const rows = this.#lines.map((line) => [
      line.name,
      line.kind === "chromium" ? "Chromium" : "Firefox",
      line.websocket === undefined ? "" : line.websocket ? "passes" : "blocked",
      line.reader === "poll" ? "long-poll" : (line.reader ?? ""),
      seconds(line.settledMs),
      seconds(line.connectedMs),
      line.lapMs === undefined ? "" : `${Math.round(line.lapMs)} ms`,
      line.cut ?? line.idle,
      line.noticeMs === undefined ? "" : `${Math.round(line.noticeMs)} ms`,
      line.failed ? "FAILED" : "call connected",
    ]);
    const widths = HEAD.map((head, column) => Math.max(head.length, ...rows.map((row) => row[column].length)));
    const written = (/** @type {string[]} */ cells) => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`;
    return [written(HEAD), written(widths.map((width) => "-".repeat(width))), ...rows.map(written)].join("\n");
  }
}

/** @param {number|undefined} ms */
const seconds = (ms) => (ms === undefined ? "" : `${(ms / 1000).toFixed(1)} s`);
