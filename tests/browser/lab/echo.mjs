/** The control: what comes of a WebSocket on the same way. */

import { once } from "node:events";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const PATIENCE_MS = 4_000;

/** Pages that are blank, and a WebSocket that says what it hears. @returns {Promise<{address: string, close: () => void}>} */
export async function openEcho() {
  const server = createServer((_, response) => response.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html><title>Echo</title>"));
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket) => socket.on("error", () => {}).on("message", (data, binary) => socket.send(data, { binary })));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (server.address()).port}`,
    close: () => {
      for (const socket of sockets.clients) socket.terminate();
      server.close();
      server.closeAllConnections();
    },
  };
}

/**
 * Whether a page gets its words back over a WebSocket.
 * @param {import("puppeteer-core").Browser} browser
 * @param {string} url of the echo's pages
 * @returns {Promise<boolean>}
 */
export async function echoes(browser, url) {
  const context = await browser.createBrowserContext();
  try {
    const page = await context.newPage();
    await page.goto(url);
    return await page.evaluate((patience) => new Promise((resolve) => {
      const socket = new WebSocket(location.href.replace("http", "ws"));
      const settle = (/** @type {boolean} */ passed) => {
        socket.close();
        resolve(passed);
      };
      setTimeout(settle, patience, false);
      socket.onerror = () => settle(false);
      socket.onopen = () => socket.send("hello");
      socket.onmessage = ({ data }) => settle(data === "hello");
    }), PATIENCE_MS);
  } finally {
    await context.close();
  }
}
