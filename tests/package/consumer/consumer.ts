// What a TypeScript user of the package writes; it must pass the strictest check.

import { connect, join, negotiate, Room, SwitchboardError, type Call } from "switchboard-client";
import { installPeerJsTransport } from "switchboard-client/peerjs";
import { connectSimplePeer } from "switchboard-client/simple-peer";
import { trysteroTransport } from "switchboard-client/trystero";
import { createTopicStrategy } from "@trystero-p2p/core";

class FakePeer {
  destroyed = false;
  connected = false;
  constructor(public options: { initiator: boolean }) {}
  signal(data: unknown): void {}
  destroy(error?: Error): void {}
  on(event: string, listener: (...args: any[]) => void): this {
    return this;
  }
  emit(event: string, ...args: unknown[]): boolean {
    return true;
  }
  onlyHere(): number {
    return 1;
  }
}

export async function use(): Promise<number> {
  const room: Room = await join("https://signal.example", "demo", { meta: { name: "Ada" }, transport: "poll" });
  const call: Call = connect(room, "bob", { channels: ["chat", { label: "files", ordered: false }] });
  call.addEventListener("ended", (event) => console.log((event as CustomEvent<{ reason: string }>).detail.reason));
  const state: "new" | "connecting" | "connected" | "disconnected" | "failed" | "ended" = call.state;
  const orders: number[] = [...room.peers.values()].map(({ order }) => order);
  // @ts-expect-error There is no such transport.
  await join("https://signal.example", "demo", { transport: "carrier-pigeon" });
  // @ts-expect-error A signal has a type.
  await room.send({ to: "bob" });
  negotiate(call.pc, { polite: true, initiator: false, send: () => {} });

  const uninstall: () => void = installPeerJsTransport({ url: "https://signal.example", room: "demo" });
  uninstall();
  // @ts-expect-error It needs to know where.
  installPeerJsTransport({ room: "demo" });
  const joinRoom = createTopicStrategy(trysteroTransport({ url: "https://signal.example", room: "lobby" }));
  await joinRoom({ appId: "app" }, "hall").leave();
  try {
    await room.leave();
  } catch (error) {
    if (error instanceof SwitchboardError) console.log(error.slug, error.status, state, orders);
  }
  // What is handed in comes out as what it is.
  return connectSimplePeer(FakePeer, room, "bob", { session: "s1", config: { iceServers: [] } }).onlyHere();
}
