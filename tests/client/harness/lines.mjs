/** Lines of a history as the server tells them, one after the other on a clock that one sets. */

export class History {
  lines = [];
  at = 1_790_000_000_000;
  #seq = 0;

  constructor(room = "demo") {
    this.room = room;
  }

  add(event, data = {}, ms = 0) {
    this.at += ms;
    this.lines.push({ id: `00000000000000aa-${(this.#seq += 1)}`, event, at: this.at, room: this.room, ...data });
    return this;
  }

  join(peer, order) {
    return this.add("joined", { peer, order });
  }

  signal(from, to, type, session, more = {}, ms = 1) {
    return this.add("signal", { from, ...(to && { to, state: "live" }), type, ...(session && { session }), bytes: 100, ...more }, ms);
  }

  candidates(from, to, session, count) {
    for (let n = 0; n < count; n += 1) this.signal(from, to, "candidate", session, {}, 5);
    return this;
  }

  /** As the server does: the state beside the signal. */
  offer(from, to, session, state = "live") {
    return this.signal(from, to, "offer", session, { state }).add("session", { session, from, to, state: "offered" });
  }

  answer(from, to, session, afterMs = 200) {
    return this.signal(from, to, "answer", session, {}, afterMs).add("session", { session, from, to, state: "answered", after_ms: afterMs });
  }

  /** By whose doing comes first. */
  end(one, other, session, reason, peer = one, afterMs = undefined) {
    const [from, to] = peer === other ? [other, one] : [one, other];
    return this.add("session", { session, from, to, state: "ended", reason, ...(afterMs !== undefined && { after_ms: afterMs }) });
  }

  ice(peer, session, ice, way, ms = 0) {
    return this.add("report", { peer, ...(session && { session }), ice, ...(way && { way }) }, ms);
  }

  /** An offer, its answer, candidates from both. */
  call(from, to, session) {
    return this.offer(from, to, session).candidates(from, to, session, 3).answer(to, from, session).candidates(to, from, session, 2);
  }
}
