/** The topics of trystero over a room in which not everybody tells the truth. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startServer } from "../browser/harness/server.mjs";
import { trysteroTransport } from "../../web/client/adapters/trystero.js";
import { join } from "../../web/client/switchboard.js";

const DEADLINE_MS = 60_000;

let server;
before(async () => (server = await startServer()));
after(() => server?.stop());

/** One who uses the transport as trystero does, and notes what it hears. */
class Member {
  heard = [];
  #waiting = new Set();

  constructor(t, name) {
    this.home = `home of ${name}`;
    this.transport = trysteroTransport({ url: server.url, room: "topics", peer: name });
    t.after(() => this.topics?.room.leave());
  }

  async open() {
    this.topics = await this.transport.init();
    for (const topic of ["root", this.home]) this.listen(topic);
    return this;
  }

  listen(topic) {
    this.transport.subscribeTopic(this.topics, topic, (_, message) => {
      this.heard.push(message);
      for (const look of this.#waiting) look();
    });
  }

  announce = (message) => this.#publish("root", message, "announce");
  tell = (topic, message) => this.#publish(topic, message, "signal");

  #publish(topic, message, kind) {
    return this.transport.publishTopic(this.topics, topic, message, { kind, selfTopic: this.home });
  }

  hears(message) {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (!this.heard.includes(message)) return;
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve();
      };
      const timer = setTimeout(() => reject(new Error(`"${message}" was not heard, but ${this.heard}`)), DEADLINE_MS);
      this.#waiting.add(look);
      look();
    });
  }
}

const three = (t) => Promise.all(["ada", "bob", "carol"].map((name) => new Member(t, name).open()));

async function enterEve(t) {
  const room = await join(server.url, "topics", { peer: "eve", remember: false });
  t.after(() => room.leave());
  const claim = (...homes) => room.send(homes.map((home) => ({ type: "topic", data: { topic: "root", home, message: `eve: ${home}` } })));
  return { room, claim };
}

test("what is for one peer goes to it alone, and still comes when another claims its topic, or that of all", async (t) => {
  const [ada, bob, carol] = await three(t);
  const eve = await enterEve(t);
  carol.listen(bob.home);
  await bob.announce("bob is here");
  await Promise.all([ada.hears("bob is here"), carol.hears("bob is here")]);
  await ada.tell(bob.home, "for bob");
  await bob.hears("for bob");

  await eve.claim(bob.home, "root");
  await Promise.all([ada, bob, carol].map((member) => member.hears("eve: root")));
  await ada.tell(bob.home, "again for bob");
  await bob.hears("again for bob");
  await ada.announce("ada is here");
  await Promise.all([bob, carol].map((member) => member.hears("ada is here")));
  assert.deepEqual(carol.heard.filter((message) => message.endsWith("for bob")), []);
});

test("one peer has no more than 64 topics of its own: what is for an older one goes to all", async (t) => {
  const [ada, , carol] = await three(t);
  const eve = await enterEve(t);
  const topics = Array.from({ length: 65 }, (_, at) => `topic ${at}`);
  await eve.claim(...topics);
  await ada.hears("eve: topic 64");
  for (const topic of topics) carol.listen(topic);
  for (const topic of [topics[1], topics[0]]) await ada.tell(topic, `for ${topic}`);
  await carol.hears("for topic 0");
  assert.ok(!carol.heard.includes("for topic 1"));
});
