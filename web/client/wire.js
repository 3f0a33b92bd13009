/**
 * The shapes that travel between this client and the server. Types only: nothing here runs.
 *
 * @typedef {object} WireEvent  One event as any reader hands it on.
 * @property {string} [id] The cursor of the event; control events such as `ping` and `end` have none.
 * @property {string} event
 * @property {any} data
 *
 * @typedef {object} Peer
 * @property {string} peer
 * @property {any} meta In a room with a key null where it can't be read.
 * @property {string} state `live`, `queued` or `away`.
 * @property {number} order Rises with each join; of two peers the lower one offers.
 *
 * @typedef {object} Session
 * @property {string} session
 * @property {string} peer The other party.
 * @property {string} state `offered` or `answered`.
 *
 * @typedef {object} Gap
 * @property {string} reason `evicted`, `reset`, `overflow` or `bad-cursor`.
 * @property {number} [lost]
 *
 * @typedef {object} Snapshot  What `ready` and a poll's answer say of the present.
 * @property {Gap} [gap]
 * @property {Peer[]} [peers]
 * @property {Session[]} [sessions]
 * @property {string} [cursor] Where the replay starts.
 * @property {number} replayed How many events of the past follow.
 *
 * @typedef {object} End
 * @property {string} reason
 * @property {"now" | "later" | "never"} retry
 * @property {string} [detail]
 *
 * @typedef {object} Signal
 * @property {string} [to] Left out: every other peer in the room.
 * @property {string} type
 * @property {string} [session]
 * @property {any} [data]
 * @property {string} [id] The idempotency key; made up where left out.
 *
 * @typedef {object} SignalResult
 * @property {string} [id]
 * @property {string} [session]
 * @property {{peer: string, state?: string, refused?: string}[]} to
 * @property {boolean} [duplicate]
 *
 * @typedef {object} Joined  The answer to a join.
 * @property {string} room
 * @property {string} peer
 * @property {number} order
 * @property {string} token
 * @property {string} cursor
 * @property {string} [ticket]
 * @property {Peer[]} peers
 * @property {RTCIceServer[]} [iceServers]
 * @property {"relay"} [iceTransportPolicy] Where the room hides the addresses of its members.
 * @property {number} [ttl] Of the ICE servers' credentials, in seconds. Beside these there is more for clients of another kind:
 *   `expires_at`, `username`, `password`, `uris`.
 * @property {number} [heartbeat_ms]
 * @property {number} [grace_ms]
 * @property {boolean} [reports] Whether an operator wants to be told how ICE fares in calls.
 *
 * @typedef {"sse" | "poll"} Transport
 * @typedef {"auto" | Transport} Mode
 */

export {};
