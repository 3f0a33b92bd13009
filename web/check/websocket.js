/** A WebSocket, for comparison: signaling does without. */

const PATIENCE_MS = 5000;
const WORD = "check";

/** @param {string} base @returns {Promise<import("./requests.js").Outcome & {ms?: number}>} */
export function checkWebSocket(base) {
  const began = performance.now();
  return new Promise((resolve) => {
    const socket = new WebSocket(`${base.replace(/^http/, "ws")}/check/websocket`);
    const over = (/** @type {import("./requests.js").Outcome & {ms?: number}} */ outcome) => {
      clearTimeout(timer);
      socket.close();
      resolve(outcome);
    };
    const timer = setTimeout(() => over({ ok: false, why: "no answer" }), PATIENCE_MS);
    socket.onopen = () => socket.send(WORD);
    socket.onmessage = ({ data }) => over(data === WORD ? { ok: true, ms: performance.now() - began } : { ok: false, why: "the message came back changed" });
    socket.onclose = () => over({ ok: false, why: "the handshake was refused on the way" });
  });
}
