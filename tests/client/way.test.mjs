/** Statistics as browsers give them, cut down to what tells of the way: recorded in Chromium 156 and Firefox 153; Safari's by its published shape. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { wayOf } from "../../web/client/switchboard.js";

const report = (...stats) => new Map(stats.map((stat) => [stat.id, stat]));

const chromium = ({ local = {}, remote = {}, pair = {}, transport = {} } = {}) => report(
  { id: "CPold", type: "candidate-pair", bytesReceived: 2394, bytesSent: 3280, currentRoundTripTime: 0.009, localCandidateId: "Ix1LF0KOs", nominated: true, remoteCandidateId: "It80YsW1u", state: "succeeded", transportId: "T01", writable: false },
  { id: "CPnow", type: "candidate-pair", bytesReceived: 1150, bytesSent: 26400, currentRoundTripTime: 0.001, localCandidateId: "IxEnyKEzQ", nominated: true, remoteCandidateId: "IR9EOUjan", state: "succeeded", transportId: "T01", writable: true, ...pair },
  { id: "Ix1LF0KOs", type: "local-candidate", address: "127.0.0.1", candidateType: "host", ip: "127.0.0.1", port: 2531, protocol: "udp", transportId: "T01" },
  { id: "It80YsW1u", type: "remote-candidate", address: "127.0.0.1", candidateType: "host", ip: "127.0.0.1", port: 25632, protocol: "udp", transportId: "T01" },
  { id: "IxEnyKEzQ", type: "local-candidate", address: "fd00::2", candidateType: "host", ip: "fd00::2", networkType: "ethernet", port: 48594, protocol: "udp", transportId: "T01", ...local },
  { id: "IR9EOUjan", type: "remote-candidate", address: "fd00::2", candidateType: "host", ip: "fd00::2", isRemote: true, port: 47377, protocol: "udp", transportId: "T01", ...remote },
  { id: "T01", type: "transport", bytesReceived: 3544, bytesSent: 29680, dtlsState: "connected", iceState: "connected", selectedCandidatePairChanges: 2, selectedCandidatePairId: "CPnow", ...transport },
);

const firefox = ({ local = {}, remote = {}, pair = {}, more = [], transport = true } = {}) => report(
  { id: "c0ffee00", type: "candidate-pair", localCandidateId: "55311f1e", nominated: false, remoteCandidateId: "6b6691fd", selected: false, state: "cancelled", transportId: "f21c7255" },
  { id: "fa26b4a9", type: "candidate-pair", bytesReceived: 4964, bytesSent: 30119, currentRoundTripTime: 0.002, lastPacketReceivedTimestamp: 1795952983123, localCandidateId: "55311f1e", nominated: true, readable: true, remoteCandidateId: "6b6691fd", selected: true, state: "succeeded", transportId: "f21c7255", writable: true, ...pair },
  { id: "55311f1e", type: "local-candidate", address: "127.0.0.1", candidateType: "host", foundation: "0", port: 37645, protocol: "udp", ...local },
  { id: "6b6691fd", type: "remote-candidate", address: "127.0.0.1", candidateType: "host", port: 4581, protocol: "udp", ...remote },
  ...(transport ? [{ id: "f21c7255", type: "transport", dtlsState: "connected", iceState: "connected", selectedCandidatePairId: "fa26b4a9" }] : []),
  ...more,
);

/** Addresses are kept from the page, and no transport tells of the pair. */
const safari = ({ local = {}, remote = {}, pair = {} } = {}) => report(
  { id: "RTCTransport_0_1", type: "transport", bytesReceived: 900, bytesSent: 800, dtlsState: "connected" },
  { id: "RTCIceCandidatePair_a", type: "candidate-pair", bytesReceived: 0, bytesSent: 0, localCandidateId: "RTCIceCandidate_l", nominated: false, remoteCandidateId: "RTCIceCandidate_r", state: "in-progress", transportId: "RTCTransport_0_1" },
  { id: "RTCIceCandidatePair_b", type: "candidate-pair", bytesReceived: 900, bytesSent: 800, currentRoundTripTime: 0.04, localCandidateId: "RTCIceCandidate_l", nominated: true, remoteCandidateId: "RTCIceCandidate_r", state: "succeeded", transportId: "RTCTransport_0_1", ...pair },
  { id: "RTCIceCandidate_l", type: "local-candidate", candidateType: "host", protocol: "udp", transportId: "RTCTransport_0_1", ...local },
  { id: "RTCIceCandidate_r", type: "remote-candidate", candidateType: "host", protocol: "udp", transportId: "RTCTransport_0_1", ...remote },
);

const relay = (relayProtocol) => ({ candidateType: "relay", protocol: "udp", ...(relayProtocol && { relayProtocol }) });

describe("the way of a connection", () => {
  it("is read from the pair that the transport names, with the transport's bytes where it counts any", () => {
    assert.deepEqual(wayOf(chromium()), { id: "T01", kind: "direct", transport: "udp", rtt: 1, sent: 29680, received: 3544 });
    assert.deepEqual(wayOf(firefox()), { id: "fa26b4a9", kind: "direct", transport: "udp", rtt: 2, sent: 30119, received: 4964 });
  });

  it("is read from the pair that is selected, or nominated, where no transport names one", () => {
    assert.deepEqual(wayOf(firefox({ transport: false })), { id: "fa26b4a9", kind: "direct", transport: "udp", rtt: 2, sent: 30119, received: 4964 });
    assert.deepEqual(wayOf(safari()), { id: "RTCTransport_0_1", kind: "direct", transport: "udp", rtt: 40, sent: 800, received: 900 });
  });

  for (const [name, shape] of Object.entries({ chromium, firefox, safari })) {
    it(`through STUN, and through a relay, and whose, and by what, in the shape of ${name}`, () => {
      const told = (given) => {
        const { kind, relay: whose, transport } = wayOf(shape(given)) ?? {};
        return [kind, whose, transport];
      };
      assert.deepEqual(told({ remote: { candidateType: "srflx", address: "198.51.100.7" } }), ["stun", undefined, "udp"]);
      assert.deepEqual(told({ local: { candidateType: "prflx", address: "198.51.100.7" } }), ["stun", undefined, "udp"]);
      assert.deepEqual(told({ local: { protocol: "tcp" } }), ["direct", undefined, "tcp"]);
      for (const by of ["udp", "tcp", "tls"]) assert.deepEqual(told({ local: relay(by) }), ["relay", "ours", by]);
      assert.deepEqual(told({ local: relay("tls"), remote: relay() }), ["relay", "both", "tls"]);
      assert.deepEqual(told({ remote: relay() }), ["relay", "theirs", "udp"]);
      assert.deepEqual(told({ local: { candidateType: "srflx" }, remote: relay() }), ["relay", "theirs", "udp"]);
    });
  }

  it("is what a candidate is told to be, where a check came first", () => {
    const remote = { candidateType: "prflx", address: "198.51.100.7" };
    const later = (type) => ({ id: "later", type: "remote-candidate", candidateType: type, address: "198.51.100.7", port: 4581, protocol: "udp" });
    for (const [type, kind] of [["host", "direct"], ["srflx", "stun"], ["relay", "relay"]]) assert.equal(wayOf(firefox({ remote, more: [later(type)] }))?.kind, kind);
    assert.equal(wayOf(firefox({ remote, more: [{ ...later("relay"), port: 1 }] }))?.kind, "stun");
    // Chromium keeps the address of such a one to itself.
    assert.equal(wayOf(chromium({ remote: { candidateType: "prflx", address: undefined, ip: undefined } }))?.kind, "stun");
  });

  it("is what a candidate is told to be in a description, where the statistics have it from a check alone", () => {
    const described = (...candidates) => ({ remoteDescription: { type: "offer", sdp: candidates.map((candidate) => `a=candidate:${candidate}\r\n`).join("") } });
    const remote = { candidateType: "prflx" };
    const relayed = described("2 1 UDP 8331263 127.0.0.1 4581 typ relay raddr 0.0.0.0 rport 0", "3 1 UDP 8331262 127.0.0.1 4582 typ srflx");
    assert.equal(wayOf(firefox({ remote }))?.kind, "direct");
    assert.deepEqual([wayOf(firefox({ remote }), relayed)?.kind, wayOf(firefox({ remote }), relayed)?.relay], ["relay", "theirs"]);
    assert.equal(wayOf(firefox({ remote: { ...remote, address: "198.51.100.7" } }), relayed)?.kind, "stun");
    assert.equal(wayOf(firefox({ remote }), { ...relayed, localDescription: null })?.kind, "relay");
  });

  it("is direct where a host hides its address behind a name, and its port is known", () => {
    const remote = { candidateType: "prflx", address: "", ip: "" };
    const named = (port) => ({ remoteDescription: { type: "answer", sdp: `a=candidate:1 1 udp 2113937151 0f0e-1.local ${port} typ host generation 0\r\n` } });
    assert.equal(wayOf(chromium({ remote }), named(47377))?.kind, "direct");
    assert.equal(wayOf(chromium({ remote }), named(47378))?.kind, "stun");
  });

  it("is direct where an address was learned from a check within one network", () => {
    for (const address of ["127.0.0.1", "10.1.2.3", "172.20.0.9", "192.168.1.1", "169.254.0.1", "::1", "fd00::2", "fe80::1", "a-b-c.local"]) {
      assert.equal(wayOf(chromium({ remote: { candidateType: "prflx", address } }))?.kind, "direct", address);
    }
    for (const address of ["8.8.8.8", "100.64.0.1", "172.32.0.1", "2001:db8::1", ""]) {
      assert.equal(wayOf(chromium({ remote: { candidateType: "prflx", address } }))?.kind, "stun", address);
    }
  });

  it("has the round trip of the media where ICE tells none, and none where nobody does", () => {
    const media = { id: "rir", type: "remote-inbound-rtp", roundTripTime: 0.05 };
    const pair = { currentRoundTripTime: undefined };
    assert.equal(wayOf(firefox({ pair, more: [media] }))?.rtt, 50);
    assert.equal(wayOf(firefox({ more: [media] }))?.rtt, 2);
    assert.equal(wayOf(firefox({ pair }))?.rtt, null);
  });

  it("is the later one of two that are nominated", () => {
    const stats = safari({ pair: { lastPacketReceivedTimestamp: 1 } });
    stats.set("new", { ...stats.get("RTCIceCandidatePair_b"), id: "new", localCandidateId: "relayed", lastPacketReceivedTimestamp: 2 });
    stats.set("relayed", { id: "relayed", type: "local-candidate", ...relay("tcp") });
    assert.deepEqual([wayOf(stats)?.kind, wayOf(stats)?.transport], ["relay", "tcp"]);
  });

  it("is none before there is a pair, and where a candidate is missing", () => {
    assert.equal(wayOf(report()), null);
    assert.equal(wayOf(report({ id: "T01", type: "transport", selectedCandidatePairId: "" })), null);
    assert.equal(wayOf(safari({ pair: { nominated: false } })), null);
    const stats = chromium();
    stats.delete("IR9EOUjan");
    assert.equal(wayOf(stats), null);
  });
});
