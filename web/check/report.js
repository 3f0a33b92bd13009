/** The result as plain text, for a support ticket. */

import { groups } from "./rows.js";
import { verdict } from "./verdict.js";

/** @type {Record<import("./rows.js").State, string>} */
const MARKS = { good: "ok", warn: "limit", bad: "FAULT", none: "-", running: "..." };
const WIDTH = 18;

/** @param {import("./verdict.js").Facts} facts @param {Date} when @param {string} browser */
export function report(facts, when, browser) {
  const { title, lead, media, advice } = verdict(facts);
  const lines = ["Switchboard network check", "", `Server   ${facts.base}/`, `When     ${when.toISOString().slice(0, 16).replace("T", " ")} UTC`, `Browser  ${browser}`, "", title, plain(lead)];
  if (media) lines.push(media);
  if (advice.length > 0) lines.push("", "For the network's administrator", ...advice.map((one) => plain(`  * ${one}`)));
  for (const { title: heading, rows } of groups(facts)) {
    lines.push("", heading);
    for (const { state, label, value, note } of rows) lines.push(plain(`  ${MARKS[state].padEnd(6)}${label.padEnd(WIDTH)}${value}${note ? ` (${note})` : ""}`));
  }
  return `${lines.join("\n").replaceAll("’", "'").replaceAll("…", "...")}\n`;
}

/** A line that stays one, whatever the path has put into it. @param {string} text */
const plain = (text) => text.replace(/[\p{Cc}\u2028\u2029]/gu, "\ufffd");
