/** The way up: which requests arrive, how fast, and what is left of them. */

import { Failed, jsonOf, whyOf, within } from "./patience.js";

const PATIENCE_MS = 4000;
const POSTS = 5;
/** No secrets, and the server knows them: so it can say whether they came whole. */
const SHOWN = { Authorization: "Bearer switchboard-check", "Last-Event-ID": "switchboard-check" };

/**
 * @typedef {{ok: boolean, why?: string}} Outcome
 *
 * @typedef {object} Requests
 * @property {Outcome} reached
 * @property {Outcome & {ms?: number, answered?: number, made?: number}} post the middle one of some round trips, where most were answered
 * @property {Outcome} patch
 * @property {Outcome} remove DELETE
 * @property {"kept"|"changed"|"missing"} [authorization]
 * @property {"kept"|"changed"|"missing"} [lastEventId]
 * @property {string} [version] as the server sees it
 * @property {string} [protocol] as the browser sees it
 * @property {string} [via]
 * @property {string[]} [forwarded]
 * @property {number} [skewMs] how far the server's clock is ahead of the page's
 * @property {number} [doubtMs] by how much that may be wrong
 */

/**
 * @param {string} base
 * @param {string} method
 * @returns {Promise<{told: any, ms: number, skewMs: number}>}
 */
function ask(base, method) {
  return within(PATIENCE_MS, async (signal) => {
    const body = method === "GET" ? undefined : "check";
    const [began, at] = [performance.now(), Date.now()];
    const response = await fetch(`${base}/check/request`, { method, body, headers: SHOWN, cache: "no-store", signal });
    const told = await jsonOf(response);
    const ms = performance.now() - began;
    if (told.method !== method) throw new Failed("something on the way changed it");
    return { told, ms, skewMs: told.time_ms - (at + ms / 2) };
  });
}

/** @param {string} base @param {string} method @returns {Promise<Outcome>} */
async function arrives(base, method) {
  try {
    await ask(base, method);
    return { ok: true };
  } catch (thrown) {
    return { ok: false, why: whyOf(thrown) };
  }
}

/** @param {string} base @returns {Promise<Requests>} */
export async function checkRequests(base) {
  const not = { ok: false };
  /** @type {Requests} */
  const found = { reached: not, post: not, patch: not, remove: not };
  try {
    const { told } = await ask(base, "GET");
    found.reached = { ok: true };
    Object.assign(found, { authorization: told.authorization, lastEventId: told.last_event_id, version: told.version, via: told.via, forwarded: told.forwarded });
  } catch (thrown) {
    found.reached = { ok: false, why: whyOf(thrown) };
  }
  const [patch, remove] = await Promise.all([arrives(base, "PATCH"), arrives(base, "DELETE")]);
  Object.assign(found, { patch, remove });
  // One that gets lost can be chance; most of them are no chance.
  const [trips, lost] = [/** @type {Awaited<ReturnType<typeof ask>>[]} */ ([]), /** @type {string[]} */ ([])];
  while (trips.length + lost.length < POSTS && lost.length * 2 < POSTS) {
    await ask(base, "POST").then((trip) => trips.push(trip), (thrown) => lost.push(whyOf(thrown)));
  }
  trips.sort((one, other) => one.ms - other.ms);
  const count = { answered: trips.length, made: trips.length + lost.length };
  found.post = lost.length * 2 > POSTS ? { ok: false, why: lost.at(-1), ...count } : { ok: true, ms: trips[trips.length >> 1].ms, ...count };
  if (trips.length > 0) {
    // The quickest trip leaves the least room for an error.
    found.skewMs = trips[0].skewMs;
    found.doubtMs = trips[0].ms / 2;
  }
  found.protocol = protocolOf(`${base}/check/request`);
  return found;
}

/** @param {string} url */
function protocolOf(url) {
  const entries = /** @type {PerformanceResourceTiming[]} */ (performance.getEntriesByName(url, "resource"));
  return entries.map(({ nextHopProtocol }) => nextHopProtocol).filter(Boolean).at(-1);
}
