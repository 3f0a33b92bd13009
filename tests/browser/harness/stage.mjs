/** What the tests of one file share: a server, a browser, a table of times; there before the first, gone after the last. */

import { after, before } from "node:test";
import { KIND, startBrowser } from "./browser.mjs";
import { Demo } from "./demo.mjs";
import { startServer } from "./server.mjs";
import { Table } from "./table.mjs";

/** @param {...string} options of the server */
export function useStage(...options) {
  const stage = new Stage();
  before(async () => {
    stage.server = await startServer(...options);
    stage.started = await startBrowser();
  });
  after(async () => {
    await stage.started?.kill();
    await stage.server?.stop();
    if (!stage.table.empty) console.log(`\n${stage.table}\n`);
  });
  return stage;
}

class Stage {
  /** @type {Awaited<ReturnType<typeof startServer>>|undefined} */
  server;
  /** @type {Awaited<ReturnType<typeof startBrowser>>|undefined} */
  started;
  table = new Table();

  get url() {
    return /** @type {NonNullable<Stage["server"]>} */ (this.server).url;
  }

  get browser() {
    return /** @type {NonNullable<Stage["started"]>} */ (this.started).browser;
  }

  /**
   * A page in a profile of its own, which ends with the test.
   * @template {typeof import("./visitor.mjs").Visitor} T
   * @param {import("node:test").TestContext} t
   * @param {T} Kind
   * @returns {Promise<InstanceType<T>>}
   */
  async page(t, Kind = /** @type {any} */ (Demo)) {
    const visitor = await Kind.page(this.browser);
    t.after(() => visitor.close());
    return /** @type {any} */ (visitor);
  }

  /**
   * A page that is to be put to sleep: in Firefox in a browser of its own, which sleeps with it.
   * @template {typeof import("./visitor.mjs").Visitor} T
   * @param {import("node:test").TestContext} t
   * @param {T} Kind
   * @returns {Promise<InstanceType<T>>}
   */
  async sleeper(t, Kind = /** @type {any} */ (Demo)) {
    if (KIND !== "firefox") return this.page(t, Kind);
    const own = await startBrowser();
    t.after(() => own.kill());
    return /** @type {any} */ (await Kind.page(own.browser));
  }

  /**
   * A demo that goes straight into a call, and ends with the test.
   * @param {import("node:test").TestContext} t
   * @param {Parameters<Demo["enter"]>[1]} call
   * @param {string} [url]
   */
  async join(t, call, url = this.url) {
    const demo = /** @type {Demo} */ (await this.page(t));
    return demo.enter(url, call);
  }

  /**
   * Demos in one room, each connected with each.
   * @param {import("node:test").TestContext} t
   * @param {Parameters<Demo["enter"]>[1]} common
   * @param {string[]} peers
   */
  async call(t, common, peers = ["ada", "bob"], url = this.url) {
    const demos = await Promise.all(peers.map((peer) => this.join(t, { ...common, peer }, url)));
    await Promise.all(demos.map((demo) => demo.connectedWith(...peers.filter((peer) => peer !== demo.peer))));
    return demos;
  }
}
