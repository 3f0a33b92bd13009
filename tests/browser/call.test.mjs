import assert from "node:assert/strict";
import { test } from "node:test";
import { useStage } from "./harness/stage.mjs";

const stage = useStage();

/** Two pages in a call: words both ways, moving pictures both ways, each over the transport it was told to use. */
async function twoTalk(t, room, first, second) {
  const ada = await stage.join(t, { room, peer: "ada", ...first });
  const bob = await stage.join(t, { room, peer: "bob", ...second });
  await Promise.all([ada.connectedWith("bob"), bob.connectedWith("ada")]);
  await ada.usesTransport(first.transport);
  await bob.usesTransport(second.transport);

  await ada.say("can you hear me?");
  await bob.hears("can you hear me?");
  await bob.say("loud and clear");
  await ada.hears("loud and clear");

  await Promise.all([ada.seesMove("bob"), bob.seesMove("ada")]);
  assert.deepEqual([...ada.errors, ...bob.errors], []);
  return { ada, bob };
}

test("two pages on the EventSource stream see and hear each other", async (t) => {
  const { ada } = await twoTalk(t, "both-sse", { transport: "sse" }, { transport: "sse" });
  assert.deepEqual(ada.doors(), ["events"]);
});

test("two pages on the long-poll see and hear each other", async (t) => {
  const { bob } = await twoTalk(t, "both-poll", { transport: "poll" }, { transport: "poll" });
  assert.deepEqual(bob.doors(), ["poll"]);
});

test("one page on the stream and one on the long-poll see and hear each other, with cameras", async (t) => {
  const { ada, bob } = await twoTalk(t, "one-of-each", { transport: "sse", picture: false }, { transport: "poll", picture: false });
  assert.deepEqual([ada.doors(), bob.doors()], [["events"], ["poll"]]);
  assert.equal(await ada.page.$eval("#self", (self) => self.dataset.source), "camera");
});

test("a third peer joins a running call and all three are connected pairwise", async (t) => {
  const room = "three";
  const join = (peer, transport) => stage.join(t, { room, peer, transport });
  const ada = await join("ada", "sse");
  const bob = await join("bob", "poll");
  await Promise.all([ada.connectedWith("bob"), bob.connectedWith("ada")]);
  const eve = await join("eve", "auto");
  await Promise.all([ada.connectedWith("bob", "eve"), bob.connectedWith("ada", "eve"), eve.connectedWith("ada", "bob")]);

  await eve.say("hello to both");
  await Promise.all([ada.hears("hello to both"), bob.hears("hello to both")]);
  await eve.seesMove("ada");
  await eve.seesMove("bob");
  assert.equal(await eve.page.$$eval(`[data-testid="tile"]`, (tiles) => tiles.length), 2);
  assert.deepEqual([...ada.errors, ...bob.errors, ...eve.errors], []);
});

test("of three in a call, hanging up on one leaves the other two connected", async (t) => {
  const room = "three-less-one";
  const [ada, bob, eve] = await Promise.all(["ada", "bob", "eve"].map((peer) => stage.join(t, { room, peer })));
  await Promise.all([ada.connectedWith("bob", "eve"), bob.connectedWith("ada", "eve"), eve.connectedWith("ada", "bob")]);

  await ada.pressOnTile("bob", "tile-hangup");
  await bob.tile("ada", `[data-state="ended"][data-reason="hangup"]`);
  await ada.tile("bob", `[data-state="ended"][data-reason="hangup"]`);
  assert.equal(await bob.textOnTile("ada", "tile-reason"), "ada hung up");
  assert.equal(await ada.textOnTile("bob", "tile-reason"), "You hung up");

  await eve.say("still here");
  await Promise.all([ada.hears("still here"), bob.hears("still here")]);
  await eve.connectedWith("ada", "bob");
});

test("either side can call again after a hang-up", async (t) => {
  const room = "again";
  const ada = await stage.join(t, { room, peer: "ada" });
  const bob = await stage.join(t, { room, peer: "bob" });
  for (const [round, caller] of [ada, bob].entries()) {
    await Promise.all([ada.connectedWith("bob"), bob.connectedWith("ada")]);
    await ada.pressOnTile("bob", "tile-hangup");
    await bob.tile("ada", `[data-state="ended"]`);
    await caller.pressOnTile(caller === ada ? "bob" : "ada", "tile-again");
    await Promise.all([ada.connectedWith("bob"), bob.connectedWith("ada")]);
    await bob.say(`round ${round}`);
    await ada.hears(`round ${round}`);
  }
});

test("who mutes or hides the picture is seen to by the other", async (t) => {
  const room = "muted";
  const ada = await stage.join(t, { room, peer: "ada", picture: false });
  const bob = await stage.join(t, { room, peer: "bob" });
  await Promise.all([ada.connectedWith("bob"), bob.connectedWith("ada")]);
  await bob.tile("ada", `[data-mic="on"][data-picture="shown"]`);

  await ada.press("mic");
  await bob.tile("ada", `[data-mic="off"]`);
  assert.equal(await ada.page.evaluate(() => window.meeting.stream.getAudioTracks()[0].enabled), false);
  await ada.press("camera");
  await bob.tile("ada", `[data-picture="none"]`);
  await ada.press("camera");
  await ada.press("mic");
  await bob.tile("ada", `[data-mic="on"][data-picture="shown"]`);
});
