/** The demo as its users see it: opens it, presses its buttons, reads what it shows. */

import { DEADLINE_MS, Visitor } from "./visitor.mjs";

/** Keeps every peer connection at hand, and every breach of the content security policy. */
function instrument() {
  const Original = window.RTCPeerConnection;
  window.connections = [];
  window.RTCPeerConnection = class extends Original {
    constructor(...given) {
      super(...given);
      window.connections.push(this);
    }
  };
  window.violations = [];
  document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => window.violations.push(`${violatedDirective} ${blockedURI}`));
}

/** @param {string} peer */
const tileOf = (peer) => `[data-testid="tile"][data-peer="${peer}"]`;

export class Demo extends Visitor {
  /**
   * A page of its own, in a profile of its own unless a context is given.
   * @param {import("puppeteer-core").Browser|import("puppeteer-core").BrowserContext} where
   * @returns {Promise<Demo>}
   */
  static async page(where) {
    const demo = await super.page(where);
    await demo.page.evaluateOnNewDocument(instrument);
    return demo;
  }

  /**
   * Straight into a call, in a page of its own.
   * @param {import("puppeteer-core").Browser|import("puppeteer-core").BrowserContext} where
   * @param {string} url
   * @param {Parameters<Demo["enter"]>[1]} call
   */
  static async join(where, url, call) {
    return (await Demo.page(where)).enter(url, call);
  }

  /**
   * @param {string} url
   * @param {{room: string, peer: string, name?: string, transport?: string, picture?: boolean}} call
   */
  async enter(url, { room, peer, name = peer, transport = "auto", picture = true }) {
    this.peer = peer;
    const query = new URLSearchParams({ autostart: "1", peer, name, transport, ...(picture ? { picture: "1" } : {}) });
    await this.page.goto(`${url}/?${query}#${room}`);
    await this.until(`[data-view="call"][data-signaling="open"]`);
    return this;
  }

  /** Waits for something to be on the page. @param {string} selector */
  async until(selector) {
    try {
      return await this.page.waitForSelector(selector);
    } catch (error) {
      throw new Error(`${this.peer ?? "the page"} waited in vain for ${selector}; it has ${await this.account()}`, { cause: error });
    }
  }

  /** @param {string} testId */
  press(testId) {
    return this.page.locator(`[data-testid="${testId}"]`).click();
  }

  /** @param {string} testId */
  text(testId) {
    return this.page.$eval(`[data-testid="${testId}"]`, (element) => element.innerText.trim());
  }

  /** @param {...string} peers */
  async connectedWith(...peers) {
    for (const peer of peers) await this.until(`${tileOf(peer)}[data-state="connected"]`);
  }

  /** @param {string} peer @param {string} attributes such as `[data-state="ended"]` */
  tile(peer, attributes = "") {
    return this.until(tileOf(peer) + attributes);
  }

  /** @param {string} peer @param {string} testId */
  async pressOnTile(peer, testId) {
    await this.page.locator(`${tileOf(peer)} [data-testid="${testId}"]`).click();
  }

  /** @param {string} peer @param {string} testId */
  textOnTile(peer, testId) {
    return this.page.$eval(`${tileOf(peer)} [data-testid="${testId}"]`, (element) => element.innerText.trim());
  }

  /** @param {string} text */
  async say(text) {
    await this.until(`[data-testid="chat-input"]:not(:disabled)`);
    await this.page.type(`[data-testid="chat-input"]`, text);
    await this.page.keyboard.press("Enter");
  }

  /** @param {string} text */
  hears(text) {
    return this.when((wanted) => [...document.querySelectorAll(`[data-testid="message"][data-from="them"]`)].some((message) => message.lastChild?.textContent === wanted), text);
  }

  /** Frames of video decoded so far, over all connections that are up. */
  framesDecoded() {
    return this.page.evaluate(async () => {
      let frames = 0;
      for (const connection of window.connections) {
        if (connection.connectionState !== "connected") continue;
        for (const entry of (await connection.getStats()).values()) {
          if (entry.type === "inbound-rtp" && entry.kind === "video") frames += entry.framesDecoded;
        }
      }
      return frames;
    });
  }

  /** A picture of this peer arrives, and goes on arriving. @param {string} peer */
  async seesMove(peer) {
    await this.when((selector) => document.querySelector(`${selector} video`)?.videoWidth > 0, tileOf(peer));
    const before = await this.framesDecoded();
    const deadline = Date.now() + DEADLINE_MS;
    while ((await this.framesDecoded()) <= before) {
      if (Date.now() > deadline) throw new Error(`${this.peer} decoded no further frame of ${peer}`);
    }
  }

  /** By which doors of the server it has read. @returns {string[]} */
  doors() {
    const doors = this.requests.map((url) => /\/peers\/[^/]+\/(events|poll)\?/.exec(url)?.[1]);
    return [...new Set(doors.filter((door) => door !== undefined))];
  }

  /** @param {"sse"|"poll"} transport */
  usesTransport(transport) {
    return this.until(`html[data-transport="${transport}"]`);
  }
}
