/** The operators' console in a page, and what is to be seen there. */

import { Visitor } from "./visitor.mjs";

export const OPERATOR = "operator-of-the-console";

/** What is told of the way to the server while it is broken, or refuses, stands in the browser's console too. */
export const EXPECTED = /401|403|404|ERR_|Failed to load|net::/i;

export class Console extends Visitor {
  /** @param {string} url @param {string} [token] */
  async open(url, token = OPERATOR) {
    await this.page.goto(`${url}/console`);
    await this.enter(token);
    await this.isIn("overview");
    return this;
  }

  /** @param {string} token */
  async enter(token) {
    await this.page.waitForSelector("#token");
    await this.page.$eval("#token", (field) => (/** @type {HTMLInputElement} */ (field).value = ""));
    await this.page.type("#token", token);
    await this.page.click("#enter");
  }

  /** @param {"door"|"overview"|"room"} view */
  isIn(view) {
    return this.when((name) => document.documentElement.dataset.view === name, view);
  }

  /** @param {"live"|"poll"|"reconnecting"} state */
  reads(state) {
    return this.when((wanted) => document.getElementById("feed")?.dataset.state === wanted, state);
  }

  /** @param {string} name */
  async room(name) {
    await this.page.evaluate((room) => (location.hash = `room=${encodeURIComponent(room)}`), name);
    await this.when((room) => document.documentElement.dataset.view === "room" && document.getElementById("room-title")?.textContent === room, name);
  }

  overview() {
    return this.page.evaluate(() => document.getElementById("home")?.click());
  }

  /** What the ladder shows, row by row. @returns {Promise<Record<string, string>[]>} */
  rows() {
    return this.page.$$eval("#ladder [data-kind]", (groups) => groups.map((group) => ({ ...group.dataset, words: group.getAttribute("aria-label") ?? "" })));
  }

  /** Waits for a row. @param {Record<string, string>} like @returns {Promise<Record<string, string>>} */
  row(like) {
    return this.when((wanted) => {
      for (const group of document.querySelectorAll("#ladder [data-kind]")) {
        const { dataset } = /** @type {HTMLElement} */ (group);
        if (Object.entries(wanted).every(([name, value]) => dataset[name] === value)) return { ...dataset, words: group.getAttribute("aria-label") };
      }
      return null;
    }, like);
  }

  /** The arrows of what was accepted, each candidate for itself. @returns {Promise<import("./wire.mjs").Sent[]>} */
  async arrows() {
    const rows = (await this.rows()).filter(({ kind }) => kind === "arrow");
    return rows.flatMap(({ from, to, type, session, count }) => Array.from({ length: Number(count) }, () => ({ from, ...(to && { to }), type, ...(session && { session }) })));
  }

  /** The verdicts, by session, the newest first. @returns {Promise<string[]>} */
  verdicts() {
    return this.page.$$eval("#sessions [data-session]", (items) => items.map((item) => item.querySelector(".session-verdict")?.textContent ?? ""));
  }

  /** Waits for a verdict. @param {RegExp} like @returns {Promise<string>} */
  verdict(like) {
    return this.when((source) => Array.from(document.querySelectorAll("#sessions .session-verdict"), ({ textContent }) => textContent).find((words) => new RegExp(source).test(words ?? "")), like.source);
  }

  /** The list of rooms: `name: word, mark`. @returns {Promise<string[]>} */
  rooms() {
    return this.page.$$eval("#rooms li", (items) => items.map((item) => [`${item.dataset.room}: ${item.querySelector(".room-state")?.textContent}`, item.querySelector(".room-marks")?.textContent].filter(Boolean).join(", ")));
  }

  /** Waits until the list has a room like that. @param {RegExp} like */
  lists(like) {
    return this.when((source) => Array.from(document.querySelectorAll("#rooms li"), (item) => `${/** @type {HTMLElement} */ (item).dataset.room}: ${item.querySelector(".room-state")?.textContent}, ${item.querySelector(".room-marks")?.textContent}`).some((text) => new RegExp(source).test(text)), like.source);
  }

  /** Answers the question that is asked before somebody is put out. @param {string} detail */
  async confirm(detail) {
    await this.page.waitForSelector("#dialog[open]");
    await this.page.type("#detail", detail);
    await this.page.click("#dialog-do");
    await this.when(() => !document.querySelector("#dialog[open]"));
  }

  async account() {
    return JSON.stringify(await this.page.evaluate(() => ({ ...document.documentElement.dataset, feed: document.getElementById("feed")?.dataset.state, room: document.getElementById("room-title")?.textContent, error: document.getElementById("door-error")?.textContent, verdicts: Array.from(document.querySelectorAll(".session-verdict"), ({ textContent }) => textContent), rows: Array.from(document.querySelectorAll("#ladder [data-kind]"), (row) => row.getAttribute("aria-label")).slice(-8) }))) + this.errors.join("; ");
  }
}
