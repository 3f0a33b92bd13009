import assert from "node:assert/strict";
import { test } from "node:test";
import { Scripted } from "./harness/scripted.mjs";
import { useStage } from "./harness/stage.mjs";

const SIGNALS = 200;
const CHANGES = 8;

const stage = useStage();

test("changing the transport in mid-call loses nothing, doubles nothing and keeps the order", async (t) => {
  const room = "switching";
  const ada = await stage.join(t, { room, peer: "ada", transport: "sse" });
  const bob = await stage.join(t, { room, peer: "bob" });
  await Promise.all([ada.connectedWith("bob"), bob.connectedWith("ada")]);
  const sender = await Scripted.join(stage.url, room, "sender");
  await ada.tile("sender");
  await ada.note("signal", "peer-joined", "peer-left", "transport", "gap", "rejoined");

  // Each change happens while a block of signals and a visitor are on their way.
  const changes = Array.from({ length: CHANGES }, (_, n) => (n % 2 === 0 ? "poll" : "sse"));
  const block = SIGNALS / CHANGES;
  for (const [round, transport] of changes.entries()) {
    const signals = (async () => {
      for (let n = round * block; n < (round + 1) * block; n++) await sender.send({ to: "ada", type: "note", data: { n } });
    })();
    const visit = (async () => {
      const visitor = await Scripted.join(stage.url, room, `visitor-${round}`);
      await visitor.leave();
    })();
    await ada.press(`transport-${transport}`);
    await ada.usesTransport(transport);
    await Promise.all([signals, visit]);
  }
  await sender.send({ to: "ada", type: "note", data: { n: SIGNALS } });
  await ada.page.waitForFunction((last) => window.notes.some(({ event, detail }) => event === "signal" && detail.data?.n === last), {}, SIGNALS);

  const notes = await ada.notes();
  const numbers = notes.filter(({ event, detail }) => event === "signal" && detail.from === "sender").map(({ detail }) => detail.data.n);
  assert.deepEqual(numbers, Array.from({ length: SIGNALS + 1 }, (_, n) => n));
  const visits = notes.filter(({ event }) => event.startsWith("peer-")).map(({ event, detail }) => `${event} ${detail.peer}`);
  assert.deepEqual(visits, changes.flatMap((_, n) => [`peer-joined visitor-${n}`, `peer-left visitor-${n}`]));
  assert.deepEqual(notes.filter(({ event }) => event === "gap" || event === "rejoined"), []);
  assert.deepEqual(notes.filter(({ event }) => event === "transport").map(({ detail }) => detail.transport), changes);

  await ada.say("the call went on");
  await bob.hears("the call went on");
  // The page called the visitors, who had left by then; being told so is no fault.
  assert.deepEqual(ada.errors.filter((error) => !error.includes("410 (Gone)")), []);
});

test("the page falls back to the long-poll when the stream is held back on the way, and says so", async (t) => {
  const ada = await stage.page(t);
  // What a scanner does that reads a response to its end before it hands it on: the stream opens and stays silent.
  await ada.page.evaluateOnNewDocument(() => {
    window.EventSource = class extends EventTarget {
      readyState = 0;
      close() {}
    };
  });
  await ada.page.goto(`${stage.url}/?autostart=1&picture=1&peer=ada#held-back`);
  await ada.usesTransport("poll");
  const bob = await stage.join(t, { room: "held-back", peer: "bob" });
  await Promise.all([ada.connectedWith("bob"), bob.connectedWith("ada")]);
  assert.match(await ada.text("log"), /long-poll, since the stream was held back/);
  assert.equal(await ada.text("transport-now"), "Long-poll");
});
