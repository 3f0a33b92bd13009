/**
 * The shape that both transports have. A reader tells its listener what it hears until it is closed or over;
 * after either it says nothing more. It never reconnects by itself: that is the ladder's work.
 *
 * @typedef {object} Listener
 * @property {(event: import("../wire.js").WireEvent) => void} event Each event, in order.
 * @property {(snapshot: import("../wire.js").Snapshot) => void} snapshot Comes before the events it speaks of.
 * @property {(drained: {cursor?: string}) => void} drained All that was held has been handed over.
 * @property {() => Promise<void> | undefined} handed Once all that was told has been handed on; nothing where it has been.
 * @property {() => void} proved What the server writes reaches this page without being held back.
 * @property {() => void} held It is, write by write.
 * @property {() => void} lost The connection is gone and the reader is at work to get it back.
 * @property {(loss: Loss) => void} over
 *
 * @typedef {object} Loss
 * @property {string} why
 * @property {import("../error.js").SwitchboardError} [error] Where the answer said why.
 * @property {boolean} [heard] Whether this reader was hearing something until then.
 *
 * @typedef {object} Reader
 * @property {import("../wire.js").Transport} transport
 * @property {() => void} close
 * @property {(heartbeatMs: number) => number} silenceMs How long nothing may be heard before the way counts as broken.
 */

const nothing = () => {};

/** What a closed reader talks to. @type {Listener} */
export const SILENT = { event: nothing, snapshot: nothing, drained: nothing, handed: () => undefined, proved: nothing, held: nothing, lost: nothing, over: nothing };
