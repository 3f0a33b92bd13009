/** The shell example against the server. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openGate } from "../browser/harness/gate.mjs";
import { startServer } from "../browser/harness/server.mjs";
import { Peer } from "./harness/peer.mjs";
import { open } from "./harness/terminal.mjs";

const OPERATOR = "the operator of this test";
const SCRIPT = fileURLToPath(new URL("../../examples/shell/peer.sh", import.meta.url));

/** @type {Awaited<ReturnType<typeof startServer>>} */
let server;
before(async () => void (server = await startServer("--operator-token", OPERATOR, "--heartbeat", "1s")));
after(() => server?.stop());

test("the scripts are clean", () => {
  for (const script of [SCRIPT, ...["alone", "prepare"].map((name) => fileURLToPath(new URL(name, import.meta.url)))]) {
    execFileSync("bash", ["-n", script]);
    try {
      execFileSync("shellcheck", [script], { encoding: "utf8" });
    } catch (error) {
      throw new Error(error.code === "ENOENT" ? "install shellcheck (apt-get install shellcheck)" : error.stdout);
    }
  }
});

/** The command lines of the curls that read in this room, once there are any. @param {string} room */
async function readers(room) {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; await sleep(20)) {
    const lines = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8");
      } catch {
        // It has ended since.
        return "";
      }
    });
    const found = lines.filter((line) => line.startsWith("curl") && line.includes(`/rooms/${room}/peers/bob/`));
    if (found.length > 0) return found;
  }
  throw new Error("no curl reads");
}

for (const door of ["stream", "poll"]) {
  const flags = door === "poll" ? ["--poll"] : [];

  test(`by ${door}: two shells talk, and Ctrl-C tells the other`, async (t) => {
    const room = `shell-${door}`;
    const bob = open(t, SCRIPT, ...flags, server.url, room, "bob");
    await bob.prints(/^joined as bob with \[\]$/);
    const ada = open(t, SCRIPT, ...flags, server.url, room, "ada");
    await ada.prints(/^joined as ada with \["bob"\]$/);
    await bob.prints(/^peer-joined .*"peer":"ada"/);
    ada.type(`bob can you  hear "me"? 'ü' $HOME \\n \`id\` €`);
    await bob.prints(/^ada: can you  hear "me"\? 'ü' \$HOME \\n `id` €$/);
    bob.type("* loud and clear");
    await ada.prints(/^bob: loud and clear$/);
    ada.type("nobody hello");
    await ada.prints(/^not sent, /);

    assert.equal(await ada.interrupt(), 0, ada.lines.join("\n"));
    await bob.prints(/^peer-left \{"peer":"ada","reason":"left"\}$/);
  });

  test(`by ${door}: it answers pings, and nothing hostile reaches the screen`, async (t) => {
    const room = `shell-hostile-${door}`;
    const alice = await Peer.join(server.url, room, "alice");
    const bob = open(t, SCRIPT, ...flags, server.url, room, "bob");
    await bob.prints(/^joined as bob/);
    await alice.send("bob", "message", `{"text":"a\\n\\nevent: evil\\u001b[2J\\u009b2J\\rb"}`, `{"text":"${"x".repeat(60_000)}"}`, `{"text":"after"}`);
    await bob.prints(/^alice: after$/);
    assert.ok(bob.lines.includes("alice: a??event: evil?[2J?2J?b"), bob.lines.join("\n").slice(0, 500));
    assert.ok(bob.lines.includes(`alice: ${"x".repeat(60_000)}`));

    const answered = new Promise((resolve) => {
      void alice.record("", (text) => text.includes(`"from":"bob","type":"pong","data":{"n":[1,"€"]}`) && resolve(true));
    });
    await alice.send("bob", "ping", `{"n":[1,"€"]}`);
    await bob.prints(/^signal .*"type":"ping"/);
    assert.ok(await answered);
    await alice.leave();
  });

  test(`by ${door}: it comes back after a cut with all that it missed, once and in order`, async (t) => {
    const gate = await openGate(server.url);
    t.after(() => gate.close());
    const room = `shell-cut-${door}`;
    const alice = await Peer.join(server.url, room, "alice");
    const bob = open(t, SCRIPT, ...flags, gate.url, room, "bob");
    await bob.prints(/^joined as bob/);
    const texts = Array.from({ length: 9 }, (_, n) => `{"text":"number ${n}"}`);
    await alice.send("bob", "message", ...texts.slice(0, 3));
    await bob.prints(/number 2/);
    gate.cut();
    await alice.send("bob", "message", ...texts.slice(3, 8));
    gate.mend();
    await bob.prints(/number 7/);
    await alice.send("bob", "message", texts[8]);
    await bob.prints(/number 8/);
    assert.deepEqual(bob.lines.filter((line) => line.includes("number")), texts.map((_, n) => `alice: number ${n}`));
  });

  test(`by ${door}: its end comes with the reason, and ends the script`, async (t) => {
    const room = `shell-end-${door}`;
    const bob = open(t, SCRIPT, ...flags, server.url, room, "bob");
    await bob.prints(/^joined as bob/);
    const reading = await readers(room);
    assert.ok(reading.every((line) => !/bearer/i.test(line)), "no token on a command line");
    await fetch(`${server.url}/rooms/${room}/peers/bob`, { method: "DELETE", headers: { Authorization: `Bearer ${OPERATOR}` } });
    // Between two polls the reason comes as a refusal.
    await bob.prints(/^(end .*"reason":"kicked"|ended: kicked)/);
    assert.equal(await bob.ended, 0);
  });
}
