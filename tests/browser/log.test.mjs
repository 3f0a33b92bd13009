/** That the search of servers' logs finds what it looks for. */

import assert from "node:assert/strict";
import { existsSync, writeSync } from "node:fs";
import { test } from "node:test";
import { Log } from "./harness/log.mjs";
import { startServer } from "./harness/server.mjs";

const TRACE = "2026-01-01T00:00:00Z TRACE somewhere: something\n";

test("whatever no log may hold is found, wherever it stands", () => {
  const many = TRACE.repeat(50_000);
  for (const secret of [
    "GET /rooms/r/peers/p/events?ticket=st1.c29tZXRoaW5n.dGFn",
    "authorization: Bearer sp1.c29tZXRoaW5n.dGFn",
    "eyJhbGciOiJIUzI1NiJ9.e30.x",
    '{"sdp":"v=0\\r\\no=- 1 2 IN IP4 127.0.0.1"}',
    "a=fingerprint:sha-256 00:11",
    "candidate:1 1 udp 2122260223 192.0.2.1 54400 typ host",
    "the operator is told-by-flag",
  ]) {
    for (const before of ["", many]) {
      const log = new Log(["--grace", "3s", "--operator-token", "told-by-flag"]);
      writeSync(log.fd, `${before}${TRACE}${secret}\n${many}`);
      assert.throws(() => log.close(), /what no log may hold/, secret);
      assert.ok(!existsSync(log.path));
    }
  }
});

test("a log with none of it is good, and one that says little is not", () => {
  const log = new Log(["--operator-token", "told-by-flag"]);
  writeSync(log.fd, TRACE);
  log.close();
  assert.throws(() => new Log().close(), /most talkative/);
});

test("a server under test is at its most talkative", async () => {
  const server = await startServer();
  await fetch(`${server.url}/livez`);
  await server.stop();
});
