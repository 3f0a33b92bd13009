/** The console: lets an operator in, reads what happens, and shows it. */

import { asError } from "../client/error.js";
import { button, element, input, part } from "../demo/page.js";
import { Book } from "./book.js";
import { Dialog } from "./dialog.js";
import { Door } from "./door.js";
import { Feed } from "./feed.js";
import { parse } from "./metrics.js";
import { Operator } from "./operator.js";
import { Overview } from "./overview.js";
import { RoomView } from "./room-view.js";
import { Rooms } from "./rooms.js";

const LOOK_MS = 5_000;
/** No more than ten drawings a second, however much happens. */
const DRAW_MS = 100;
const SECOND_MS = 1_000;
const COPIED_MS = 2_000;

const base = new URL(".", location.href).href.replace(/\/$/, "");
let book = new Book();
const overview = new Overview();
const dialog = new Dialog();
const rooms = new Rooms(element("rooms"), element("rooms-empty"), element("which-failed"));
const view = new RoomView((peer) => kick(peer));
const door = new Door(open);

/** @type {Operator | undefined} */
let operator;
/** @type {Feed | undefined} */
let feed;
/** How far the server's clock is ahead. */
let aheadMs = 0;
let drawing = false;

const now = () => Date.now() + aheadMs;

/** The room that the address names. */
function selected() {
  const name = /^#room=(.+)$/.exec(location.hash)?.[1];
  try {
    return name === undefined ? undefined : decodeURIComponent(name);
  } catch {
    return undefined;
  }
}

/** @param {string} token */
async function open(token) {
  const tried = new Operator(base, token);
  /** @type {number | undefined} */
  let asked = Date.now();
  const listed = await tried.rooms();
  feed?.stop();
  book = new Book();
  book.list(listed, 0);
  operator = tried;
  feed = new Feed(tried, {
    lines: (lines) => {
      book.take(lines);
      soon();
    },
    gap: () => {
      book.gap();
      void look();
      void members();
    },
    clock: (ahead) => {
      aheadMs = ahead;
      // Only now it is known which of the lines to come are older than the list.
      if (asked !== undefined && book.lines === 0) book.list(listed, 0, asked + ahead);
      asked = undefined;
    },
    state: (state, error) => {
      const label = element("feed");
      const word = { connecting: "Connecting…", live: "Live", poll: "By long-poll", reconnecting: "Reconnecting…", refused: "Refused" }[state];
      label.dataset.state = state;
      // What is written again is read out again.
      if (label.textContent !== word) label.textContent = word;
      if (state === "refused") shut(error);
    },
  });
  feed.start();
  go();
  void look();
}

/** @param {unknown} error */
function shut(error) {
  feed?.stop();
  operator = undefined;
  door.refused(error);
}

/** What no line tells: the server's list of rooms, and its figures. */
async function look() {
  const asked = book.lines;
  const at = now();
  const by = operator;
  if (!by || document.hidden) return;
  const [listed, measured] = await Promise.allSettled([by.rooms(), by.metrics()]);
  if (by !== operator) return;
  if (listed.status === "fulfilled") book.list(listed.value, asked, at);
  else if (asError(listed.reason).status === 401) return shut(listed.reason);
  if (measured.status === "fulfilled") overview.measured(parse(measured.value), Date.now());
  else if (asError(measured.reason).status === 403) overview.measured(undefined, Date.now());
  soon();
}

/** Who is in the room that is shown: some may have come before the first line that is kept. */
async function members() {
  const name = selected();
  if (name === undefined || !operator) return;
  const asked = book.lines;
  const peers = await operator.peers(name).catch(() => undefined);
  if (!peers) return;
  book.members(name, peers, asked);
  soon();
}

function soon() {
  if (drawing) return;
  drawing = true;
  setTimeout(() => {
    drawing = false;
    draw();
  }, DRAW_MS);
}

function draw() {
  if (!operator) return;
  const name = selected();
  const room = name === undefined ? undefined : book.rooms.get(name);
  const which = /** @type {HTMLInputElement} */ (document.querySelector("#which :checked")).value;
  rooms.draw(book.rooms.values(), { filter: input("filter").value, which, selected: name, now: now() });
  document.documentElement.dataset.view = name === undefined ? "overview" : "room";
  if (name === undefined) return overview.draw(book, now());
  view.open(room);
  if (room) view.draw(now());
  document.documentElement.dataset.room = room ? "known" : "unknown";
  if (!room) {
    element("room-title").textContent = name;
    element("room-word").textContent = "There is no such room, and nothing is kept of one.";
    element("room-failed").textContent = "";
  }
}

/** To what the address names. */
function go() {
  draw();
  scrollTo(0, 0);
  document.title = `${selected() ?? "Console"} · Switchboard`;
  void members();
}

/** @param {string} peer */
function kick(peer) {
  const room = selected();
  if (room === undefined) return;
  dialog.ask({
    title: `Kick ${peer}?`,
    word: `${peer} is put out of ${room}, and its sessions end. It may join again.`,
    label: "Kick",
    act: async (detail) => operator?.kick(room, peer, detail),
  });
}

function close() {
  const room = selected();
  if (room === undefined) return;
  dialog.ask({
    title: `Close ${room}?`,
    word: "Everybody is put out, and all sessions end. The room may be opened again by whoever joins it.",
    label: "Close room",
    act: async (detail) => operator?.close(room, detail),
  });
}

async function copy() {
  const label = part(button("copy"), "span");
  const text = view.text(now(), base);
  try {
    await navigator.clipboard.writeText(text);
    label.textContent = "Copied";
  } catch {
    // Without a secure context there is no clipboard; a file can be had anywhere.
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    link.download = `${selected()}.txt`;
    link.click();
    URL.revokeObjectURL(link.href);
    label.textContent = "Saved as a file";
  }
  setTimeout(() => (label.textContent = "Copy as text"), COPIED_MS);
}

element("server").textContent = new URL(base).host + new URL(base).pathname.replace(/\/$/, "");
button("close").addEventListener("click", close);
button("copy").addEventListener("click", () => void copy());
input("filter").addEventListener("input", draw);
element("which").addEventListener("change", draw);
element("spans").addEventListener("change", draw);
for (const id of ["home", "back"]) {
  element(id).addEventListener("click", (event) => {
    event.preventDefault();
    if (!operator) return;
    history.pushState(null, "", location.pathname + location.search);
    go();
    element("overview").focus({ preventScroll: true });
  });
}
addEventListener("hashchange", go);
addEventListener("online", () => feed?.hurry());
document.addEventListener("visibilitychange", () => !document.hidden && void look());
setInterval(() => void look(), LOOK_MS);
// Ages and lines of time go on although nothing happens.
setInterval(() => !document.hidden && soon(), SECOND_MS);
door.begin();
