/** The demo as its users see it: opens it, presses its buttons, reads what it shows. */

/** Long enough for a busy machine with two cores; what is quick is measured, not waited for. */
export const DEADLINE_MS = 30_000;

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

export class Demo {
  /** What went wrong in the page's own eyes. @type {string[]} */
  errors = [];
  /** Every address that was asked for. @type {string[]} */
  requests = [];

  /** @param {import("puppeteer-core").Page} page */
  constructor(page) {
    this.page = page;
    page.setDefaultTimeout(DEADLINE_MS);
    page.on("console", (message) => message.type() === "error" && this.errors.push(`console: ${message.text()} ${message.location().url ?? ""}`));
    page.on("pageerror", (error) => this.errors.push(`uncaught: ${error.message}`));
    page.on("request", (request) => this.requests.push(request.url()));
  }

  /**
   * A page of its own, in a profile of its own unless a context is given.
   * @param {import("puppeteer-core").Browser|import("puppeteer-core").BrowserContext} where
   */
  static async page(where) {
    const context = "createBrowserContext" in where ? await where.createBrowserContext() : where;
    const demo = new Demo(await context.newPage());
    await demo.page.evaluateOnNewDocument(instrument);
    return demo;
  }

  /**
   * Straight into a call.
   * @param {import("puppeteer-core").Browser|import("puppeteer-core").BrowserContext} where
   * @param {string} url
   * @param {{room: string, peer: string, name?: string, transport?: string, picture?: boolean}} call
   */
  static async join(where, url, { room, peer, name = peer, transport = "auto", picture = true }) {
    const demo = await Demo.page(where);
    demo.peer = peer;
    const query = new URLSearchParams({ autostart: "1", peer, name, transport, ...(picture ? { picture: "1" } : {}) });
    await demo.page.goto(`${url}/?${query}#${room}`);
    await demo.until(`[data-view="call"][data-signaling="open"]`);
    return demo;
  }

  /** Waits for something to be on the page. @param {string} selector */
  async until(selector) {
    try {
      return await this.page.waitForSelector(selector);
    } catch (error) {
      const now = await this.page.evaluate(() => ({ ...document.documentElement.dataset, people: document.getElementById("people")?.innerText, log: document.getElementById("log")?.innerText }));
      throw new Error(`${this.peer ?? "the page"} waited in vain for ${selector}; it shows ${JSON.stringify(now)}; ${this.errors.join("; ")}`, { cause: error });
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
  async hears(text) {
    await this.page.waitForFunction((wanted) => [...document.querySelectorAll(`[data-testid="message"][data-from="them"]`)].some((message) => message.lastChild?.textContent === wanted), {}, text);
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
    await this.page.waitForFunction((selector) => document.querySelector(`${selector} video`)?.videoWidth > 0, {}, tileOf(peer));
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

  /**
   * From now on notes what the room tells, with the time.
   * @param {...string} events
   */
  note(...events) {
    return this.page.evaluate((names) => {
      window.notes = [];
      for (const event of names) window.meeting.room.addEventListener(event, ({ detail }) => window.notes.push({ event, detail, at: Date.now() }));
    }, events);
  }

  notes() {
    return this.page.evaluate(() => window.notes);
  }

  /**
   * Waits for the first note of that event about that peer.
   * @param {string} event @param {string} peer
   * @returns {Promise<{event: string, detail: any, at: number}>}
   */
  async noted(event, peer) {
    const handle = await this.page.waitForFunction((name, about) => window.notes.find((note) => note.event === name && note.detail.peer === about), {}, event, peer);
    return /** @type {any} */ (await handle.jsonValue());
  }
}
