/** Rows of the ladder in words: a few for the picture, a sentence for who hears or copies it. Knows no page. */

import { counted, since, size, span, stamp } from "./durations.js";
import { doerOf } from "./sessions.js";
import { verdict } from "./verdict.js";
import { endedBy, inWay, leftFor, stoppedFor, transportName } from "./words.js";

/**
 * @typedef {import("./ladder.js").Row} Row
 * @typedef {import("./ladder.js").Ladder} Ladder
 * @typedef {import("./sessions.js").Session} Session
 */

/** Whether it is told of the other side that it was not there to take it. @param {string | undefined} state */
const absent = (state) => (state === "away" ? "away" : state === "queued" ? "queued" : "");

/** What stands at the row in the picture. @param {Row} row @returns {string} */
export function label(row) {
  const { kind, count, line } = row;
  const times = count > 1 ? ` ×${count}` : "";
  switch (kind) {
    case "arrow":
      return [`${line.type}${times}`, line.repeat && "again", absent(line.state), row.answeredMs !== undefined && `after ${span(row.answeredMs)}`].filter(Boolean).join(" · ");
    case "refused":
      return `${line.type}${times} · ${line.slug}`;
    case "left":
      return leftFor(line.reason);
    case "reader":
      return reader(row);
    case "ice":
      return [`ICE ${line.ice}`, line.way, line.found && `found ${line.found.join(", ") || "no candidate"}`].filter(Boolean).join(" · ");
    case "ended":
      return `${endedBy(line.reason ?? "unknown", doerOf(line))}${line.after_ms === undefined ? "" : ` after ${span(line.after_ms)}`}`;
    case "gap":
      return "lines are missing here";
    case "pause":
      return `${span(row.until - row.at)} of silence`;
    default:
      return kind;
  }
}

/** @param {Row} row */
function reader({ line: { event, transport, door, how, gap, reason, ms } }) {
  const name = `${transportName(transport)}${door === "notices" ? " of notices" : ""}`;
  if (event === "stopped") return `${name} over: ${stoppedFor(reason)}${ms === undefined ? "" : ` after ${span(ms)}`}`;
  if (how === "gap") return `${name} with a gap (${gap ?? "events lost"})`;
  return `${name}${how === "resumed" ? " resumed" : ""}`;
}

/** The same for who does not see between whom it stands. @param {Row} row @returns {string} */
export function sentence(row) {
  const { kind, peer, from, to, line } = row;
  const session = line.session ? ` [${line.session}]` : "";
  switch (kind) {
    case "arrow":
      return `${from} -> ${to ?? "all"}: ${label(row)}${session}, ${size(row.bytes)}${row.until > row.at ? `, within ${span(row.until - row.at)}` : ""}`;
    case "refused":
      return `${from} -x ${to ?? "all"}: ${line.type}${row.count > 1 ? ` ×${row.count}` : ""} refused: ${line.slug}${session}`;
    case "joined":
      return `${peer} joined${line.order === undefined ? "" : ` (order ${line.order})`}`;
    case "left":
      return `${peer} ${label(row)}`;
    case "away":
      return `${peer} away`;
    case "back":
      return `${peer} back`;
    case "reader":
      return `${peer}: ${label(row)}`;
    case "ice":
      return `${peer}: ${label(row)}${line.way ? ` (${inWay(line.way)})` : ""}${session}`;
    case "ended":
      return `${from} -- ${to}: ended (${line.reason}): ${label(row)}${session}`;
    default:
      return `… ${label(row)}`;
  }
}

/**
 * A ladder for a ticket: whom it is between, what became of it, and every row.
 * @param {Ladder} drawn
 * @param {{room: string, server: string, now: number, sessions: Session[], only?: Session}} about
 * @returns {string}
 */
export function asText({ lanes, rows, began }, { room, server, now, sessions, only }) {
  const told = only ? [only] : sessions;
  const rights = rows.map((row) => since(row.at - began));
  const width = Math.max(0, ...rights.map(({ length }) => length));
  const between = lanes.map(({ peer }) => peer).join(", ");
  const pairs = told.map(({ id, from, to }) => [`[${id}]`, `${from} -> ${to}`]);
  const [ids, names] = [0, 1].map((n) => Math.max(0, ...pairs.map((pair) => pair[n].length)));
  return [
    `Room ${room} at ${server}`,
    `Time 0 is ${stamp(began)}; copied ${stamp(now)}`,
    `${counted(lanes.length, "peer")}: ${between || "none"}`,
    "",
    ...(told.length ? told.map((session, n) => `${pairs[n][0].padEnd(ids)} ${pairs[n][1].padEnd(names)}  ${verdict(session, now).words}`) : ["No session."]),
    "",
    ...rows.map((row, n) => (row.kind === "pause" ? `${"".padStart(width)}  ${sentence(row)}` : `${rights[n].padStart(width)}  ${sentence(row)}`)),
    "",
  ].join("\n");
}
