/** The check: a quick one first, then half a minute of silence or more, while the result is put right. */

import { button, element, input, part } from "../demo/page.js";
import { checkHost, checkRelay, checkStun, urlsOf, waysTo } from "./ice.js";
import { LONG_POLL_S, Member } from "./member.js";
import { seconds } from "./patience.js";
import { checkRequests } from "./requests.js";
import { checkSilence, checkTicks, silencesFor } from "./ticks.js";
import { View } from "./view.js";
import { checkWebSocket } from "./websocket.js";

/** What the quick check takes at most. */
const QUICK_MS = 10_000;
const PROGRESS_MS = 200;
const COPIED_MS = 2000;

const base = new URL(".", location.href).href.replace(/\/$/, "");
const view = new View();

/** @typedef {import("./verdict.js").Facts} Facts */

/** @type {Facts} */
let facts = fresh();

/** @returns {Facts} */
function fresh() {
  return { base, silences: [], ice: { stun: [], relays: [] } };
}

async function check() {
  for (const id of ["again", "copy", "access-start"]) button(id).disabled = true;
  facts = fresh();
  const now = facts;
  view.begin(now);
  const member = await quick(now);
  // Enough is known for a report; what follows puts it right.
  button("copy").disabled = false;
  if (member) await silence(now, member);
  now.over = true;
  view.done();
  for (const id of ["again", "access-start"]) button(id).disabled = false;
}

/** @param {Facts} now @returns {Promise<Member|undefined>} none where nothing comes down anyway */
async function quick(now) {
  const stop = progress(QUICK_MS, (ms) => `Quick check: ${seconds(Math.floor(ms / 1000) * 1000).replace("0 ms", "0 s")} of at most ${QUICK_MS / 1000} s`);
  try {
    const host = checkHost().then((found) => (now.ice.host = found));
    now.requests = await checkRequests(base);
    view.show();
    if (!now.requests.reached.ok && !now.requests.post.ok) {
      await host;
      now.joined = { ok: false, why: "the server is not reached" };
      return undefined;
    }
    const member = await Member.join(base, input("access-token").value.trim(), input("access-room").value.trim());
    addEventListener("pagehide", () => member.leave(), { once: true });
    Object.assign(now, { joined: member.joined, heartbeatMs: member.heartbeatMs });
    view.show();
    await Promise.all([
      host,
      checkTicks(base, now.requests.skewMs ?? 0, (ticks) => view.ticking(ticks)).then((ticks) => (now.ticks = ticks)),
      // The same mailbox by two readers: one after the other, since the newer takes the place of the older.
      member.stream().then(async (stream) => {
        now.stream = stream;
        view.show();
        now.poll = await member.poll();
      }),
      checkWebSocket(base).then((websocket) => (now.websocket = websocket)),
      configured(now, member.iceServers),
    ].map((one) => one.then(() => view.show())));
    if (member.joined.ok) return member;
    return undefined;
  } finally {
    stop();
  }
}

/** The servers that peers are told of. @param {Facts} now @param {RTCIceServer[]} iceServers */
async function configured(now, iceServers) {
  await Promise.all(
    urlsOf(iceServers).map(async ({ url, username, credential }) => {
      if (!/^turns?:/i.test(url)) return now.ice.stun.push(await checkStun(url));
      await relays(now, waysTo(url), username, credential);
    }),
  );
}

/** @param {Facts} now @param {import("./ice.js").Relay[]} ways @param {string} username @param {string} credential */
async function relays(now, ways, username, credential) {
  now.ice.relays.push(...ways);
  view.show();
  await Promise.all(ways.map((way) => checkRelay(way, username, credential).then(() => view.show())));
}

/** @param {Facts} now @param {Member} member */
async function silence(now, member) {
  const lengths = silencesFor(now.requests?.protocol, now.heartbeatMs ?? 0);
  // Where all share one connection the poll would break the silence: it comes after it.
  const shared = lengths.length === 1;
  now.silences = lengths.map((wantedMs) => ({ wantedMs, state: /** @type {const} */ ("running"), forMs: 0 }));
  const pollMs = now.poll?.ok ? LONG_POLL_S * 1000 : 0;
  const total = shared ? lengths[0] + pollMs : Math.max(...lengths, pollMs);
  const began = performance.now();
  view.silenceBegins();
  const stop = progress(total, (ms) => `Listening to silence: ${Math.floor(ms / 1000)} of ${Math.round(total / 1000)} s`);
  const waits = now.silences.map((one) => checkSilence(base, one).then(() => view.show()));
  if (shared) await Promise.all(waits);
  if (pollMs > 0) {
    now.longPoll = { state: "running", forMs: 0, sinceMs: shared ? performance.now() - began : 0 };
    waits.push(member.longPoll(now.longPoll).then(() => view.show()));
  }
  await Promise.all(waits);
  stop();
  member.leave();
}

/** @param {number} total @param {(ms: number) => string} words */
function progress(total, words) {
  const began = performance.now();
  const step = () => {
    const ms = Math.min(performance.now() - began, total);
    view.progress(ms / total, words(ms));
  };
  step();
  const timer = setInterval(step, PROGRESS_MS);
  return () => clearInterval(timer);
}

/** @param {SubmitEvent} event */
function checkWithAccess(event) {
  event.preventDefault();
  // Of other characters no header can be made.
  const fits = /^[\x21-\x7e]*$/.test(input("access-token").value.trim());
  element("access-error").hidden = fits;
  if (fits) void check();
  else input("access-token").focus();
}

/** @param {SubmitEvent} event */
async function tryTurn(event) {
  event.preventDefault();
  const error = element("turn-error");
  error.hidden = true;
  try {
    const ways = waysTo(input("turn-url").value);
    button("turn-start").disabled = true;
    facts.ice.relays = [];
    await relays(facts, ways, input("turn-username").value, input("turn-credential").value);
  } catch (thrown) {
    error.textContent = thrown instanceof Error ? thrown.message : String(thrown);
    error.hidden = false;
    input("turn-url").focus();
  } finally {
    button("turn-start").disabled = false;
  }
}

async function copy() {
  const label = part(button("copy"), "span");
  try {
    await navigator.clipboard.writeText(view.text);
    label.textContent = "Copied";
  } catch {
    // Without a secure context there is no clipboard; the text can be taken by hand.
    const details = /** @type {HTMLDetailsElement} */ (part(document, ".report"));
    details.open = true;
    getSelection()?.selectAllChildren(element("report"));
    element("report").focus();
    label.textContent = "Copy what is marked";
  }
  setTimeout(() => (label.textContent = "Copy report"), COPIED_MS);
}

element("server").textContent = base;
element("command").textContent = `switchboard check ${base}`;
element("access").addEventListener("submit", (event) => checkWithAccess(/** @type {SubmitEvent} */ (event)));
element("turn").addEventListener("submit", (event) => void tryTurn(/** @type {SubmitEvent} */ (event)));
button("copy").addEventListener("click", () => void copy());
button("again").addEventListener("click", () => void check());
void check();
