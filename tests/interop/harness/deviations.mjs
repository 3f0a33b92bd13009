/**
 * Where a parser departs from the standard on streams that ours is none of, and to what. A parser that is mended
 * fails the test until its line here is gone.
 */

import { interpret } from "./standard.mjs";

/** @typedef {import("./standard.mjs").Seen} Seen */

const EMPTY = /** @type {Seen} */ (["message", "", ""]);

/** By parser, then by the name of the stream in streams.mjs. @type {Record<string, Record<string, Seen[]>>} */
export const DEVIATIONS = {
  // Tells the id only of an event that has one of its own, and waits for what may follow a last CR.
  eventsource: {
    "CR ends lines": [["signal", "a\nb", "1"]],
    "CRLF ends lines": [["signal", "a\nb", "1"], ["message", "c", ""]],
    "each line ends in its own way": [["message", "a\nb", "1"], ["message", "c", ""], ["message", "d", ""], ["message", "e", ""]],
    "NUL in an id": [["message", "a", "1"], ["message", "b", ""], ["message", "c", ""]],
    "an id of its own": [["message", "a", "1"], ["message", "b", ""]],
    "empty data": [["message", "", "1"], ["message", "", ""], ["message", "\n", ""]],
    "an event without data": [["message", "a", ""], ["message", "b", ""]],
  },
  // A bare `event` does not take a name back.
  undici: {
    "fields without a colon": [["signal", "a", "1"], ["evil", "\n", ""]],
  },
  // Hands on events without data, and takes a byte order mark for text.
  "httpx-sse": {
    "a byte order mark first": [],
    "a time to reconnect": [EMPTY, ["message", "a", ""]],
    "an id of its own": [["message", "a", "1"], ["message", "", "2"], ["message", "b", "2"]],
    "an event without data": [["evil", "", ""], ["message", "a", ""], ["evil", "", "1"], ["message", "b", "1"]],
  },
  // Hands on what the end of the body has torn, and knows nothing of an event without data.
  "sseclient-py": {
    "each line ends in its own way": [["message", "a\nb\nc", "1"], ["message", "d\ne", "1"]],
    "a byte order mark first": [],
    "NUL in an id": [["message", "a", "1"], ["message", "b", "2\0"], ["message", "c", "\0"]],
    "an id of its own": [["message", "a", "1"], ["message", "b", "1"]],
    "an event without data": [["message", "a", ""], ["message", "b", ""]],
    "bytes that are no UTF-8": [],
    "an end within a line": [["message", "a", "1"], ["signal", "b", "2"]],
    "an end before the blank line": [["message", "a", "1"], ["signal", "b", "2"]],
  },
  // Panics at a byte order mark, gives up where there is no UTF-8, and waits for what may follow a last CR.
  "eventsource-stream": {
    "CR ends lines": [["signal", "a\nb", "1"]],
    "a byte order mark first": [],
    "two byte order marks first": [],
    "bytes that are no UTF-8": [],
  },
  // Gives up where there is no UTF-8.
  "sse-stream": {
    "bytes that are no UTF-8": [],
  },
  chromium: {},
  // Passes over NUL in data, loses what comes with NUL in its id, and passes over the id of an event without data.
  firefox: {
    "NUL in an id": [["message", "a", "1"]],
    "NUL elsewhere": [["message", "ab", ""], ["message", "c", ""]],
    "an id of its own": [["message", "a", "1"], ["message", "b", "1"]],
    "an event without data": [["message", "a", ""], ["message", "b", ""]],
  },
};

/** Events of our server that have no id. */
const CONTROL = new Set(["ping", "wake", "end", "tick"]);

/**
 * What a parser makes of a stream of our server, given what the standard makes of it: the same, but for `eventsource`,
 * which gives an event without an id none, where the standard gives it that of the event before.
 * @param {string} parser @param {Seen[]} seen @returns {Seen[]}
 */
export function ofOurs(parser, seen) {
  return parser === "eventsource" ? seen.map(([event, data, id]) => [event, data, CONTROL.has(event) ? "" : id]) : seen;
}

/**
 * What a parser makes of a stream of ours that ends too early, and not as a broken connection but as if it were whole:
 * so ends a cut behind a proxy that speaks HTTP/1.0. sseclient-py hands on the torn event, its data in part.
 * @param {string} parser @param {Uint8Array} bytes @returns {Seen[]}
 */
export function ofTorn(parser, bytes) {
  const whole = parser !== "sseclient-py" || endsWithinACharacter(bytes);
  return ofOurs(parser, interpret(whole ? bytes : Uint8Array.of(...bytes, 10, 10)));
}

/** @param {Uint8Array} bytes */
function endsWithinACharacter(bytes) {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return false;
  } catch {
    return true;
  }
}
