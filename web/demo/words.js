/** Every reason and refusal of the protocol in the words of a conversation. Knows no page and no room. */

/** Why somebody else's part of a call is over, as the rest of a sentence that begins with their name. */
const THEIRS = new Map(Object.entries({
  hangup: "hung up",
  left: "left the room",
  timeout: "lost the connection",
  kicked: "was removed by the operator",
  "room-closed": "is gone: the room was closed",
  rejoined: "came in anew",
  expired: "lost permission to be here",
  unknown: "is no longer known to the server",
  "no-key": "came without the key to this room",
  "other-key": "has another key to this room",
  sealed: "has the key to this room, which your link lacks",
  "rate-limited": "can’t be called: too many calls are open at once",
  failed: "can’t be reached: no network path between the two of you",
}));

/** Why one's own membership ended, and what to do about it. */
const OURS = new Map(Object.entries({
  left: "You left the room.",
  timeout: "The server heard nothing from this page for too long. Join again to go on.",
  kicked: "The operator removed you from this room.",
  "room-closed": "The operator closed this room.",
  rejoined: "This call was continued in another tab or window. It ended here so that you are in the room only once.",
  replaced: "Another tab took over this call.",
  expired: "Your permission to be here ran out. Ask for a new link, then join again.",
  unknown: "The server no longer knows this call, perhaps because it was restarted. Join again to go on.",
}));

/** What the server refused at the door, and what to do about it. */
const REFUSALS = new Map(Object.entries({
  "room-full": "This room is full. Wait until somebody leaves, or choose another room.",
  "peer-exists": "Somebody is in this room under the same id. Close the other tab, or open this page afresh.",
  "bad-id": "That is no name for a room. Use letters, digits, dots, hyphens and underscores, 64 at most.",
  "bad-token": "The server did not accept your key. Ask whoever invited you for a new link.",
  "not-allowed": "You may not enter this room. Ask whoever invited you for a new link.",
  "insecure-context": "A private link works only where this page came by HTTPS. Open the same link with https:// in front.",
  "rate-limited": "Too many people are joining from your network just now. Wait a few seconds, then try again.",
  draining: "The server is about to restart. Try again in a few seconds.",
  overloaded: "The server is busy. Try again in a few seconds.",
  "store-unavailable": "The server can’t reach its store. Try again in a few seconds.",
}));

/** What the lobby says of a link whose end was lost on the way. */
export const KEY_CUT = "This private link is not whole: a part of its key is missing. Ask whoever invited you for the whole link.";

/** What the lobby says of private links where they can’t be had. */
export const NO_CRYPTO = "Private links need HTTPS, and this page came without it.";

/** Nobody in the room has the key of this page. @type {Map<string, string>} */
const DIFFERENT = new Map([
  ["other-key", "This link has another key than the others in this room. Ask them for the whole link, then open that."],
  ["no-key", "The others came without the key of your private link, so they can’t be called. Send them the whole link."],
  ["sealed", "The others here came by a private link, and yours lacks its key. Ask them for the whole link, then open that."],
]);

/** @param {string|null} slug */
export const keysDiffer = (slug) => DIFFERENT.get(slug ?? "") ?? "";

/** Of a message that can’t be read. @param {string} slug @param {string} name */
export function unread(slug, name) {
  const words = THEIRS.get(slug);
  if (words) return `${name} ${words}, and can’t be called`;
  if (slug === "replayed") return `Something from ${name} came twice, and was used once`;
  return `Something that came as from ${name} was changed on the way, and is not used`;
}

/** @param {string|null|undefined} reason @param {"us"|"them"} by @param {string} name */
export function callEnded(reason, by, name) {
  if (by === "us" && reason === "hangup") return "You hung up";
  return `${name} ${THEIRS.get(reason ?? "") ?? "is gone"}`;
}

/** @param {string|null|undefined} reason */
export const gone = (reason) => THEIRS.get(reason ?? "") ?? "is gone";

/** @param {{reason: string, detail?: string}} end */
export function membershipEnded(end) {
  const words = OURS.get(end.reason) ?? "The call ended.";
  return end.detail ? `${words} They said: “${end.detail}”` : words;
}

/** @param {unknown} error */
export function joinFailed(error) {
  const { status = 0, slug = "", detail = "" } = /** @type {{status?: number, slug?: string, detail?: string}} */ (error ?? {});
  const words = REFUSALS.get(slug);
  if (words) return words;
  if (!status) return "The server can’t be reached. Check that you are online, then start again.";
  return detail || `The server answered with an error (${status}). Try again in a moment.`;
}

/** @param {unknown} error */
export function cameraFailed(error) {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError") return "The camera was not allowed, so a drawn picture is sent. To change that, allow it beside the address, then start again.";
  if (name === "NotFoundError") return "There is no camera here, so a drawn picture is sent.";
  if (name === "NotReadableError") return "Another program holds the camera, so a drawn picture is sent. Close that program, then start again.";
  if (name === "NotSupportedError") return "This page has no access to a camera (it needs HTTPS), so a drawn picture is sent.";
  return "The camera did not start, so a drawn picture is sent.";
}

/** @param {"sse"|"poll"|null} transport @param {string} state */
export function transportInUse(transport, state) {
  if (state === "ended") return "Not connected";
  if (state === "reconnecting") return "Reconnecting…";
  if (transport === "sse") return "EventSource stream";
  if (transport === "poll") return "Long-poll";
  return "Connecting…";
}

/** What the stream gave way to, where the reason is worth a word. @type {Map<string, string>} */
const WHY = new Map([
  ["unproved", ", since the stream was held back on the way"],
  ["cut", ", since streams are cut on the way"],
  ["connections", ", since other tabs hold the streams"],
]);

/** @param {string} transport @param {string} why */
export function transportChanged(transport, why) {
  return transport === "poll" ? `Events come by long-poll${WHY.get(why) ?? ""}` : "Events come by the stream";
}

/**
 * The state of one person, for the list.
 * @param {{presence: string, state: string, reason: string|null, by: "us"|"them"}} person
 */
export function personState({ presence, state, reason, by }) {
  if (presence === "gone") return gone(reason);
  if (presence === "away") return "away, may come back";
  if (state === "connected") return "connected";
  if (state === "disconnected") return "connection interrupted";
  if (state === "failed") return "no network path";
  if (state === "ended") return by === "us" ? "you hung up" : gone(reason);
  return "connecting…";
}

/** @param {import("../client/way.js").Way} way */
export function wayInShort({ kind, relay, transport }) {
  if (relay === "theirs") return "their relay";
  if (kind === "relay") return `relay · ${transport.toUpperCase()}`;
  return `${kind === "stun" ? "via STUN" : "direct"}${transport === "udp" ? "" : ` · ${transport.toUpperCase()}`}`;
}

/**
 * @param {import("../client/way.js").Way} way
 * @param {string} name of the other side
 * @param {boolean} unwanted whether it should run through a relay of this side, and does not
 */
export function wayInWords({ kind, relay, transport }, name, unwanted) {
  if (unwanted) return "Not through a relay of yours so far.";
  const by = transport.toUpperCase();
  if (relay === "both") return `Through your relay, by ${by}, and through ${name}’s.`;
  if (relay === "theirs") return `Through ${name}’s relay.`;
  if (kind === "relay") return `Through your relay, by ${by}.`;
  if (kind === "stun") return "From machine to machine, through NAT by STUN.";
  return `From machine to machine, by ${by}.`;
}

/** @param {number} bits a second */
export function rateInWords(bits) {
  const [size, unit] = bits >= 999_500 ? [bits / 1e6, "Mbit/s"] : [bits / 1e3, "kbit/s"];
  const digits = size < 9.95 && size > 0 ? 1 : 0;
  return `${size.toFixed(digits).replace(/\.0$/, "")}\u00a0${unit}`;
}

/** @param {number} ms */
export const roundTripInWords = (ms) => `${ms < 1 ? "<\u00a01" : Math.round(ms)}\u00a0ms`;

/** Of the switch that has calls run through relays alone. @param {import("./meeting.js").Meeting["relay"]} relay */
export function relayInWords({ on, locked, offered, moving }) {
  if (moving) return "Moving the calls to the new way…";
  if (!offered && (on || locked)) return "This server names no relay (TURN server), so nobody can be reached.";
  if (locked) return "This room hides everybody’s address from the others.";
  if (!offered) return "This server names no relay (TURN server).";
  return on ? "The others see the relay’s address in place of yours." : "Hides your address from the others.";
}
