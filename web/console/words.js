/** The server's words in those of a person who looks after it. Knows no page. */

/** Why a membership is over, after the peer's name. @type {Record<string, string>} */
const LEFT = {
  hangup: "hung up",
  left: "left",
  timeout: "lost (timeout)",
  kicked: "kicked",
  "room-closed": "out: the room was closed",
  rejoined: "joined anew",
  expired: "out: its access ran out",
  unknown: "no longer known",
};

/** Why a session is over, after the name of whose doing it was. @type {Record<string, string>} */
const ENDED = { ...LEFT, "room-closed": "out when the room was closed" };

/** @type {Record<string, string>} */
const WAYS = {
  direct: "directly",
  stun: "through NAT by STUN",
  "relay-udp": "through the relay",
  "relay-tcp": "through the relay by TCP",
  "relay-tls": "through the relay by TLS",
};

/** Why a reader is over. @type {Record<string, string>} */
const STOPPED = {
  slow: "it read too slowly",
  replaced: "a newer one took its place",
  drain: "the server went away",
  "max-age": "it had its time",
  silent: "no sign of life",
  expired: "its access ran out",
  left: "its peer left",
  timeout: "its peer was lost",
  kicked: "its peer was kicked",
  "room-closed": "the room was closed",
  rejoined: "its peer joined anew",
};

/** @type {Record<string, string>} */
const TRANSPORTS = { sse: "event stream", ndjson: "NDJSON stream", poll: "long-poll" };

/** Ids that were made up say as much in short: the first eight of a UUID's digits. @param {string} peer */
export const brief = (peer) => (/^[0-9a-f]{8}-[0-9a-f]{4}-/i.test(peer) ? peer.slice(0, 8) : peer);

/** @param {string | undefined} reason */
export const leftFor = (reason = "left") => LEFT[reason] ?? `gone (${reason})`;

/** @param {string} reason @param {string | undefined} peer whose doing */
export function endedBy(reason, peer) {
  if (!peer) return reason === "room-closed" ? "the room was closed" : `ended (${reason})`;
  return `${brief(peer)} ${ENDED[reason] ?? `ended it (${reason})`}`;
}

/** @param {string} way */
export const inWay = (way) => WAYS[way] ?? `by ${way}`;

/** @param {string | undefined} reason */
export const stoppedFor = (reason) => (reason === undefined ? "the connection went" : (STOPPED[reason] ?? reason));

/** @param {string | undefined} transport */
export const transportName = (transport = "") => TRANSPORTS[transport] ?? transport;
