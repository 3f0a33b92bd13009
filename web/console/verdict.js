/** What became of a session, in one line. Knows no page and keeps nothing: it says what the lines so far say. */

import { span } from "./durations.js";
import { NEVER_BEGUN } from "./sessions.js";
import { brief, endedBy, inWay } from "./words.js";

/** From then on nobody waits for an answer, or for a path, and thinks nothing of it. */
export const PATIENCE_MS = 10_000;

/** Ends that somebody wanted. */
const WANTED = new Set(["hangup", "left", "kicked", "room-closed", "rejoined"]);

/**
 * @typedef {import("./sessions.js").Session} Session
 *
 * @typedef {object} Verdict
 * @property {"good" | "bad" | "warn" | "open" | "none"} level `open`: it is still being set up. `none`: there is nothing to say against it, nor for it.
 * @property {string} words
 * @property {boolean} failed Whether somebody wanted to talk and could not, or no longer.
 */

/**
 * @param {Session} session
 * @param {number} now by the server's clock
 * @returns {Verdict}
 */
export function verdict(session, now) {
  if (session.ended?.reason === NEVER_BEGUN) return { level: "bad", words: `offer refused: ${inShort(session.refused.filter(({ type }) => type === "offer").map(({ slug = "" }) => slug))}`, failed: true };
  const parts = [beginning(session, now), loss(session), ending(session), refusals(session)].filter((part) => part !== undefined);
  const rank = /** @type {const} */ (["bad", "warn", "good", "open", "none"]);
  const level = rank.find((one) => parts.some((part) => part.level === one)) ?? "none";
  return { level, words: parts.map(({ words }) => words).join("; "), failed: level === "bad" };
}

/** @typedef {{level: Verdict["level"], words: string}} Part */

/** @param {Session} session @param {number} now @returns {Part} */
function beginning(session, now) {
  const { from, to, at, whole, answered, answeredMs, connectedAt, way, reach, ended, torn } = session;
  const waited = (ended?.at ?? now) - at;
  if (connectedAt !== undefined) {
    const after = whole ? ` after ${span(connectedAt - at)}` : "";
    return { level: "good", words: `connected${after}${way ? `, ${inWay(way)}` : ""}` };
  }
  if (!answered && !whole) return { level: "none", words: "begun before what is kept" };
  if (!answered && torn) return { level: "none", words: "offered" };
  if (!answered) {
    const absent = reach === "away" ? `: ${brief(to)} was away` : reach === "queued" && !session.candidates.has(to) ? `: ${brief(to)} had no reader open` : "";
    if (!ended && waited < PATIENCE_MS) return { level: "open", words: `offered, waiting for ${brief(to)}` };
    return { level: "bad", words: `offered, never answered${absent}` };
  }
  const after = answeredMs === undefined ? "" : ` after ${span(answeredMs)}`;
  // A browser that finds none sends the mark that ends their list all the same, which looks like one.
  const foundNone = [from, to].filter((peer) => session.found.get(peer)?.length === 0);
  const silent = foundNone.length ? foundNone : [from, to].filter((peer) => !session.candidates.has(peer));
  // Both may have had them within their descriptions.
  if (silent.length === 2 && !foundNone.length && whole) return { level: inTime(session, waited, "none"), words: `answered${after}, no candidates sent apart` };
  // Who went early may have had no time for any.
  const early = ended && waited < PATIENCE_MS && session.failedAt.size === 0;
  if (foundNone.length || (silent.length && whole && !early)) return { level: inTime(session, waited, "warn"), words: `answered${after}, no candidate from ${silent.map(brief).join(", nor from ")}` };
  if (session.failedAt.size > 0) return { level: "bad", words: `answered${after}, never connected` };
  if (!ended && waited < PATIENCE_MS) return { level: "open", words: `answered${after}` };
  // Only pages that report can say more.
  if (session.reports.size === 0) return { level: "none", words: `answered${after}` };
  return { level: waited >= PATIENCE_MS && isKnown(session) ? "bad" : "none", words: `answered${after}, ${ended ? "never connected" : "not connected"}` };
}

/** Of what has been answered and may lack something. @param {Session} session @param {number} waited @param {Part["level"]} late @returns {Part["level"]} */
const inTime = ({ failedAt, ended }, waited, late) => (failedAt.size > 0 ? "bad" : ended || waited >= PATIENCE_MS ? late : "open");

/** @param {Session} session @returns {Part | undefined} */
function loss(session) {
  const { at, whole, failedAt, reports, ended, connectedAt } = session;
  if (failedAt.size > 0) {
    const first = Math.min(...failedAt.values());
    const sides = [...failedAt.keys()].map((peer) => `${brief(peer)}${finds(session, peer)}`).join(" and ");
    return { level: "bad", words: `ICE failed at ${sides}${whole ? ` after ${span(first - at)}` : ""}${connectedAt === undefined && relayless(session) ? ", no relay on either side" : ""}` };
  }
  const cut = [...reports].filter(([, { ice }]) => ice === "disconnected").map(([peer]) => brief(peer));
  if (cut.length === 0) return undefined;
  if (connectedAt === undefined) return { level: isKnown(session) ? "bad" : "none", words: `no path at ${cut.join(" and ")}` };
  return ended ? undefined : { level: "warn", words: `interrupted at ${cut.join(" and ")}` };
}

/** Whether all of it has been seen, so that what is missing did not happen. @param {Session} session */
const isKnown = ({ whole, patchy }) => whole && !patchy;

/** What there was to try on a side, where there was something. @param {Session} session @param {string} peer */
const finds = ({ found }, peer) => (found.get(peer)?.length ? ` (found ${found.get(peer)?.join(", ")})` : "");

/** Whether each side has said what it found, and none found a relay. @param {Session} session */
const relayless = ({ found, from, to }) => [from, to].every((peer) => found.has(peer) && !found.get(peer)?.includes("relay"));

/** @param {Session} session @returns {Part | undefined} */
function ending({ ended, connectedAt, failedAt, answered, at, whole, torn }) {
  if (!ended) return torn ? { level: "none", words: "how it went on is not known" } : undefined;
  const afterMs = ended.afterMs ?? (whole ? ended.at - at : undefined);
  // Its client, after many attempts, or whoever sat before it.
  const gaveUp = ended.reason === "hangup" && ended.peer !== undefined && connectedAt === undefined && failedAt.size > 0;
  const words = `${gaveUp ? `${brief(ended.peer ?? "")} gave up` : endedBy(ended.reason, ended.peer)}${afterMs === undefined ? "" : ` after ${span(afterMs)}`}`;
  if (!WANTED.has(ended.reason)) return { level: "bad", words };
  return { level: connectedAt !== undefined || answered ? "none" : "warn", words };
}

/** @param {Session} session @returns {Part | undefined} */
function refusals({ refused, ended }) {
  // What comes behind the end is refused for that.
  const told = refused.filter(({ at, slug }) => slug !== "session-over" && slug !== "peer-left" && at <= (ended?.at ?? Infinity));
  if (told.length === 0) return undefined;
  return { level: "warn", words: `refused: ${inShort(told.map(({ type, slug }) => `${type} ${slug}`))}` };
}

/** @param {string[]} all */
function inShort(all) {
  const kinds = [...new Set(all)];
  return `${kinds.join(", ")}${all.length > kinds.length ? ` (${all.length} times)` : ""}`;
}
