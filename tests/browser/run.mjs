/** Runs one part of the tests: `node run.mjs chromium`, `node run.mjs firefox`, `node run.mjs lab`, `node run.mjs nodes` */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";

/** Through every proxy, in both browsers: one table. */
const LAB = "proxies.test.mjs";

/** Calls, and their ends, where each request comes to another of three nodes. */
const NODES = ["call.test.mjs", "ending.test.mjs"];

/** What mostly waits runs beside the others. */
const WAITING = ["asleep.test.mjs", "check.test.mjs", "network.test.mjs", "unreachable.test.mjs"];

/** By browser: the files that are left out, and why. @type {Record<string, Map<string, string>>} */
const LEFT_OUT = {
  chromium: new Map([
    [LAB, "is run in both browsers at once"],
    ["mixed.test.mjs", "is run with Firefox, which it starts too"],
  ]),
  firefox: new Map([
    [LAB, "is run in both browsers at once"],
    ["webkit.test.mjs", "starts WebKitGTK itself"],
    ["netchange.test.mjs", "needs a browser that can be led from outside its network, which Firefox can't"],
    ["fallback.test.mjs", "needs the same"],
    ["unreachable.test.mjs", "needs the same"],
    ["relay.test.mjs", "has relays within TLS by a certificate that nobody signed, which Firefox refuses without asking"],
    ["corporate.test.mjs", "has the same"],
    ["http2.test.mjs", "has the same"],
  ]),
};

const [part] = process.argv.slice(2);
const leftOut = LEFT_OUT[part];
/** Parts that are some files only. @type {Record<string, string[]>} */
const PICKED = { lab: [LAB], nodes: NODES };
if (!leftOut && !PICKED[part]) throw new Error(`which part? ${[...Object.keys(LEFT_OUT), ...Object.keys(PICKED)].join(", ")}`);
const here = new URL(".", import.meta.url);
const all = readdirSync(here).filter((file) => file.endsWith(".test.mjs"));
const files = leftOut ? all.filter((file) => !leftOut.has(file)) : PICKED[part];
/** @type {Record<string, string>} */
const told = leftOut ? { BROWSER: part } : part === "nodes" ? { BROWSER: "chromium", SWITCHBOARD_NODES: "3" } : {};
for (const [file, reason] of leftOut ?? []) console.log(`left out: ${file} ${reason}`);

/** Runs files one after the other: whether all is well. @param {string[]} some */
async function run(some) {
  const child = spawn(process.execPath, ["--test", "--test-concurrency=1", ...some], {
    cwd: here,
    env: { ...process.env, ...told },
    stdio: "inherit",
  });
  const [code] = await once(child, "exit");
  return code === 0;
}

const waiting = files.filter((file) => WAITING.includes(file));
const others = files.filter((file) => !WAITING.includes(file));
const well = await Promise.all([waiting, others].filter((some) => some.length).map(run));
process.exit(well.every(Boolean) ? 0 : 1);
