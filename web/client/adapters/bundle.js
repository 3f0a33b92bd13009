/** Everything in one, for the single file that a classic script tag loads. */

export * from "../switchboard.js";
export { connectSimplePeer } from "./simple-peer.js";
export { installPeerJsTransport } from "./peerjs.js";
export { trysteroTransport } from "./trystero.js";
