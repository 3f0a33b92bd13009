/** What the facts come to, in words: usable how, and what to ask of whom. */

import { sharesPort } from "./ice.js";
import { FULL } from "./member.js";
import { seconds } from "./patience.js";

/**
 * @typedef {object} Facts
 * @property {string} base
 * @property {boolean} [over] no more will be measured
 * @property {import("./requests.js").Requests} [requests]
 * @property {import("./member.js").Member["joined"]} [joined]
 * @property {number} [heartbeatMs]
 * @property {import("./ticks.js").Ticks} [ticks]
 * @property {import("./member.js").Stream} [stream]
 * @property {import("./member.js").Poll} [poll]
 * @property {import("./member.js").LongPoll} [longPoll]
 * @property {import("./requests.js").Outcome & {ms?: number}} [websocket]
 * @property {import("./ticks.js").Silence[]} silences
 * @property {import("./ice.js").Ice} ice
 *
 * @typedef {object} Verdict
 * @property {"sse"|"poll"|"none"} usable
 * @property {"good"|"warn"|"bad"} level
 * @property {string} title
 * @property {string} lead
 * @property {string} media
 * @property {string[]} advice for the network's administrator
 */

const DIFFERENCE_MS = 250;
/** Silences that differ by less are as long as each other. */
const CLOSE_MS = 500;

/** Of a relay that is reached on the port that the server speaks HTTP on. */
export const SHARED = " on the server’s own port";
export const NO_TURN = "No TURN server is configured: calls between strict networks will fail.";

/**
 * How long a silence ended a connection, if any did; a cut that came sooner than a silence that another connection bore had
 * another cause.
 * @param {Facts} facts @returns {number|undefined}
 */
export function idleCut(facts) {
  const borne = longestSilence(facts);
  const ended = facts.silences.filter(({ state }) => state === "cut" || state === "dark").map(({ state, forMs, wantedMs }) => (state === "dark" ? wantedMs : forMs));
  const cuts = ended.filter((ms) => ms + CLOSE_MS > borne);
  return cuts.length > 0 ? Math.min(...cuts) : undefined;
}

/** The longest silence that a connection bore, or 0. @param {Facts} facts */
export const longestSilence = ({ silences }) => Math.max(0, ...silences.filter(({ state }) => state === "kept").map(({ wantedMs }) => wantedMs));

/** The stream is good for signaling. @param {Facts} facts */
export const streams = ({ ticks, stream }) => Boolean((ticks?.passes || ticks?.busy) && stream?.ok);

/** Neither stream nor poll was to be had for want of a place on the server. @param {Facts} facts */
const isFull = ({ stream, poll }) => [stream?.why, poll?.why].every((why) => why === FULL || /^HTTP 503/.test(why ?? ""));

/** The server itself refuses the join, by one of these. @param {Facts} facts @param {number[]} statuses */
const refuses = ({ joined }, statuses) => statuses.includes(joined?.refused ?? 0);

/** The same for want of an access token, unless it may have got lost on the way. @param {Facts} facts */
export const wantsAccess = (facts) => facts.requests?.authorization === "kept" && refuses(facts, [401, 403]);

/** @param {Facts} facts @returns {Verdict} */
export function verdict(facts) {
  // A join is a POST: where it passed, POST is not blocked, whatever became of some others.
  const up = facts.joined?.ok;
  const usable = !up ? "none" : streams(facts) ? "sse" : facts.poll?.ok ? "poll" : "none";
  const cut = idleCut(facts);
  const cutsHeartbeat = cut !== undefined && facts.heartbeatMs !== undefined && cut <= facts.heartbeatMs;
  const advice = adviceFor(facts, usable, cutsHeartbeat ? cut : undefined);
  const media = mediaWord(facts);
  const lossy = facts.requests && !facts.requests.post.ok;
  if (usable === "sse" && !cutsHeartbeat && lossy) return { usable, level: "warn", title: "Calls can be set up here, but many requests get lost.", lead: `Of some POST requests most had no answer: ${facts.requests?.post.why}.`, media, advice };
  if (usable === "sse" && !cutsHeartbeat) return { usable, level: "good", title: "Calls can be set up here, over the event stream.", lead: "Requests go up, and events come down as they are written. This is the best case.", media, advice };
  if (usable === "sse") {
    const lead = `Events come down as they are written, but a connection that is silent for ${seconds(cut ?? 0)} is cut, and the server says something only every ${seconds(facts.heartbeatMs ?? 0)}. Nothing is lost: the stream is built anew each time.`;
    return { usable, level: "warn", title: "Calls can be set up here, over an event stream that is often cut.", lead, media, advice };
  }
  if (usable === "poll") return { usable, level: "warn", title: "Calls can be set up here, by long-poll.", lead: `${streamFault(facts)} Switchboard sees this by itself and asks for events instead: signals take a little longer, calls are the same.`, media, advice };
  if (up && isFull(facts)) return { usable, level: "bad", title: "The server is full just now, which says nothing of this network path.", lead: "It takes requests, but has no place for another reader: try again later.", media: "", advice };
  if (wantsAccess(facts)) return { usable, level: "bad", title: "The server wants an access token, which says nothing of this network path.", lead: `It takes requests, but no join without a token that admits to the room: ${facts.joined?.why}. Below there is a field for one.`, media: "", advice };
  if (refuses(facts, [409, 422, 429, 503])) return { usable, level: "bad", title: "The server refuses the join, which says nothing of this network path.", lead: `It takes requests, but not this one: ${facts.joined?.why}.`, media: "", advice };
  return { usable, level: "bad", title: "Calls cannot be set up over this network path.", lead: upFault(facts), media: "", advice };
}

/** @param {Facts} facts */
function streamFault({ ticks, stream }) {
  if (ticks && ticks.arrived.length > 0 && (ticks.heldMs ?? 0) >= DIFFERENCE_MS) return `The event stream is held back on the way, for ${seconds(ticks.heldMs ?? 0)} in the check: something reads responses to their end before it hands them on, as content scanners do.`;
  return `The event stream does not come through (${(ticks?.busy ? undefined : ticks?.why) ?? stream?.why ?? "it came changed"}).`;
}

/** @param {Facts} facts */
function upFault({ requests, joined, poll }) {
  if (!requests?.reached.ok && !requests?.post.ok) return `The server is not reached: ${requests?.reached.why ?? "no answer"}.`;
  if (!requests.post.ok && !joined?.ok) return `POST requests do not arrive: ${requests.post.why}.`;
  if (!joined?.ok) return `Requests arrive, but a room cannot be joined: ${joined?.why}.`;
  return `Requests go up, but no events come down, neither by stream nor by long-poll (${poll?.why}).`;
}

/** @param {Facts} facts @param {Verdict["usable"]} usable @param {number} [cut] */
function adviceFor(facts, usable, cut) {
  const { base, requests, ticks, longPoll, joined } = facts;
  /** @type {string[]} */
  const advice = [];
  if (requests && !requests.reached.ok && !requests.post.ok) return [`Allow HTTP requests to ${base}/.`];
  if (requests && !requests.post.ok && !joined?.ok) advice.push(`Allow POST requests to ${base}/.`);
  if (requests?.authorization && requests.authorization !== "kept") advice.push(`Pass the request header Authorization on to ${base}/ unchanged.`);
  if (requests?.lastEventId && requests.lastEventId !== "kept") advice.push(`Pass the request header Last-Event-ID on to ${base}/ unchanged.`);
  if (joined?.ok && usable !== "sse" && !isFull(facts)) advice.push(`Exempt text/event-stream at ${base}/ from content scanning and response buffering.`);
  if (ticks?.encoding) advice.push(`Do not compress text/event-stream from ${base}/ (it came as ${ticks.encoding}).`);
  if (ticks?.contentType) advice.push(`Leave the content type text/event-stream from ${base}/ as it is (it came as ${ticks.contentType}).`);
  if (cut !== undefined) advice.push(`Set the idle time-out for connections to ${base}/ above ${seconds(facts.heartbeatMs ?? 0)} (it is about ${seconds(cut)}).`);
  if ((longPoll?.state === "cut" || longPoll?.state === "early") && usable === "poll") advice.push(`Let requests to ${base}/ run for 30 s (one was over after ${seconds(longPoll.forMs)}).`);
  return advice;
}

/** @param {Facts} facts */
function mediaWord({ ice, base }) {
  if (ice.host?.why || ice.host?.count === 0) return "This browser offers no address of its own for picture and sound: WebRTC may be switched off here.";
  if (ice.relays.length === 0) return NO_TURN;
  if (ice.relays.some(({ state }) => state === "running")) return "";
  const ways = ice.relays.filter(({ state }) => state === "good").map((relay) => `${relay.transport.toUpperCase()}${sharesPort(relay, base) ? SHARED : ""}`);
  if (ways.length > 0) return `A relay for picture and sound can be had over ${[...new Set(ways)].join(", ")}, whatever the other network is like.`;
  return "The TURN server gives no relay over any way tried: calls between strict networks will fail.";
}
