/** How the console reads: by stream, by long-poll, and on from where it was. */

import assert from "node:assert/strict";
import { describe, it, mock } from "node:test";
import { SwitchboardError } from "../../web/client/error.js";
import { Feed } from "../../web/console/feed.js";
import { Parser } from "../../web/console/sse.js";

const EPOCH = "00000000000000aa";
const line = (seq, event = "joined") => `id: ${EPOCH}-${seq}\nevent: ${event}\ndata: {"at":1,"room":"r","peer":"p${seq}"}\n\n`;
const ready = (more = {}) => `retry: 1000\nid: ${EPOCH}-0\nevent: ready\ndata: ${JSON.stringify({ cursor: `${EPOCH}-0`, resumed: false, gap: false, heartbeat_ms: 15000, now: Date.now() + 5000, ...more })}\n\n`;

/** A stream that one writes to and ends by hand. */
function stream() {
  let controller;
  const body = new ReadableStream({ start: (given) => void (controller = given) });
  const encoder = new TextEncoder();
  return {
    response: new Response(body, { headers: { "Content-Type": "text/event-stream" } }),
    write: (text) => controller.enqueue(encoder.encode(text)),
    close: () => controller.close(),
    cut: () => {
      try {
        controller.error(new TypeError("cut"));
      } catch {
        // It is closed.
      }
    },
  };
}

/** What is asked for, each answered by the next of these, or held. */
function operator(...answers) {
  const asked = [];
  return {
    asked,
    heard: () => {},
    ask(path, { headers = {}, signal } = {}) {
      asked.push({ path, accept: headers.Accept, cursor: headers["Last-Event-ID"] });
      this.heard();
      const answer = answers.shift();
      return new Promise((resolve, reject) => {
        signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
        if (typeof answer === "function") Promise.resolve(answer()).then(resolve, reject);
        else if (answer instanceof Response) resolve(answer);
        else if (answer) {
          // An abort ends the body too.
          signal?.addEventListener("abort", () => answer.cut(), { once: true });
          resolve(answer.response);
        }
      });
    },
  };
}

const json = (body) => new Response(JSON.stringify(body), { headers: { "Content-Type": "application/json" } });

/** Reads until the test ends. @param {import("node:test").TestContext} t @param {ReturnType<typeof operator>} by */
function read(t, by, readyMs = 50) {
  const told = { peers: [], states: [], gaps: 0, ahead: 0 };
  const waiting = new Set();
  const look = () => waiting.forEach((one) => one());
  by.heard = look;
  const feed = new Feed(by, {
    lines: (lines) => (told.peers.push(...lines.map(({ peer }) => peer)), look()),
    state: (state) => (told.states.at(-1) !== state && told.states.push(state), look()),
    gap: () => (told.gaps++, look()),
    clock: (ahead) => (told.ahead = ahead),
  }, { readyMs });
  // Waits are drawn by lot; here none is long.
  mock.method(Math, "random", () => 0.01);
  t.after(() => (feed.stop(), mock.restoreAll()));
  feed.start();
  const until = (isSo) => new Promise((resolve) => {
    const one = () => isSo(told) && (waiting.delete(one), resolve());
    waiting.add(one);
    one();
  });
  return { told, until, feed };
}

describe("the console's reader", () => {
  it("tells each line of a stream, however it is cut into pieces, and how far the server's clock is ahead", async (t) => {
    const one = stream();
    const by = operator(one);
    const { told, until } = read(t, by);
    const text = ready() + line(1) + `event: ping\ndata: {}\n\n` + line(2);
    for (let at = 0; at < text.length; at += 7) one.write(text.slice(at, at + 7));
    await until(({ peers }) => peers.length === 2);
    assert.deepEqual([told.peers, told.states, told.gaps], [["p1", "p2"], ["connecting", "live"], 0]);
    assert.ok(told.ahead > 4000 && told.ahead <= 5000, String(told.ahead));
    assert.deepEqual(by.asked, [{ path: "/history", accept: "text/event-stream", cursor: undefined }]);
  });

  it("goes on behind the last line after a break, an end and a silence", async (t) => {
    const [one, two, three] = [stream(), stream(), stream()];
    const by = operator(one, two, three);
    const { told, until } = read(t, by);
    one.write(ready() + line(1));
    await until(({ peers }) => peers.length === 1);
    one.cut();
    two.write(ready({ resumed: true }) + line(2) + `event: end\ndata: {"reason":"drain","retry":"now"}\n\n`);
    await until(({ peers }) => peers.length === 2);
    three.write(ready({ resumed: true, heartbeat_ms: 20 }) + line(3));
    await until(() => by.asked.length === 4);
    assert.deepEqual(by.asked.map(({ cursor }) => cursor?.split("-")[1]), [undefined, "1", "2", "3"]);
    assert.deepEqual([told.peers, told.gaps, told.states], [["p1", "p2", "p3"], 0, ["connecting", "live", "reconnecting", "live", "reconnecting", "live", "reconnecting"]]);
  });

  it("says that lines are missing where the server does, or is another one", async (t) => {
    const [one, two, three] = [stream(), stream(), stream()];
    const { told, until } = read(t, operator(one, two, three));
    one.write(ready({ gap: false }) + line(1));
    await until(({ peers }) => peers.length === 1);
    assert.equal(told.gaps, 0, "nothing was read before");
    one.cut();
    two.write(ready({ resumed: true, gap: true }) + line(5));
    await until(({ peers }) => peers.length === 2);
    assert.equal(told.gaps, 1);
    two.close();
    three.write(ready({ resumed: false }));
    await until(({ gaps }) => gaps === 2);
  });

  it("says so within a stream, and in a poll's first answer, too", async (t) => {
    const one = stream();
    const { told, until } = read(t, operator(one));
    one.write(ready() + line(1) + ready({ gap: true }) + line(9));
    await until(({ peers }) => peers.length === 2);
    assert.equal(told.gaps, 1);

    const missed = { event: "ready", data: { cursor: `${EPOCH}-7`, resumed: false, gap: true, heartbeat_ms: 15000, now: Date.now() + 9000 } };
    const polls = operator(undefined, json({ events: [], cursor: `${EPOCH}-1`, more: true }), json({ events: [missed, { id: `${EPOCH}-8`, event: "joined", data: { at: 1, room: "r", peer: "p8" } }], cursor: `${EPOCH}-8`, more: false }));
    const second = read(t, polls);
    await second.until(() => polls.asked.length === 4);
    assert.deepEqual([second.told.gaps, second.told.peers, polls.asked[3].cursor], [1, ["p8"], `${EPOCH}-8`]);
    assert.ok(second.told.ahead > 8000);
  });

  it("goes over to long-poll where no stream gets ready, and loses and repeats nothing", async (t) => {
    const held = stream();
    const by = operator(
      held,
      json({ events: [{ id: `${EPOCH}-1`, event: "joined", data: { at: 1, room: "r", peer: "p1" } }], cursor: `${EPOCH}-1`, more: true }),
      json({ events: [{ id: `${EPOCH}-2`, event: "joined", data: { at: 1, room: "r", peer: "p2" } }], cursor: `${EPOCH}-2`, more: false }),
    );
    const { told, until } = read(t, by);
    await until(() => by.asked.length === 4);
    assert.deepEqual(by.asked.map(({ path, cursor }) => [path, cursor?.split("-")[1]]), [["/history", undefined], ["/history?wait=0", undefined], ["/history?wait=0", "1"], ["/history?wait=25", "2"]]);
    assert.deepEqual([told.peers, told.states], [["p1", "p2"], ["connecting", "poll"]]);
  });

  it("does not take a server that is down for a way that holds streams", async (t) => {
    const down = () => Promise.reject(new SwitchboardError({ status: 0, slug: "network" }));
    const one = stream();
    const by = operator(undefined, down, one);
    const { told, until } = read(t, by);
    await until(() => by.asked.length === 3);
    assert.deepEqual(by.asked.map(({ accept }) => accept), ["text/event-stream", "application/json", "text/event-stream"]);
    one.write(ready());
    await until(({ states }) => states.at(-1) === "live");
    assert.deepEqual(told.states, ["connecting", "reconnecting", "live"]);
  });

  it("gives up where it is refused, and not where something on the way says so", async (t) => {
    const refused = (foreign) => () => Promise.reject(new SwitchboardError({ status: 401, slug: "bad-token", foreign }));
    const by = operator(refused(true), refused(false));
    const { told, until } = read(t, by);
    await until(({ states }) => states.at(-1) === "refused");
    assert.deepEqual([told.states, by.asked.length], [["connecting", "reconnecting", "refused"], 2]);
  });

  it("asks at once when the network is back", async (t) => {
    const by = operator(() => Promise.reject(new SwitchboardError({ status: 503, slug: "overloaded", retryAfterMs: 60_000 })), undefined);
    const { until, feed } = read(t, by);
    await until(({ states }) => states.at(-1) === "reconnecting");
    setImmediate(() => feed.hurry());
    await until(() => by.asked.length === 2);
  });
});

describe("server-sent events", () => {
  it("are read whatever their line breaks, with the last field of two, and data of several lines", () => {
    const parser = new Parser();
    const push = (text) => parser.push(new TextEncoder().encode(text));
    assert.deepEqual(push("id: 1\r"), []);
    assert.deepEqual(push("\nevent:a\r\ndata: x\r\ndata: y\r\n\r\n"), [{ id: "1", event: "a", data: "x\ny" }]);
    assert.deepEqual(push(": comment\n\nevent: b\ndata\n\n"), [{ event: "b", data: "" }]);
    assert.deepEqual(push("data: ü"), []);
    const bytes = new TextEncoder().encode("ü\n\n");
    assert.deepEqual(parser.push(bytes.slice(0, 1)), []);
    assert.deepEqual(parser.push(bytes.slice(1)), [{ event: "message", data: "üü" }]);
  });
});
