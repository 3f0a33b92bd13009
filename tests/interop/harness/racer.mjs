/** A page with the library that joins at a given moment and calls whoever is or comes there. */

import { Visitor } from "../../browser/harness/visitor.mjs";

export class Racer extends Visitor {
  /** @param {string} site where the page is @param {string} server */
  async load(site, server) {
    await this.page.goto(site);
    await this.page.evaluate(async (url) => {
      window.library = await import(`${url}/client/switchboard.js`);
      const canvas = document.body.appendChild(document.createElement("canvas"));
      window.picture = canvas.captureStream(10);
      const draw = canvas.getContext("2d");
      setInterval(() => draw.fillRect(Math.random() * 300, Math.random() * 150, 9, 9), 100);
    }, server);
    return this;
  }

  /**
   * @param {string} server @param {string} name of the room @param {string} peer
   * @param {number} at when to join, by the clock of the machine
   * @returns {Promise<{ms: number, offers: number, answers: number, initiator: boolean, hitches: string[]}>}
   *   once both sides have heard a word over the channel: how long `connected` took from the join, what descriptions
   *   came, and what else happened
   */
  async race(server, name, peer, at) {
    this.peer = peer;
    await this.page.evaluate(async (url, room, self, start) => {
      const race = (window.race = { ms: 0, offers: 0, answers: 0, initiator: false, hitches: [], heard: false });
      await new Promise((resolve) => setTimeout(resolve, start - Date.now()));
      const began = performance.now();
      const joined = (window.joined = await window.library.join(url, room, { peer: self, remember: false }));
      joined.addEventListener("signal", ({ detail }) => {
        if (detail.type === "offer") race.offers += 1;
        if (detail.type === "answer") race.answers += 1;
      });
      const call = (other) => {
        const it = window.library.connect(joined, other, { stream: window.picture });
        race.initiator = it.initiator;
        it.addEventListener("state", ({ detail }) => {
          if (detail.state === "connected") race.ms ||= performance.now() - began;
          else if (detail.state !== "connecting") race.hitches.push(detail.state);
        });
        it.addEventListener("problem", ({ detail }) => race.hitches.push(String(detail.error)));
        it.addEventListener("channel", ({ detail }) => detail.channel.send(`${self} is here`));
        it.addEventListener("message", () => (race.heard = true));
      };
      for (const other of joined.peers.keys()) call(other);
      joined.addEventListener("peer-joined", ({ detail }) => call(detail.peer));
    }, server, name, peer, at);
    return { peer, met: () => this.when(() => window.race.heard && window.race.ms > 0 && window.race) };
  }

  leave() {
    return this.page.evaluate(() => window.joined.leave());
  }
}
