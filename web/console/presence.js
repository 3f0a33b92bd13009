/** By what each peer reads, and when it does not: bars on a line of time. Knows no page. */

/**
 * @typedef {import("./lines.js").Line} Line
 *
 * @typedef {object} Bar
 * @property {number} from
 * @property {number} [to] Left out: it goes on.
 * @property {"events" | "notices"} door
 * @property {string} transport
 * @property {string} [how] `resumed`, `gap`
 * @property {string} [gap]
 * @property {boolean} [known] Whether it was told how it ended; of polls nobody does.
 * @property {boolean} [assumed] Whether nobody told that it began: polls that go on where they stood are not told again.
 * @property {string} [reason] None with `known`: the connection went.
 *
 * @typedef {{from: number, to?: number, reason?: string}} Stay
 *
 * @typedef {object} Presence
 * @property {string} peer
 * @property {number} order
 * @property {Stay[]} stays
 * @property {Stay[]} aways
 * @property {Bar[]} bars
 */

/**
 * @param {Line[]} lines
 * @param {Iterable<[string, number]>} [orders] of peers whose join is not among the lines
 * @returns {Presence[]} in the order in which they joined
 */
export function presences(lines, orders = []) {
  /** @type {Map<string, Presence>} */
  const all = new Map();
  const known = new Map(orders);
  const began = lines[0]?.at ?? 0;
  for (const line of lines) {
    if (line.peer === undefined) continue;
    let found = all.get(line.peer);
    if (!found) {
      const order = line.event === "joined" ? line.order : known.get(line.peer);
      // Whoever was there before the first line is there from the beginning of what is known.
      found = { peer: line.peer, order: order ?? -1, stays: line.event === "joined" ? [] : [{ from: began }], aways: line.event === "back" ? [{ from: began }] : [], bars: [] };
      all.set(line.peer, found);
    }
    take(found, line);
  }
  for (const [peer, order] of known) if (!all.has(peer)) all.set(peer, { peer, order, stays: [{ from: began }], aways: [], bars: [] });
  return [...all.values()].sort((a, b) => a.order - b.order);
}

/** @param {Presence} presence @param {Line} line */
function take({ stays, aways, bars }, line) {
  const { event, at, reason } = line;
  switch (event) {
    case "joined":
      stays.push({ from: at });
      break;
    case "left":
      end(aways, at);
      end(stays, at, reason);
      for (const bar of bars) if (bar.to === undefined) Object.assign(bar, { to: at, known: true, reason });
      break;
    case "away":
      // Who is away has no reader, and of polls no end is told.
      for (const bar of bars) if (bar.to === undefined) bar.to = at;
      aways.push({ from: at });
      break;
    case "back":
      end(aways, at);
      goOn(bars, at);
      break;
    case "reading":
      read(bars, line);
      break;
    case "stopped":
      stop(bars, line);
      break;
  }
}

/** @param {Bar[]} bars @param {Line} line */
function read(bars, { at, door = "events", transport = "", how, gap }) {
  const open = bars.filter((bar) => bar.door === door && bar.to === undefined).at(-1);
  if (open?.assumed && open.from >= at) bars.splice(bars.indexOf(open), 1);
  else if (open) open.to = at;
  bars.push({ from: at, door, transport, ...(how && { how }), ...(gap && { gap }) });
}

/** Polls that an absence has ended go on with its end. @param {Bar[]} bars @param {number} at */
function goOn(bars, at) {
  const last = bars.filter(({ door }) => door === "events").at(-1);
  if (last?.transport !== "poll" || last.to === undefined || last.known) return;
  bars.push({ from: at, door: "events", transport: "poll", assumed: true });
}

/** @param {Bar[]} bars @param {Line} line */
function stop(bars, { at, door = "events", transport = "", ms = 0, reason }) {
  const from = at - ms;
  const same = bars.filter((bar) => bar.door === door && bar.transport === transport && !bar.known);
  // One that was replaced is told to have stopped after the newer one has begun: it is that with the nearest beginning.
  const own = same.sort((a, b) => Math.abs(a.from - from) - Math.abs(b.from - from))[0];
  if (!own) return void bars.push({ from, to: at, door, transport, known: true, reason });
  Object.assign(own, { to: Math.min(own.to ?? at, at), known: true, reason });
}

/** @param {Stay[]} stays @param {number} at @param {string} [reason] */
function end(stays, at, reason) {
  const last = stays.at(-1);
  if (last && last.to === undefined) Object.assign(last, { to: at, ...(reason && { reason }) });
}
