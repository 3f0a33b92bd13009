/** The way that a connection takes, read from the statistics of any browser (webrtc-stats). Knows no call and no room. */

/**
 * @typedef {object} Way
 * @property {string} id Of what the bytes are counted of: under another id they begin anew.
 * @property {"direct" | "stun" | "relay"} kind `stun`: an address is one that a NAT gave, and STUN has found.
 * @property {"ours" | "theirs" | "both"} [relay] Whose relay it is, where it runs through one.
 * @property {"udp" | "tcp" | "tls"} transport How this side reaches what comes next: its relay where it has one, else the other side.
 *   How the other side reaches a relay of its own is not known here.
 * @property {number | null} rtt Round trip in milliseconds; null where the browser has not measured any.
 * @property {number} sent Bytes so far.
 * @property {number} received Bytes so far.
 *
 * @typedef {{id: string, type: string, [key: string]: any}} Stat
 * @typedef {Partial<Pick<RTCPeerConnection, "localDescription" | "remoteDescription">>} Descriptions With the candidates that were added to them.
 * @typedef {{address: string, port: number, type: string}} Told A candidate as its side has told of it.
 */

/**
 * @param {Iterable<[string, Stat]> | ReadonlyMap<string, Stat> | RTCStatsReport} stats
 * @param {Descriptions} [descriptions] of the connection, or itself: what a candidate is may stand there alone
 * @returns {Way | null} null while no pair of candidates is in use
 */
export function wayOf(stats, { localDescription, remoteDescription } = {}) {
  const all = new Map(/** @type {Iterable<[string, Stat]>} */ (stats));
  const pair = pairIn(all);
  const local = all.get(pair?.localCandidateId);
  const remote = all.get(pair?.remoteCandidateId);
  if (!pair || !local || !remote) return null;
  const types = [typeOf(local, all, localDescription), typeOf(remote, all, remoteDescription)];
  const relay = whose(types[0] === "relay", types[1] === "relay");
  const transport = all.get(pair.transportId);
  // Where the transport counts, it counts on over a change of pairs.
  const counted = transport?.bytesSent === undefined ? pair : transport;
  return {
    id: counted.id,
    kind: relay ? "relay" : types.includes("srflx") ? "stun" : "direct",
    ...(relay && { relay }),
    transport: transportOf(local),
    rtt: rttIn(all, pair),
    sent: counted.bytesSent ?? 0,
    received: counted.bytesReceived ?? 0,
  };
}

/** The pair in use. @param {Map<string, Stat>} all @returns {Stat | undefined} */
function pairIn(all) {
  for (const { type, selectedCandidatePairId } of all.values()) {
    if (type === "transport" && all.has(selectedCandidatePairId)) return all.get(selectedCandidatePairId);
  }
  const pairs = [...all.values()].filter(({ type }) => type === "candidate-pair");
  // Older Firefox says it of the pair. What says it nowhere has nominated one, and after a restart another.
  const nominated = pairs.filter((pair) => pair.nominated && pair.state === "succeeded");
  return pairs.find(({ selected }) => selected) ?? nominated.sort((a, b) => (b.lastPacketReceivedTimestamp ?? 0) - (a.lastPacketReceivedTimestamp ?? 0))[0];
}

/** @param {boolean} ours @param {boolean} theirs */
function whose(ours, theirs) {
  return ours && theirs ? "both" : ours ? "ours" : theirs ? "theirs" : undefined;
}

/**
 * What the candidate is: one that a check has come from before it was told of, what it is told to be. Firefox keeps what it is told
 * too late out of the statistics. Where it never is told, a NAT has given it its address, unless that is one of this network.
 *
 * @param {Stat} candidate @param {Map<string, Stat>} all @param {RTCSessionDescription | null} [description] of the candidate's side
 * @returns {string}
 */
function typeOf({ type, candidateType, address, ip, port }, all, description) {
  if (candidateType !== "prflx") return candidateType;
  const at = address ?? ip ?? "";
  for (const other of all.values()) {
    const same = at && other.type === type && (other.address ?? other.ip) === at && other.port === port;
    if (same && other.candidateType !== "prflx") return other.candidateType;
  }
  const told = toldIn(description);
  const same = told.find((other) => other.address === at && other.port === port);
  // Where a host hides its address behind a name, Chromium keeps it out of the statistics, too. Its port is likely the host's own.
  const hidden = !at && told.some((other) => other.address.endsWith(".local") && other.port === port);
  return same?.type ?? (hidden || isNear(at) ? "host" : "srflx");
}

/** @param {RTCSessionDescription | null} [description] @returns {Told[]} */
function toldIn(description) {
  const lines = description?.sdp.matchAll(/^a=candidate:\S+ \d+ \S+ \d+ (\S+) (\d+) typ (\w+)/gm) ?? [];
  return Array.from(lines, ([, address, port, type]) => ({ address, port: Number(port), type }));
}

/** @param {string} address */
function isNear(address) {
  return /^(127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|::1$|f[cd][\da-f]{2}:|fe[89ab][\da-f]:)|\.local$/i.test(address);
}

/** @param {Stat} candidate @returns {Way["transport"]} */
function transportOf({ candidateType, relayProtocol, protocol }) {
  const by = candidateType === "relay" ? (relayProtocol ?? protocol) : protocol;
  return by === "tcp" || by === "tls" ? by : "udp";
}

/** @param {Map<string, Stat>} all @param {Stat} pair */
function rttIn(all, pair) {
  const measured = [pair.currentRoundTripTime];
  // Where ICE tells none, the media do.
  for (const { type, roundTripTime } of all.values()) if (type === "remote-inbound-rtp") measured.push(roundTripTime);
  const seconds = measured.find((rtt) => typeof rtt === "number");
  return seconds === undefined ? null : seconds * 1000;
}
