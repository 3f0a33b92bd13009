/** trystero's own peers in Node, each a process with a WebRTC of node-datachannel, find each other through the server. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm, symlink, mkdir, copyFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { endWithUs } from "../browser/harness/processes.mjs";
import { startServer } from "../browser/harness/server.mjs";

const DEADLINE_MS = 60_000;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

let server, home;
before(async () => {
  server = await startServer();
  // The example as its user has it: its packages beside it.
  home = await mkdtemp(join(tmpdir(), "switchboard-trystero-"));
  await mkdir(join(home, "node_modules/@trystero-p2p"), { recursive: true });
  await symlink(here("node_modules/@trystero-p2p/core"), join(home, "node_modules/@trystero-p2p/core"));
  await symlink(here("node_modules/node-datachannel"), join(home, "node_modules/node-datachannel"));
  await symlink(here("../../web/client"), join(home, "node_modules/switchboard-client"));
  await copyFile(here("../../examples/trystero/peer.mjs"), join(home, "peer.mjs"));
});
after(async () => {
  await server?.stop();
  if (home) await rm(home, { recursive: true });
});

class Peer {
  lines = [];
  said = "";
  #waiting = new Set();

  constructor(name) {
    this.name = name;
    this.child = spawn(process.execPath, [join(home, "peer.mjs"), name, server.url], { stdio: ["pipe", "pipe", "pipe"] });
    this.kill = endWithUs(this.child);
    this.child.stderr.on("data", (chunk) => (this.said = (this.said + chunk).slice(-4096)));
    createInterface({ input: this.child.stdout }).on("line", (line) => {
      this.lines.push(line);
      for (const look of this.#waiting) look();
    });
  }

  /** @param {RegExp} pattern @param {number} [times] @returns {Promise<RegExpExecArray[]>} */
  told(pattern, times = 1) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = this.lines.map((line) => pattern.exec(line)).filter((match) => match !== null);
        if (found.length < times) return;
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve(found);
      };
      const timer = setTimeout(() => reject(new Error(`${this.name} was not told ${pattern} ${times} times: ${this.lines} ${this.said}`)), DEADLINE_MS);
      this.#waiting.add(look);
      look();
    });
  }

  /** Leaves in good order. */
  async leave() {
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.stdin.end();
    return ended;
  }
}

test("three trystero peers find each other, exchange words, and see one leave", async (t) => {
  const peers = ["ada", "bob", "eve"].map((name) => new Peer(name));
  t.after(() => Promise.all(peers.map((peer) => peer.kill())));
  const since = Date.now();
  await Promise.all(peers.map((peer) => peer.told(/^said /, 2)));
  t.diagnostic(`all heard all after ${Date.now() - since} ms`);
  for (const peer of peers) {
    const names = peer.lines.map((line) => /I am (\w+)$/.exec(line)?.[1]).filter(Boolean);
    assert.deepEqual(names.sort(), ["ada", "bob", "eve"].filter((name) => name !== peer.name));
  }
  const [ada, bob, eve] = peers;
  const [[, id]] = await ada.told(/^said (\S+) I am eve$/);
  assert.equal(await eve.leave(), 0, eve.said);
  for (const peer of [ada, bob]) {
    const [[, left]] = await peer.told(/^left (\S+)$/);
    assert.equal(left, id);
  }
  await Promise.all([ada.leave(), bob.leave()]);
});

test("the server sees topics and ciphertext, and the room empties when trystero has left", async (t) => {
  const watcher = await (await import("../../web/client/switchboard.js")).join(server.url, "lobby", { peer: "watcher", remember: false });
  t.after(() => watcher.leave());
  const seen = [];
  watcher.addEventListener("signal", ({ detail }) => seen.push(detail));
  const emptied = new Promise((resolve) => watcher.addEventListener("peers", ({ detail }) => seen.length > 0 && detail.peers.length === 0 && resolve()));
  const peers = ["ada", "bob"].map((name) => new Peer(name));
  t.after(() => Promise.all(peers.map((peer) => peer.kill())));
  await Promise.all(peers.map((peer) => peer.told(/^said /)));
  assert.ok(seen.length > 0);
  const text = JSON.stringify(seen);
  for (const secret of ["v=0", "fingerprint", "switchboard-example", "hall"]) assert.ok(!text.includes(secret), secret);
  await Promise.all(peers.map((peer) => peer.leave()));
  let timer;
  await Promise.race([emptied, new Promise((_, reject) => (timer = setTimeout(() => reject(new Error("the room is not empty")), DEADLINE_MS)))]);
  clearTimeout(timer);
});
