import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { connectSimplePeer } from "../../web/client/adapters/simple-peer.js";
import { join } from "../../web/client/switchboard.js";
import { World } from "./harness/world.mjs";

class FakeSimplePeer {
  destroyed = false;
  connected = false;
  constructor(options) {
    this.options = options;
  }
  on() {}
  emit() {}
  signal() {}
  destroy() {}
}

describe("simple-peer over a room", () => {
  /** @type {World} */
  let world;
  let room;
  beforeEach(() => (world = new World()));
  afterEach(() => {
    room.close();
    world.end();
  });

  it("has the room's servers and transport policy, and the application's in their place", async () => {
    const iceServers = [{ urls: "turn:t.test", username: "u", credential: "c" }];
    world.joinAnswer = { iceServers, iceTransportPolicy: "relay" };
    room = await join("http://server.test", "r", { peer: "me" });
    const config = (given) => connectSimplePeer(FakeSimplePeer, room, "bob", { config: given }).options.config;
    assert.deepEqual(config(undefined), { iceServers, iceTransportPolicy: "relay" });
    assert.deepEqual(config({ iceTransportPolicy: "all" }), { iceServers, iceTransportPolicy: "all" });
  });
});
