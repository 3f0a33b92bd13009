/** The Python example in calls with the demo page. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openGate } from "../browser/harness/gate.mjs";
import { useStage } from "../browser/harness/stage.mjs";
import { Peer } from "./harness/peer.mjs";
import { Scissors } from "./harness/scissors.mjs";
import { EXAMPLE, open, openPython, python } from "./harness/terminal.mjs";

const stage = useStage();

/** Words and moving pictures both ways. */
async function theyTalk(page, python) {
  await page.connectedWith("py");
  await python.prints(/^ada: connected$/);
  await python.prints(/^ada: channel open$/);
  await page.seesMove("py");
  await python.prints(/^ada: picture 30 of \d+x\d+$/);
  await page.say("can you hear me?");
  await python.prints(/^ada says can you hear me\?$/);
  python.type("loud and clear ✓");
  await page.hears("loud and clear ✓");
}

test("a page joins Python's room, Python offers, and each sees and hears the other; Ctrl-C tells the page that Python left", async (t) => {
  const python = openPython(t, stage.url, "python-offers", "py");
  await python.prints(/^ready /);
  const ada = await stage.join(t, { room: "python-offers", peer: "ada" });
  await theyTalk(ada, python);
  await python.prints(/^signal .*"type": "answer"/);

  assert.equal(await python.interrupt(), 0, python.lines.join("\n"));
  await ada.tile("py", `[data-state="ended"][data-reason="left"]`);
  assert.deepEqual(ada.errors, []);
});

test("Python joins a page's room, the page offers, and each sees and hears the other; the page's close is told to Python", async (t) => {
  const ada = await stage.join(t, { room: "page-offers", peer: "ada" });
  const python = openPython(t, stage.url, "page-offers", "py");
  await theyTalk(ada, python);
  await python.prints(/^signal .*"type": "offer"/);
  assert.deepEqual(ada.errors, []);

  await ada.page.close({ runBeforeUnload: false });
  const [, ended] = await python.prints(/^session-ended (.*)$/);
  const { peer, reason } = JSON.parse(ended);
  assert.deepEqual({ peer, reason }, { peer: "ada", reason: "left" });
  const [, left] = await python.prints(/^peer-left (.*)$/);
  assert.deepEqual(JSON.parse(left), { peer: "ada", reason: "left" });
});

test("a hang-up on the page is told to Python, and the page can call again", async (t) => {
  const ada = await stage.join(t, { room: "python-again", peer: "ada" });
  const python = openPython(t, stage.url, "python-again", "py");
  await ada.connectedWith("py");
  await ada.pressOnTile("py", "tile-hangup");
  await python.prints(/^session-ended .*"reason": "hangup"/);
  await ada.pressOnTile("py", "tile-again");
  await ada.connectedWith("py");
  await ada.say("again");
  await python.prints(/^ada says again$/);
});

test("Python comes back after a cut with all that it missed, once and in order, and the call goes on", async (t) => {
  const gate = await openGate(stage.url);
  t.after(() => gate.close());
  const ada = await stage.join(t, { room: "python-cut", peer: "ada" });
  const python = openPython(t, gate.url, "python-cut", "py");
  await ada.connectedWith("py");
  await ada.note("peer-away", "peer-back");

  const send = (number) => ada.page.evaluate((n) => window.meeting.room.send({ to: "py", type: `n${n}` }), number);
  for (let number = 0; number < 3; number += 1) await send(number);
  await python.prints(/"type": "n2"/);
  gate.cut();
  await ada.noted("peer-away", "py");
  for (let number = 3; number < 10; number += 1) await send(number);
  gate.mend();
  await ada.noted("peer-back", "py");
  await python.prints(/"type": "n9"/);
  const numbers = python.lines.map((line) => line.match(/"type": "n(\d)"/)?.[1]).filter(Boolean).map(Number);
  assert.deepEqual(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.ok(python.lines.filter((line) => /^ready .*"resumed": true/.test(line)).length >= 2);
  await ada.say("still there?");
  await python.prints(/^ada says still there\?$/);
});

test("descriptions, candidates and tokens do not reach Python's screen", async (t) => {
  const ada = await stage.join(t, { room: "python-quiet", peer: "ada" });
  const python = openPython(t, stage.url, "python-quiet", "py");
  await ada.connectedWith("py");
  await python.prints(/^ada: connected$/);
  assert.doesNotMatch(python.lines.join("\n"), /v=0|a=ice|candidate:|udp|token/i);
});

test("Python proves its life when an event comes and its last request is old", async (t) => {
  const path = await Scissors.open(t, stage.url, []);
  const early = "import asyncio, switchboard, call; switchboard.ALIVE_AFTER = 0.1; asyncio.run(call.main())";
  const proved = path.passes("HTTP/1.1 204");
  const py = open(t, python(), "-c", `import sys; sys.path.insert(0, "${EXAMPLE}"); ${early}`, path.url, "python-alive");
  await py.prints(/^ping /);
  await proved;
});

test("what a hostile peer sends does not end Python's call with another", async (t) => {
  const room = "python-hostile";
  const python = openPython(t, stage.url, room, "py");
  await python.prints(/^ready /);
  const ada = await stage.join(t, { room, peer: "ada" });
  await ada.connectedWith("py");
  const eve = await Peer.join(stage.url, room, "eve");
  const nonsense = ["null", `{"sdp":"v=0"}`, `{"sdp":7}`, `{"candidate":"candidate:x","sdpMid":null}`, `[[]]`, "9".repeat(5_000), `${"[".repeat(60)}${"]".repeat(60)}`];
  for (const type of ["offer", "answer", "candidate"]) {
    for (const text of nonsense) await eve.signal(`{"to":"py","type":"${type}","session":"s1","data":${text}}`);
  }
  await eve.send("py", "last", "null");
  await python.prints(/^signal .*"type": "last"/);
  await python.prints(/^could not take that: /);
  await ada.say("still there?");
  await python.prints(/^ada says still there\?$/);
});
