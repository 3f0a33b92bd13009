/**
 * What the server tells of what happens: envelopes, and never what is in them. Types only: nothing here runs.
 *
 * @typedef {object} Line
 * @property {string} id Its cursor, `EPOCH-SEQ`.
 * @property {string} event `joined` `left` `away` `back` `reading` `stopped` `signal` `refused` `session` `report`, or `gap`, which this page puts in itself.
 * @property {number} at By the server's clock, in milliseconds since 1970.
 * @property {string} room
 * @property {string} [peer]
 * @property {number} [order]
 * @property {string} [reason]
 * @property {"events" | "notices"} [door]
 * @property {string} [transport] `sse`, `ndjson`, `poll`
 * @property {"fresh" | "resumed" | "gap"} [how]
 * @property {string} [gap]
 * @property {number} [ms] How long a reader was open.
 * @property {string} [from]
 * @property {string} [to] Left out: all.
 * @property {string} [type]
 * @property {string} [session]
 * @property {string} [state] Of a signal `live`, `queued`, `away`; of a session `offered`, `answered`, `ended`.
 * @property {number} [bytes]
 * @property {boolean} [repeat] Sent before, and not handed on a second time.
 * @property {string} [slug]
 * @property {number} [after_ms] Since the offer.
 * @property {boolean} [answered] Of a session that is over, whether it had been answered. Its `from` is by whose doing it is over.
 * @property {string} [ice]
 * @property {string} [way]
 * @property {string[]} [found] `host`, `srflx`, `relay`
 */

export {};
