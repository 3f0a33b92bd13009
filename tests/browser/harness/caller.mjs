/** A page with the library and one call, which sends numbers over its channel and tells what became of the connection. */

import assert from "node:assert/strict";
import { Member } from "./member.mjs";

const COUNT_EVERY_MS = 50;

export class Caller extends Member {
  /** Sets up the call. @param {string} peer @param {RTCConfiguration} [rtcConfig] @param {string} [stream] the page's name of it */
  async calls(peer, rtcConfig, stream) {
    await this.knows(peer);
    await this.page.evaluate((other, config, picture) => {
      const call = (window.call = window.library.connect(window.meeting.room, other, { rtcConfig: config, stream: window[picture] }));
      window.began = { session: call.session, order: window.meeting.room.order };
      const path = (window.path = { states: [], offers: 0, errors: [], ended: null });
      const now = () => ({ at: Date.now() });
      call.addEventListener("state", ({ detail }) => path.states.push({ state: detail.state, ...now() }));
      call.addEventListener("problem", ({ detail }) => path.errors.push(String(detail.error)));
      call.addEventListener("ended", ({ detail }) => (path.ended = { ...detail, ...now() }));
      call.pc.addEventListener("signalingstatechange", () => call.pc.signalingState === "have-local-offer" && path.offers++);
      const words = (window.words = { sent: 0, came: [], timer: 0 });
      call.addEventListener("message", ({ detail }) => words.came.push({ n: Number(detail.data), at: Date.now() }));
      call.addEventListener("channel", ({ detail }) => (words.channel = detail.channel));
    }, peer, rtcConfig, stream);
  }

  connected() {
    return this.when(() => window.call.state === "connected" && window.words.channel?.readyState === "open");
  }

  /** Sends one number after the other over the channel, about twenty a second. */
  async talks(every = COUNT_EVERY_MS) {
    await this.page.evaluate((interval) => {
      const { words } = window;
      words.timer = setInterval(() => words.channel.send(String(words.sent++)), interval);
    }, every);
  }

  /** @returns {Promise<number>} how many numbers it has sent over the channel */
  said() {
    return this.page.evaluate(() => window.words.sent);
  }

  /** Waits for a number from the other side's channel. @param {number} n @returns {Promise<number>} when it came */
  hasHeard(n) {
    return this.when((wanted) => window.words.came.find((word) => word.n >= wanted)?.at, n);
  }

  /** Ends the numbers over the channel. @returns {Promise<number>} how many there were */
  falls() {
    return this.page.evaluate(() => {
      clearInterval(window.words.timer);
      return window.words.sent;
    });
  }

  /** Of the numbers over the channel each came once, and in order. @param {number} count */
  async hasHeardAll(count) {
    await this.hasHeard(count - 1);
    const came = await this.page.evaluate(() => window.words.came.map(({ n }) => n));
    const wrong = came.findIndex((n, place) => n !== place);
    assert.ok(wrong < 0, `number ${wrong} came to ${this.peer} over the channel as ${came.slice(Math.max(0, wrong - 2), wrong + 3)}`);
    assert.equal(came.length, count);
  }

  /** The fragment of this side's present ICE credentials, another after each restart. @returns {Promise<string>} */
  fragment() {
    return this.page.evaluate(() => /a=ice-ufrag:(\S+)/.exec(window.call.pc.currentLocalDescription.sdp)[1]);
  }

  /** The path that media take. @returns {Promise<{local: any, remote: any}>} */
  way() {
    return this.page.evaluate(async () => {
      const stats = await window.call.pc.getStats();
      const all = [...stats.values()];
      const transport = all.find(({ type, selectedCandidatePairId }) => type === "transport" && selectedCandidatePairId);
      const pair = transport ? stats.get(transport.selectedCandidatePairId) : all.find(({ type, selected }) => type === "candidate-pair" && selected);
      return { local: stats.get(pair.localCandidateId), remote: stats.get(pair.remoteCandidateId) };
    });
  }

  /** What the connection went through. @returns {Promise<{states: {state: string, at: number}[], offers: number, errors: string[], ended: any}>} */
  path() {
    return this.page.evaluate(() => window.path);
  }

  /** It is the call, the session and the incarnation that it was. */
  async isSame() {
    const now = await this.page.evaluate(() => ({ began: window.began, session: window.call.session, order: window.meeting.room.order, state: window.call.state, end: window.meeting.room.end }));
    assert.equal(now.order, now.began.order);
    // Who answers learns the session from the first offer.
    assert.equal(now.session, now.began.session ?? now.session);
    assert.equal(now.state, "connected");
    assert.equal(now.end, null);
    return now.session;
  }

  async account() {
    const path = await this.page.evaluate(() => ({ path: window.path, sent: window.words?.sent, came: window.words?.came.length, ice: window.call?.pc.iceConnectionState, signaling: window.call?.pc.signalingState }));
    return `${JSON.stringify(path)} and ${await super.account()}`;
  }
}
