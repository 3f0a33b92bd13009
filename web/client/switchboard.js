/**
 * The browser client of Switchboard: WebRTC signaling over plain HTTP.
 *
 *     import { join, connect } from "/client/switchboard.js";
 *     const room = await join(location.origin, "demo");
 *     room.addEventListener("peer-joined", ({ detail }) => connect(room, detail.peer));
 */

import { SwitchboardError } from "./error.js";
import { enter } from "./entry.js";
import { Identity } from "./identity.js";
import { uuid } from "./random.js";
import { Requests, baseOf } from "./request.js";
import { Room } from "./room.js";
import { Secrecy } from "./secrecy.js";

export { Room } from "./room.js";
export { Call, connect } from "./call.js";
export { negotiate } from "./negotiation.js";
export { SwitchboardError } from "./error.js";
export { keyIn, makeKey } from "./secrecy.js";
export { wayOf } from "./way.js";

/**
 * @typedef {object} JoinOptions
 * @property {string} [peer] This peer's id; made up where left out.
 * @property {unknown} [meta] What the others are told about this peer, at most 4 KiB of JSON.
 * @property {import("./entry.js").AccessToken} [accessToken] For servers with access keys; a function can renew it.
 * @property {string | null} [key] What the members share and the server must not know, of {@link makeKey}: signals and metas are sealed under it.
 *   Null is refused, so that a link which lacks its key opens no room in the open.
 * @property {import("./wire.js").Mode} [transport] `auto` where left out.
 * @property {AbortSignal} [signal] Ends the attempt to join; later on it leaves the room.
 * @property {boolean} [reports] Tell the server's operator, where it has one, how ICE fares in calls of `connect`: connected, lost, and by
 *   what kind of way; nothing else. On unless `false`.
 * @property {boolean} [remember] Keep the peer token in sessionStorage, so that a reload is the same peer. On unless `false`.
 */

/**
 * Joins a room.
 *
 * @param {string | URL} url The server, such as `location.origin`; a path prefix is allowed.
 * @param {string} room
 * @param {JoinOptions} [options]
 * @returns {Promise<Room>} rejects with a {@link SwitchboardError}, or with the signal's reason.
 */
export async function join(url, room, options = {}) {
  const { signal, accessToken, meta, key, transport = "auto" } = options;
  if (!["auto", "sse", "poll"].includes(transport)) throw new TypeError(`no such transport: ${transport}`);
  if (signal?.aborted) throw signal.reason;
  const secrecy = key === undefined ? null : await Secrecy.of(key, room);
  const requests = new Requests(baseOf(url), room);
  const identity = await Identity.claim({ base: requests.base, room, peer: options.peer, remember: options.remember !== false });
  try {
    const joined = await enterAs(requests, identity, secrecy, options);
    requests.identify(joined.peer, joined.token);
    identity.keep(joined.peer, joined.token);
    if (signal?.aborted) {
      void requests.leave().catch(() => {});
      throw signal.reason;
    }
    const opened = secrecy ? await secrecy.openPeers(joined.peers ?? []) : undefined;
    const membership = { requests, identity, joined: { ...joined, ...(opened && { peers: opened.peers }) }, problems: opened?.errors, secrecy };
    return new Room({ ...membership, name: room, meta, accessToken, transport, signal, chosen: options.peer !== undefined, reports: options.reports });
  } catch (thrown) {
    identity.end({ forgotten: false });
    throw thrown;
  }
}

/**
 * @param {Requests} requests
 * @param {Identity} identity
 * @param {Secrecy | null} secrecy
 * @param {JoinOptions} options
 */
async function enterAs(requests, identity, secrecy, { peer, meta, accessToken, signal }) {
  const remembered = identity.token;
  const sealed = async () => (secrecy ? secrecy.sealMeta(identity.peer, meta) : meta);
  try {
    return await enter(requests, { peer: identity.peer, meta: await sealed(), token: remembered, fresh: true }, { accessToken, signal });
  } catch (thrown) {
    const stale = thrown instanceof SwitchboardError && [401, 409, 410].includes(thrown.status);
    if (!remembered || !stale || thrown.slug === "room-full") throw thrown;
    // The remembered token means nothing to this server any more. An id the application did not choose is given up with it.
    identity.startOver(peer ?? (thrown.slug === "peer-exists" ? uuid() : identity.peer));
    return enter(requests, { peer: identity.peer, meta: await sealed() }, { accessToken, signal });
  }
}
