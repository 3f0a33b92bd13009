/** What PeerJS takes for its WebSocket, in Node, over a network that comes and goes and beside peers of any kind. */

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { openGate } from "../browser/harness/gate.mjs";
import { startServer } from "../browser/harness/server.mjs";
import { installPeerJsTransport } from "../../web/client/adapters/peerjs.js";
import { join } from "../../web/client/switchboard.js";

const DEADLINE_MS = 60_000;

let server, gate;
before(async () => {
  server = await startServer("--away-after", "1s", "--grace", "2s", "--join-grace", "2s");
  gate = await openGate(server.url);
});
after(async () => {
  gate?.close();
  await server?.stop();
});

/** A room for each test. */
let room = 0;
beforeEach(() => (room += 1));

/** Tells of joins: `asked` as the request goes out, `failed` where no answer comes. */
function watchJoins(t) {
  const real = globalThis.fetch;
  const joins = Object.assign(new EventTarget(), { count: 0 });
  globalThis.fetch = async (input, init) => {
    if (init?.method !== "POST" || !String(input).endsWith("/peers")) return real(input, init);
    joins.count += 1;
    const answer = real(input, init);
    joins.dispatchEvent(new Event("asked"));
    answer.catch(() => joins.dispatchEvent(new Event("failed")));
    return answer;
  };
  t.after(() => (globalThis.fetch = real));
  return joins;
}

function install(t, url = server.url) {
  t.after(installPeerJsTransport({ url, room: `room-${room}` }));
}

/** As PeerJS asks for it. */
function socketOf(t, id) {
  const socket = new WebSocket(`ws://0.peerjs.com/peerjs?key=peerjs&id=${encodeURIComponent(id)}&token=token`);
  socket.told = [];
  socket.addEventListener("message", ({ data }) => socket.told.push(JSON.parse(data)));
  t.after(() => socket.close());
  return socket;
}

const listAll = async () => (await (await fetch("https://0.peerjs.com/peerjs/peers?ts=1.5&version=1.5.5")).json()).sort();

/** The first event of a name that is as it should be. */
function heard(target, name, wanted = () => true) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no such ${name} within ${DEADLINE_MS} ms`)), DEADLINE_MS);
    const hear = (event) => {
      if (!wanted(event.detail)) return;
      clearTimeout(timer);
      target.removeEventListener(name, hear);
      resolve(event.detail);
    };
    target.addEventListener(name, hear);
  });
}

async function member(t, peer) {
  const joined = await join(server.url, `room-${room}`, { peer, remember: false });
  t.after(() => joined.leave());
  return joined;
}

test("who disconnects while the network is down is back, with the id, once it is up again", async (t) => {
  const joins = watchJoins(t);
  install(t, gate.url);
  const first = socketOf(t, "ada");
  await heard(first, "open");

  gate.cut();
  const tried = heard(joins, "failed");
  first.close();
  const second = socketOf(t, "ada");
  // The server could not be told of the leave by then, and holds the id for as long as its grace.
  await tried;
  const opened = heard(second, "open");
  gate.mend();
  await opened;
  assert.deepEqual(await listAll(), ["ada"]);
});

test("who connects again while the first connection is still being made gets that one", async (t) => {
  const joins = watchJoins(t);
  install(t);
  const asked = heard(joins, "asked");
  const first = socketOf(t, "ada");
  await asked;
  first.close();
  const second = socketOf(t, "ada");
  second.close();
  const third = socketOf(t, "ada");
  await heard(third, "open");
  assert.deepEqual([first.readyState, second.readyState, third.readyState], [3, 3, 1]);
  assert.deepEqual([first.told, second.told], [[], []]);
  assert.equal(joins.count, 1);
});

test("who gives up while the connection is being made leaves nobody behind", async (t) => {
  const watcher = await member(t, "watcher");
  const left = heard(watcher, "peer-left");
  const joins = watchJoins(t);
  install(t);
  // At once, nothing has been asked for yet.
  socketOf(t, "bob").close();
  const asked = heard(joins, "asked");
  const ada = socketOf(t, "ada");
  await asked;
  ada.close();
  const { peer, reason } = await left;
  assert.deepEqual({ peer, reason }, { peer: "ada", reason: "left" });
  assert.equal(joins.count, 1);
});

test("an id that PeerJS could not have written stands for itself, and passes for no other", async (t) => {
  install(t);
  const ada = socketOf(t, "ada é 😀");
  await heard(ada, "open");
  const ids = ["~ffffffff.", "~110000.", "~61.lice", "~d83d.", "~20.", "~0020."];
  const others = [];
  for (const id of ids) others.push(await member(t, id));
  const marker = await member(t, "marker");
  const come = heard(ada, "message", () => ada.told.some(({ type }) => type === "OFFER"));
  for (const other of [...others, marker]) {
    const peer = [...other.peers.keys()].find((peer) => peer.startsWith("ada"));
    await other.send({ to: peer, type: other === marker ? "offer" : "candidate", session: "s", data: { connectionId: "c" } });
  }
  await come;
  // A blank and a lone surrogate are what PeerJS might have written.
  const shown = ["~ffffffff.", "~110000.", "~61.lice", "\ud83d", " ", "~0020."];
  assert.deepEqual(ada.told.filter(({ type }) => type === "CANDIDATE").map(({ src }) => src), shown);
  assert.deepEqual(await listAll(), [...shown, "marker", "ada é 😀"].sort());
  // Who has gone is told of by the same name.
  const gone = heard(ada, "message", () => ada.told.some(({ type, src }) => type === "LEAVE" && src === "~ffffffff."));
  await others[0].leave();
  await gone;
});
