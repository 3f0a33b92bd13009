/** The places of this page's PeerJS ids in their rooms, which one socket leaves and the next one takes. */

import { sleep } from "../backoff.js";
import { asError } from "../error.js";
import { join } from "../switchboard.js";

/** How long the server may still hold a place of whose end it could not be told: two minutes where nobody has listened yet. */
const HELD_MS = 130_000;
const TRY_MS = 2_000;

/** @typedef {import("../room.js").Room} Room */

/** Joins that are under way and that nobody waits for any more. @type {Map<string, Promise<Room>>} */
const unwanted = new Map();
/** Leaves, each with the time until which the server may not know of it. @type {Map<string, Promise<number>>} */
const leaving = new Map();

/**
 * Joins, once whoever had the place before has left. A join that was given up while it is under way is taken over: the
 * server may have let it in already.
 *
 * @param {string} key of the place
 * @param {string | URL} url
 * @param {string} room
 * @param {import("../switchboard.js").JoinOptions} options
 * @returns {Promise<Room>}
 */
export function take(key, url, room, options) {
  /** @type {Promise<Room>} */
  const joining = unwanted.get(key) ?? enter(key, () => unwanted.get(key) !== joining, url, room, options);
  unwanted.delete(key);
  return joining;
}

/**
 * Leaves as soon as the join is done, unless it has been taken over by then.
 *
 * @param {string} key of the place
 * @param {Promise<Room>} joining
 */
export function giveUp(key, joining) {
  unwanted.set(key, joining);
  const unused = () => unwanted.get(key) === joining && unwanted.delete(key);
  void joining.then((room) => unused() && leave(key, room), unused);
}

/** @param {string} key of the place @param {Room} room */
export function leave(key, room) {
  const left = room.leave().then(() => 0, () => Date.now() + HELD_MS);
  leaving.set(key, left);
  void left.then((heldUntil) => heldUntil === 0 && leaving.get(key) === left && leaving.delete(key));
}

/**
 * @param {string} key
 * @param {() => boolean} wanted
 * @param {string | URL} url
 * @param {string} room
 * @param {import("../switchboard.js").JoinOptions} options
 */
async function enter(key, wanted, url, room, options) {
  const heldUntil = (await leaving.get(key)) ?? 0;
  for (;;) {
    if (!wanted()) throw new Error("nobody waits for it");
    try {
      return await join(url, room, options);
    } catch (thrown) {
      if (asError(thrown).slug !== "peer-exists" || Date.now() > heldUntil) throw thrown;
      await sleep(TRY_MS);
    }
  }
}
