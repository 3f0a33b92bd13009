/** The network between a page and the server, which can be cut and mended. */

import { once } from "node:events";
import { connect, createServer } from "node:net";

/**
 * @param {string} target the server
 * @returns {Promise<{url: string, cut: () => void, mend: () => void, close: () => void}>}
 */
export async function openGate(target) {
  const { hostname, port } = new URL(target);
  /** @type {Set<import("node:net").Socket>} */
  const sockets = new Set();
  let whole = true;
  const gate = createServer((near) => {
    if (!whole) return near.destroy();
    const far = connect(Number(port), hostname);
    for (const [socket, other] of [[near, far], [far, near]]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.once("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  gate.listen(0, "127.0.0.1");
  await once(gate, "listening");
  const cut = () => {
    whole = false;
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (gate.address()).port}`,
    cut,
    mend: () => (whole = true),
    close: () => {
      cut();
      gate.close();
    },
  };
}
