/** Server-sent events out of a stream of bytes, since EventSource can show no token. Knows no page. */

/**
 * @typedef {{id?: string, event: string, data: string}} Message `id` where the event has one of its own.
 */

export class Parser {
  #decoder = new TextDecoder();
  #rest = "";
  #event = "";
  /** @type {string[]} */
  #data = [];
  /** @type {string | undefined} */
  #id;

  /** What is complete by now. @param {Uint8Array} bytes @returns {Message[]} */
  push(bytes) {
    // A lone CR at the end may be half of a line break.
    const text = this.#rest + this.#decoder.decode(bytes, { stream: true });
    const whole = text.endsWith("\r") ? text.slice(0, -1) : text;
    const lines = whole.split(/\r\n|\n|\r/);
    this.#rest = (lines.pop() ?? "") + text.slice(whole.length);
    return lines.flatMap((line) => this.#take(line) ?? []);
  }

  /** @param {string} line @returns {Message | undefined} */
  #take(line) {
    if (line === "") return this.#end();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#event = value;
    else if (field === "data") this.#data.push(value);
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    return undefined;
  }

  /** @returns {Message | undefined} */
  #end() {
    const [id, event, data] = [this.#id, this.#event, this.#data];
    this.#id = undefined;
    this.#event = "";
    this.#data = [];
    if (data.length === 0) return undefined;
    return { ...(id ? { id } : {}), event: event || "message", data: data.join("\n") };
  }
}
