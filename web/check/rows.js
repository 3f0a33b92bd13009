/** Each fact as a line for people: how it stands, what was measured, and what it means. */

import { sharesPort } from "./ice.js";
import { LONG_POLL_S } from "./member.js";
import { seconds } from "./patience.js";
import { NO_TURN, SHARED, idleCut, longestSilence } from "./verdict.js";

/**
 * @typedef {"good"|"warn"|"bad"|"none"|"running"} State none: says nothing for or against
 * @typedef {{key: string, label: string, state: State, value: string, note?: string}} Row
 * @typedef {{title: string, rows: Row[]}} Group
 * @typedef {import("./verdict.js").Facts} Facts
 */

/** @param {string} key @param {string} label @param {State} state @param {string} value @param {string} [note] @returns {Row} */
const row = (key, label, state, value, note) => ({ key, label, state, value, ...(note ? { note } : {}) });
/** @param {string} key @param {string} label */
const waits = (key, label) => row(key, label, "running", "…");

/** @param {Facts} facts @returns {Group[]} */
export function groups(facts) {
  // Once all is over, what has no result will have none.
  const over = (/** @type {Row} */ one) => (facts.over && one.state === "running" && !one.key.startsWith("turn-") ? row(one.key, one.label, "none", "not measured") : one);
  return [
    { title: "Requests up", rows: requestRows(facts).map(over) },
    { title: "Events down", rows: eventRows(facts).map(over) },
    { title: "On the way", rows: wayRows(facts).map(over) },
    { title: "Picture and sound", rows: mediaRows(facts).map(over) },
  ];
}

/** @param {Facts} facts */
function requestRows({ requests, joined }) {
  if (!requests) return [waits("post", "POST"), waits("patch", "PATCH and DELETE"), waits("headers", "Headers"), waits("join", "Join a room")];
  const { post, patch, remove } = requests;
  const { answered = 0, made = 0 } = post;
  const blocked = [!patch.ok && "PATCH", !remove.ok && "DELETE"].filter(Boolean).join(" and ");
  const lost = [requests.authorization !== "kept" && "Authorization", requests.lastEventId !== "kept" && "Last-Event-ID"].filter(Boolean).join(" and ");
  return [
    post.ok
      ? row("post", "POST", answered < made ? "warn" : "good", `${seconds(post.ms ?? 0)} there and back${answered < made ? `, ${answered} of ${made} answered` : ""}`)
      : row("post", "POST", "bad", joined?.ok ? "mostly lost" : "blocked", post.why),
    blocked
      ? row("patch", "PATCH and DELETE", "warn", `${blocked} blocked`, `${patch.ok ? remove.why : patch.why}. Switchboard says the same by POST.`)
      : row("patch", "PATCH and DELETE", "good", "allowed"),
    requests.authorization === undefined ? row("headers", "Headers", "none", "not known") : lost ? row("headers", "Headers", "warn", `${lost} lost or changed`, "A stream comes back by its ticket all the same; requests need Authorization.") : row("headers", "Headers", "good", "kept", "Authorization, Last-Event-ID"),
    joined ? (joined.ok ? row("join", "Join a room", "good", "done") : row("join", "Join a room", "bad", "refused", joined.why)) : waits("join", "Join a room"),
  ];
}

/** @param {Facts} facts */
function eventRows(facts) {
  return [streamRow(facts), ticksRow(facts), silenceRow(facts), longPollRow(facts), websocketRow(facts)];
}

/** @param {Facts} facts */
function streamRow({ stream }) {
  const [key, label] = ["stream", "Event stream"];
  if (!stream) return waits(key, label);
  if (!stream.ok) return row(key, label, "warn", stream.firstMs === undefined ? "nothing came" : "held back", stream.why);
  return row(key, label, "good", `first event after ${seconds(stream.firstMs ?? 0)}`);
}

/** @param {Facts} facts */
function ticksRow({ ticks }) {
  const [key, label] = ["ticks", "Buffering"];
  if (!ticks) return waits(key, label);
  const changed = [ticks.encoding && `compressed on the way (${ticks.encoding})`, ticks.contentType && `content type changed (${ticks.contentType})`].filter(Boolean).join(", ");
  if (ticks.busy) return row(key, label, "none", "not measured", "The server has too many checks at once; try again later.");
  if (ticks.arrived.length === 0) return row(key, label, "warn", "no tick came", ticks.why);
  if (!ticks.passes) return row(key, label, "warn", ticks.why ?? `held back for ${seconds(ticks.heldMs ?? 0)}`, changed || "The ticks came together.");
  return row(key, label, changed ? "warn" : "good", `none, within ${seconds(ticks.heldMs ?? 0)}`, changed);
}

/** @param {Facts} facts */
function silenceRow(facts) {
  const [key, label] = ["silence", "Silence"];
  const { silences, heartbeatMs = 0 } = facts;
  if (silences.length === 0) return row(key, label, "running", "comes next");
  const cut = idleCut(facts);
  const kept = longestSilence(facts);
  const running = silences.some(({ state }) => state === "running");
  if (cut !== undefined) {
    const dark = silences.some(({ state }) => state === "dark");
    const note = cut > heartbeatMs ? `Longer than the server is ever silent (${seconds(heartbeatMs)}).` : `The server says something every ${seconds(heartbeatMs)}: the stream is built anew each time.`;
    return row(key, label, cut > heartbeatMs ? "good" : "warn", `${dark ? "forgotten" : "cut"} after ${seconds(cut)}`, note);
  }
  if (running) return row(key, label, "running", kept ? `${seconds(kept)} so far` : "listening");
  if (kept === 0) return row(key, label, "none", "not measured", "The server has too many checks at once; try again later.");
  return row(key, label, "good", `${seconds(kept)} and more`);
}

/** @param {Facts} facts */
function longPollRow({ poll, longPoll }) {
  const [key, label] = ["poll", "Long-poll"];
  if (poll && !poll.ok) return row(key, label, "bad", "does not come through", poll.why);
  if (!longPoll) return poll ? row(key, label, "running", "a short one came whole") : waits(key, label);
  if (longPoll.state === "running") return row(key, label, "running", `held, up to ${LONG_POLL_S} s`);
  if (longPoll.state === "kept") return row(key, label, "good", `whole after ${LONG_POLL_S} s`);
  if (longPoll.state === "early") return row(key, label, "warn", `answered after ${seconds(longPoll.forMs)}`, `It was to be held for ${LONG_POLL_S} s: something on the way answers in the server’s place, or the server goes away.`);
  return row(key, label, "warn", `cut after ${seconds(longPoll.forMs)}`, longPoll.why);
}

/** @param {Facts} facts */
function websocketRow({ websocket }) {
  const [key, label] = ["websocket", "WebSocket"];
  if (!websocket) return waits(key, label);
  const note = "For comparison: signaling here does without.";
  return websocket.ok ? row(key, label, "none", "possible", note) : row(key, label, "none", "blocked", `${websocket.why}. ${note}`);
}

/** As browsers write them (RFC 7301's names). @type {Record<string, string>} */
const PROTOCOLS = { "http/1.0": "HTTP/1.0", "http/1.1": "HTTP/1.1", h2: "HTTP/2", h3: "HTTP/3" };

/** @param {Facts} facts */
function wayRows({ requests }) {
  if (!requests) return [waits("version", "HTTP version"), waits("proxies", "Proxies"), waits("clock", "Clock")];
  const { version, protocol, via, forwarded = [], skewMs, doubtMs = 0 } = requests;
  const here = protocol && (PROTOCOLS[protocol] ?? protocol);
  const versions = here === version && version ? `${version} at both ends` : [here && `${here} here`, version && `${version} at the server`].filter(Boolean).join(", ");
  const seen = [via && `Via: ${via}`, forwarded.length > 0 && forwarded.join(", ")].filter(Boolean).join("; ");
  const old = version === "HTTP/1.0";
  const skew = Math.abs(skewMs ?? 0);
  return [
    row("version", "HTTP version", versions ? (old ? "warn" : "good") : "none", versions || "not known", old ? "A proxy speaks HTTP/1.0, which ends a connection with each answer." : undefined),
    seen ? row("proxies", "Proxies", "none", "there are some", seen) : row("proxies", "Proxies", "none", requests.reached.ok ? "none that says so" : "not known"),
    skewMs === undefined
      ? row("clock", "Clock", "none", "not known")
      : row("clock", "Clock", skew > 60_000 ? "warn" : "good", skew <= Math.max(doubtMs, 50) ? "agrees" : `${seconds(skew)} ${skewMs < 0 ? "ahead" : "behind"}`, skew > 60_000 ? "Credentials that expire may be refused." : `to ± ${seconds(Math.max(1, doubtMs))}`),
  ];
}

const TRANSPORTS = { udp: "TURN over UDP", tcp: "TURN over TCP", tls: "TURN over TLS" };

/** @param {Facts} facts @returns {Row[]} */
function mediaRows({ ice, joined, base }) {
  const { host, stun, relays } = ice;
  /** @type {Row[]} */
  const rows = [];
  if (!host) rows.push(waits("host", "Own addresses"));
  else if (host.count === 0) rows.push(row("host", "Own addresses", "bad", "none", host.why ?? "WebRTC is switched off or blocked by a policy."));
  else rows.push(row("host", "Own addresses", "good", `${host.count}`, host.named ? "hidden behind names (mDNS)" : undefined));
  for (const { url, state, why, ms } of stun) rows.push(row("stun", "STUN", state, state === "good" ? `answered after ${seconds(ms ?? 0)}` : state === "warn" ? "not certain" : "not reached", [url, why].filter(Boolean).join(": ")));
  if (stun.length === 0) rows.push(joined ? row("stun", "STUN", "none", "none configured") : waits("stun", "STUN"));
  for (const relay of relays) {
    const value = relay.state === "running" ? "asking" : relay.state === "good" ? `relay after ${seconds(relay.ms ?? 0)}${sharesPort(relay, base) ? SHARED : ""}` : "no relay";
    rows.push(row(`turn-${relay.transport}`, TRANSPORTS[relay.transport], relay.state, value, [relay.url, relay.why].filter(Boolean).join(": ")));
  }
  if (relays.length === 0) rows.push(joined ? row("turn", "TURN", "warn", "none configured", NO_TURN) : waits("turn", "TURN"));
  return rows;
}
