/**
 * PeerJS without WebSockets: what an unmodified PeerJS asks of its server is answered out of a room.
 *
 *     installPeerJsTransport({ url: "https://signal.example", room: "lobby" });
 *     const peer = new Peer("ada");
 *
 * PeerJS opens a WebSocket to `…/peerjs?key=…&id=…&token=…` and fetches `…/{key}/id` and `…/{key}/peers`. These
 * alone are taken over; every other WebSocket and fetch goes its own way.
 */

import { uuid } from "../random.js";
import { PeerJsSocket } from "./peerjs-socket.js";

/** @typedef {import("../switchboard.js").JoinOptions & {url: string | URL, room: string}} PeerJsOptions */

/**
 * Call it before the first `new Peer()`.
 *
 * @param {PeerJsOptions} options The server, the room in which the peers meet, and what else `join` takes.
 * @returns {() => void} takes it back, for the sockets to come
 */
export function installPeerJsTransport(options) {
  const { WebSocket: original, fetch: originalFetch } = globalThis;
  globalThis.WebSocket = new Proxy(original ?? EventTarget, {
    construct: (target, given, newTarget) => {
      const asked = /^[^?#]*\/peerjs\?key=[^&]*&id=[^&]+&token=/.test(String(given[0]));
      return asked ? new PeerJsSocket(new URL(given[0]), options) : Reflect.construct(target, given, newTarget);
    },
  });
  globalThis.fetch = async (input, init) => {
    const [, asked] = /^[^?#]*\/[^/?#]+\/(id|peers)\?ts=[\d.]+&version=[^&]*$/.exec(String(input)) ?? [];
    if (!asked) return originalFetch(input, init);
    const answer = asked === "id" ? uuid() : JSON.stringify([...new Set([...PeerJsSocket.open].flatMap(({ peers }) => peers))]);
    return new Response(answer);
  };
  const { WebSocket, fetch } = globalThis;
  return () => {
    if (globalThis.WebSocket === WebSocket) globalThis.WebSocket = original;
    if (globalThis.fetch === fetch) globalThis.fetch = originalFetch;
  };
}
