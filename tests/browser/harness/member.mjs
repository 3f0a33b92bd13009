/** A page with the library and nothing else, on a site of its own. */

import { createServer } from "node:http";
import { once } from "node:events";
import { Visitor } from "./visitor.mjs";

/** A site whose every page is blank. @returns {Promise<{url: string, close: () => void}>} */
export async function openSite() {
  const site = createServer((_, response) => response.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html><title>Blank</title>"));
  site.listen(0, "127.0.0.1");
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

export class Member extends Visitor {
  /**
   * @param {string} site where the page is
   * @param {string} server
   * @param {{room: string, peer: string, transport?: string}} membership
   */
  async enter(site, server, { room, peer, transport = "auto" }) {
    this.peer = peer;
    await this.page.goto(`${site}/${peer}`);
    await this.page.evaluate(async (url, name, options) => {
      window.library = await import(`${url}/client/switchboard.js`);
      window.meeting = { room: await window.library.join(url, name, options) };
      window.shows = [];
      for (const event of ["pagehide", "pageshow"]) addEventListener(event, ({ type, persisted }) => window.shows.push(`${type} ${persisted ? "persisted" : "for good"}`));
    }, server, room, { peer, transport });
    await this.when(() => window.meeting.room.transport !== null);
    return this;
  }

  /** Waits until the page has heard of this peer. @param {string} peer */
  knows(peer) {
    return this.when((other) => window.meeting.room.peers.has(other), peer);
  }

  /** Sets up a call with nothing but a channel. @param {string} peer */
  async calls(peer) {
    await this.knows(peer);
    await this.page.evaluate((other) => void (window.call = window.library.connect(window.meeting.room, other)), peer);
  }

  /** What the page saw of its own coming and going; null in a page that was loaded anew. @returns {Promise<string[]|null>} */
  shows() {
    return this.page.evaluate(() => window.shows ?? null);
  }
}
