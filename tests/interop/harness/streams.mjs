/**
 * Streams that put a parser to the test, one trait each, with what the standard makes of them by hand. A server may
 * send them; ours sends none of them.
 */

/** @typedef {import("./standard.mjs").Seen} Seen */

const encoder = new TextEncoder();

/** @param {...(string|number[])} parts text, or bytes @returns {Uint8Array} */
export const bytesOf = (...parts) => Uint8Array.from(parts.flatMap((part) => (typeof part === "string" ? [...encoder.encode(part)] : part)));

const BOM = [0xef, 0xbb, 0xbf];
const LONG = "x".repeat(300_000);

/** @type {Record<string, {bytes: Uint8Array, seen: Seen[]}>} */
export const STREAMS = {
  "CR ends lines": { bytes: bytesOf("id: 1\revent: signal\rdata: a\rdata: b\r\rdata: c\r\r"), seen: [["signal", "a\nb", "1"], ["message", "c", "1"]] },
  "CRLF ends lines": { bytes: bytesOf("id: 1\r\nevent: signal\r\ndata: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n"), seen: [["signal", "a\nb", "1"], ["message", "c", "1"]] },
  "each line ends in its own way": { bytes: bytesOf("id: 1\rdata: a\r\ndata: b\n\rdata: c\r\n\ndata: d\n\r\ndata: e\r\r\n"), seen: [["message", "a\nb", "1"], ["message", "c", "1"], ["message", "d", "1"], ["message", "e", "1"]] },
  "a byte order mark first": { bytes: bytesOf(BOM, "data: a\n\n"), seen: [["message", "a", ""]] },
  "two byte order marks first": { bytes: bytesOf(BOM, BOM, "data: a\n\ndata: b\n\n"), seen: [["message", "b", ""]] },
  "a byte order mark within": { bytes: bytesOf("data: a\n\n", BOM, "data: b\n\ndata: ", BOM, "c\n\n"), seen: [["message", "a", ""], ["message", "\ufeffc", ""]] },
  "comments": { bytes: bytesOf(":\n: hello\n:data: no\n\ndata: a\n:between\ndata: b\n\n:\n\n"), seen: [["message", "a\nb", ""]] },
  "a time to reconnect": { bytes: bytesOf("retry: 1500\n\nretry: 2000\ndata: a\n\n"), seen: [["message", "a", ""]] },
  "times to reconnect that are none": { bytes: bytesOf("retry: 1.5\nretry: -1\nretry:\nretry: 10s\nretry\ndata: a\n\n"), seen: [["message", "a", ""]] },
  "fields without a colon": { bytes: bytesOf("event: signal\nid: 1\ndata: a\n\nevent: evil\nevent\nid\ndata\ndata\n\n"), seen: [["signal", "a", "1"], ["message", "\n", ""]] },
  "unknown fields": { bytes: bytesOf("foo: 1\nData: 2\n data: 3\ndata : 4\nfoo\ndata: a\n\n"), seen: [["message", "a", ""]] },
  "NUL in an id": { bytes: bytesOf("id: 1\ndata: a\n\nid: 2\0\ndata: b\n\nid: \0\ndata: c\n\n"), seen: [["message", "a", "1"], ["message", "b", "1"], ["message", "c", "1"]] },
  "NUL elsewhere": { bytes: bytesOf("data: a\0b\n\nfoo\0: x\ndata: c\n\n"), seen: [["message", "a\0b", ""], ["message", "c", ""]] },
  "an id of its own": { bytes: bytesOf("id: 1\ndata: a\n\nid: 2\n\ndata: b\n\n"), seen: [["message", "a", "1"], ["message", "b", "2"]] },
  "an id taken back": { bytes: bytesOf("id: 1\ndata: a\n\nid:\ndata: b\n\ndata: c\n\n"), seen: [["message", "a", "1"], ["message", "b", ""], ["message", "c", ""]] },
  "two ids, two names": { bytes: bytesOf("id: 1\nid: 2\nevent: evil\nevent: signal\ndata: a\n\n"), seen: [["signal", "a", "2"]] },
  "empty data": { bytes: bytesOf("id: 1\ndata:\n\ndata: \n\ndata:\ndata:\n\n"), seen: [["message", "", "1"], ["message", "", "1"], ["message", "\n", "1"]] },
  "an event without data": { bytes: bytesOf("event: evil\n\ndata: a\n\nid: 1\nevent: evil\n\ndata: b\n\n"), seen: [["message", "a", ""], ["message", "b", "1"]] },
  "an empty name": { bytes: bytesOf("event:\ndata: a\n\nevent: \ndata: b\n\n"), seen: [["message", "a", ""], ["message", "b", ""]] },
  "names of all kinds": { bytes: bytesOf("event: a b\ndata: 1\n\nevent: señal\ndata: 2\n\nevent:  led\ndata: 3\n\n"), seen: [["a b", "1", ""], ["señal", "2", ""], [" led", "3", ""]] },
  "spaces and colons": { bytes: bytesOf("data:a\n\ndata:  b \n\ndata: :c:\n\ndata::d\n\ndata:\te\n\n"), seen: [["message", "a", ""], ["message", " b ", ""], ["message", ":c:", ""], ["message", ":d", ""], ["message", "\te", ""]] },
  "line breaks that are none": { bytes: bytesOf("data: a\u2028b\u2029c\u0085d\ve\ff\x1cg\x1dh\x1ei\n\n"), seen: [["message", "a\u2028b\u2029c\u0085d\ve\ff\x1cg\x1dh\x1ei", ""]] },
  "many bytes to a character": { bytes: bytesOf("id: é\ndata: ß€😀\u0301\u200d\n\n"), seen: [["message", "ß€😀\u0301\u200d", "é"]] },
  "bytes that are no UTF-8": { bytes: bytesOf("data: a", [0xff], "b", [0xc3], "\n\ndata: ", [0xed, 0xa0, 0x80], "\n\ndata: ok\n\n"), seen: [["message", "a\ufffdb\ufffd", ""], ["message", "\ufffd\ufffd\ufffd", ""], ["message", "ok", ""]] },
  "a long line": { bytes: bytesOf(`data: ${LONG}\ndata: ${LONG}\n\ndata: a\n\n`), seen: [["message", `${LONG}\n${LONG}`, ""], ["message", "a", ""]] },
  "many lines of data": { bytes: bytesOf(`${"data: y\n".repeat(2_000)}\n`), seen: [["message", Array(2_000).fill("y").join("\n"), ""]] },
  "blank lines": { bytes: bytesOf("\n\n\ndata: a\n\n\n\n\ndata: b\n\n\n"), seen: [["message", "a", ""], ["message", "b", ""]] },
  "nothing": { bytes: bytesOf(), seen: [] },
  "an end within a line": { bytes: bytesOf("id: 1\ndata: a\n\nid: 2\nevent: signal\ndata: b"), seen: [["message", "a", "1"]] },
  "an end before the blank line": { bytes: bytesOf("id: 1\ndata: a\n\nid: 2\nevent: signal\ndata: b\n"), seen: [["message", "a", "1"]] },
  "an end within an id": { bytes: bytesOf("id: 12\ndata: a\n\nid: 1"), seen: [["message", "a", "12"]] },
  "an end within a character": { bytes: bytesOf("data: a\n\ndata: b", [0xe2, 0x82]), seen: [["message", "a", ""]] },
};
