/** The search of the servers' logs: each sort of secret is found where it is planted, and a clean log passes. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { LOOKS, hide, hideOptions, search, searchLog } from "../browser/harness/secrets.mjs";

const CLEAN = "INFO switchboard: listening on http://127.0.0.1:8080\nTRACE switchboard: a room has ended\nINFO switchboard: going away\n";

/** Looks through a log that comes in two pieces. @param {string} log */
async function look(log) {
  const stream = new PassThrough();
  const check = searchLog(stream);
  const half = Math.floor(log.length / 2);
  stream.write(log.slice(0, half));
  stream.end(log.slice(half));
  await once(stream, "end");
  check();
}

/** @param {string} secret */
async function found(secret) {
  await assert.rejects(look(CLEAN.replace("a room", `a room of ${secret}, which`)), ({ message }) => message.includes(secret), secret);
  // A last line that was not ended, too.
  await assert.rejects(look(`${CLEAN}TRACE ${secret}`), ({ message }) => message.includes(secret), secret);
}

test("a log without secrets passes", () => look(CLEAN));

test("each sort of secret is found by its looks", async () => {
  assert.ok(LOOKS.length > 15);
  const examples = [
    "sp1.AAECAwQFBgcICQ.c2lnbmF0dXJl",
    "st1.AAECAwQFBgcICQ.c2lnbmF0dXJl",
    "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl",
    "authorization: Basic b3A6b3A=",
    "Bearer anything",
    "events?ticket=anything",
    '"sdp":"v=0\\r\\n',
    "a=ice-ufrag:Zq3k",
    "a=fingerprint:sha-256 6B:8B",
    "candidate:842163049 1 udp 1677729535 203.0.113.77 46154 typ srflx",
    "fd00:dead:beef::77 9 typ host",
    "-----BEGIN PRIVATE KEY-----",
  ];
  for (const secret of [...LOOKS, ...examples]) await found(secret);
});

test("what a server is started with is found by its value", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "switchboard-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "key"), "planted words of a key file, 32 bytes\n");
  hideOptions(["--secret", "planted-signing-secret", "--operator-token", "planted-operator-token", "--access-key", join(folder, "key"), "--origin", "https://page.example"]);
  hide("planted-meta");
  for (const secret of ["planted-signing-secret", "planted-operator-token", "planted words of a key file, 32 bytes", "planted-meta"]) await found(secret);
  await look(CLEAN.replace("a room", "https://page.example"));
});

test("what was shown to a server and what it gave is found by its value, also where it was logged before", async (t) => {
  const server = createServer((_request, response) => {
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify({ peer: "planted-peer", token: "sp1.planted0.signed01", ticket: "st1.planted2.signed03" }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const log = new PassThrough();
  const check = searchLog(log);
  log.end(`${CLEAN}TRACE planted2\n`);
  await once(log.resume(), "end");
  check();

  const url = `http://127.0.0.1:${server.address().port}/rooms/demo/peers`;
  const answer = await fetch(`${url}?ticket=planted-ticket`, { method: "POST", headers: { Authorization: "Bearer planted-bearer" }, body: '{"key":"planted-join-key"}' });
  assert.equal((await answer.json()).peer, "planted-peer");
  // The search reads the answer beside whoever asked for it.
  for (const deadline = Date.now() + 10_000; !search(["signed03"]) && Date.now() < deadline; ) await new Promise((resolve) => setTimeout(resolve, 5));
  for (const secret of ["planted-ticket", "planted-bearer", "planted-join-key", "planted0", "signed01", "planted2", "signed03"]) await found(secret);
  await look(CLEAN.replace("a room", "planted-peer"));
  assert.throws(check, /planted2/);
});
