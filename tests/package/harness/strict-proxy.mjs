/** An HTTP proxy of the kind that WebSockets do not get through: it passes plain requests on and refuses CONNECT and Upgrade. */

import { once } from "node:events";
import { createServer, request } from "node:http";

/** @returns {Promise<{host: string, port: number, refused: () => number, passed: () => number, close: () => void}>} */
export async function openStrictProxy() {
  let refused = 0;
  let passed = 0;
  const proxy = createServer((asked, answer) => {
    passed += 1;
    const { "proxy-connection": _, ...headers } = asked.headers;
    const onward = request(asked.url ?? "", { method: asked.method, headers });
    onward.on("response", (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
      response.on("error", () => answer.destroy());
    });
    onward.on("error", () => answer.destroy());
    answer.on("close", () => onward.destroy());
    asked.pipe(onward);
  });
  /** @param {unknown} _ @param {import("node:stream").Duplex} socket */
  const refuse = (_, socket) => {
    refused += 1;
    socket.on("error", () => {});
    socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  };
  proxy.on("connect", refuse);
  proxy.on("upgrade", refuse);
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (proxy.address());
  return {
    host: "127.0.0.1",
    port,
    refused: () => refused,
    passed: () => passed,
    close: () => {
      proxy.close();
      proxy.closeAllConnections();
    },
  };
}
