/** A site of one's own on the loopback: the examples as they stand, for the server that runs here. */

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const EXAMPLES = fileURLToPath(new URL("../../../examples/", import.meta.url));
const MODULES = fileURLToPath(new URL("../node_modules/", import.meta.url));
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };

/**
 * @param {object} options
 * @param {string} options.server the Switchboard server, which stands in the examples by its usual address
 * @param {Record<string, string>} [options.folders] further folders by the paths that they stand under
 * @returns {Promise<{url: string, close: () => void}>}
 */
export async function openSite({ server, folders = {} }) {
  const places = Object.entries({ ...folders, "/node_modules/": MODULES, "/": EXAMPLES });
  const site = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://site");
    const path = normalize(pathname.endsWith("/") ? `${pathname}index.html` : pathname);
    const [under, folder] = /** @type {[string, string]} */ (places.find(([under]) => path.startsWith(under)));
    try {
      const text = await readFile(join(folder, path.slice(under.length)), "utf8");
      const type = TYPES[/** @type {keyof typeof TYPES} */ (extname(path))] ?? "application/octet-stream";
      response.writeHead(200, { "Content-Type": `${type}; charset=utf-8` }).end(text.replaceAll("http://127.0.0.1:8080", server));
    } catch {
      response.writeHead(path === "/favicon.ico" ? 204 : 404).end();
    }
  }).listen(0, "127.0.0.1");
  await once(site, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (site.address());
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      site.close();
      site.closeAllConnections();
    },
  };
}
