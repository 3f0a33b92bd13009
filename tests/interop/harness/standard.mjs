/**
 * An event stream interpreted step by step as the HTML standard says (section 9.2.6, "Interpreting an event
 * stream"): the measure of every parser.
 */

/** @typedef {[event: string, data: string, lastEventId: string]} Seen */

/** @param {Uint8Array} bytes a whole stream @returns {Seen[]} */
export function interpret(bytes) {
  // Takes one byte order mark away, and puts U+FFFD where the bytes are no UTF-8.
  const text = new TextDecoder().decode(bytes);
  /** @type {Seen[]} */
  const seen = [];
  let type = "";
  let data = "";
  let id = "";
  let lastEventId = "";
  const lines = text.split(/\r\n|\n|\r/);
  // What is left at the end has no line break, and the block it belongs to is thrown away.
  lines.pop();
  for (const line of lines) {
    if (line === "") {
      lastEventId = id;
      if (data !== "") seen.push([type || "message", data.slice(0, -1), lastEventId]);
      type = data = "";
      continue;
    }
    const colon = line.indexOf(":");
    if (colon === 0) continue;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") type = value;
    else if (field === "data") data += `${value}\n`;
    else if (field === "id" && !value.includes("\0")) id = value;
  }
  return seen;
}
