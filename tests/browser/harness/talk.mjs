/** Two pages in one call, numbers flowing both ways over its channel and over signaling. */

import assert from "node:assert/strict";

const TOLD = ["session-ended", "peer-left", "peer-joined", "gap", "rejoined"];
/** Few enough that an outage of a minute and a half fits into a mailbox. */
const SIGNAL_EVERY_MS = 250;

export class Talk {
  /** @type {string[]} */
  #fragments = [];
  #counts = [];

  /** @param {import("./caller.mjs").Caller} ada @param {import("./caller.mjs").Caller} bob both in the room */
  constructor(ada, bob) {
    this.sides = [ada, bob];
  }

  /**
   * @param {import("./caller.mjs").Caller} ada @param {import("./caller.mjs").Caller} bob
   * @param {{rtcConfig?: RTCConfiguration, patience: number}} manner patience: in milliseconds, of each wait
   */
  static async begin(ada, bob, { rtcConfig, patience }) {
    const talk = new Talk(ada, bob);
    await talk.#begin(rtcConfig, patience);
    return talk;
  }

  /** @param {RTCConfiguration|undefined} rtcConfig @param {number} patience */
  async #begin(rtcConfig, patience) {
    const [ada, bob] = this.sides;
    for (const { page } of this.sides) page.setDefaultTimeout(patience);
    await ada.when((peer) => window.meeting.room.peers.has(peer), bob.peer);
    await this.#both((side) => side.note(...TOLD));
    await this.#both((side, other) => side.calls(other.peer, rtcConfig));
    await this.#both((side) => side.connected());
    await this.#both((side, other) => side.expect(other.peer));
    this.#counts = await this.#both((side, other) => side.counts(other.peer, SIGNAL_EVERY_MS));
    await this.#both((side) => side.talks());
    await this.#both(async (side, other) => {
      await side.hasCounted(other.peer, 5);
      await side.hasHeard(10);
    });
    this.#fragments = await this.#both((side) => side.fragment());
  }

  /** How many numbers each side has sent over the channel. */
  said() {
    return this.#both((side) => side.said());
  }

  /**
   * Waits until numbers that were sent after those come through on both sides.
   * @param {number[]} said
   * @returns {Promise<number>} when both had them
   */
  async flows([ofAda, ofBob]) {
    const [ada, bob] = this.sides;
    return Math.max(...(await Promise.all([ada.hasHeard(ofBob), bob.hasHeard(ofAda)])));
  }

  /** Waits until both know that the connection is lost. */
  async lost() {
    await this.#both((side) => side.when(() => ["disconnected", "failed"].includes(window.call.state)));
  }

  /** Waits until ICE has been restarted on both sides. */
  async restarting() {
    await this.#both((side, _, place) => side.when((before) => !window.call.pc.currentLocalDescription.sdp.includes(`a=ice-ufrag:${before}`), this.#fragments[place]));
  }

  /** When the first of the two noticed. @param {number} since */
  async noticedAfter(since) {
    const paths = await this.#both((side) => side.path());
    const losses = paths.flatMap(({ states }) => states).filter(({ state, at }) => at >= since && (state === "disconnected" || state === "failed"));
    return losses.length > 0 ? Math.min(...losses.map(({ at }) => at)) - since : null;
  }

  /** ICE has been restarted on both sides since the talk began. */
  async wasRestarted() {
    const now = await this.#both((side) => side.fragment());
    for (const [place, fragment] of now.entries()) assert.notEqual(fragment, this.#fragments[place], `ICE was not restarted on ${this.sides[place].peer}'s side`);
  }

  /**
   * Ends it: nothing was lost, doubled or begun anew.
   * @returns {Promise<string>} what went through, in words
   */
  async wasOne() {
    await this.#both((side) => side.connected());
    const counted = await Promise.all(this.#counts.map((count) => count.stop()));
    const said = await this.#both((side) => side.falls());
    assert.deepEqual(counted.flatMap(({ refused }) => refused), []);
    await this.#both((side, other, place) => side.hasAll(other.peer, counted[1 - place].sent));
    await this.#both((side, _, place) => side.hasHeardAll(said[1 - place]));
    assert.deepEqual(await this.#both((side) => side.story()), [[], []]);
    const [session, same] = await this.#both((side) => side.isSame());
    assert.equal(session, same);
    const paths = await this.#both((side) => side.path());
    assert.deepEqual(paths.flatMap(({ errors }) => errors), []);
    const sum = (numbers) => numbers.reduce((all, n) => all + n, 0);
    return `${sum(counted.map(({ sent }) => sent))} signals and ${sum(said)} numbers, each once, in order; ${paths.map(({ offers }) => offers).join(" + ")} offers`;
  }

  /**
   * @template T
   * @param {(side: import("./caller.mjs").Caller, other: import("./caller.mjs").Caller, place: number) => Promise<T>} act
   */
  #both(act) {
    return Promise.all(this.sides.map((side, place) => act(side, this.sides[1 - place], place)));
  }
}
