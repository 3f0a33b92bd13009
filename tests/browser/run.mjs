/** Runs one part of the tests: `node run.mjs chromium`, `node run.mjs firefox`, `node run.mjs lab` */

import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";

/** Through every proxy, in both browsers: one table. */
const LAB = "proxies.test.mjs";

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
  ]),
};

const [part] = process.argv.slice(2);
const leftOut = LEFT_OUT[part];
if (!leftOut && part !== "lab") throw new Error(`which part? ${[...Object.keys(LEFT_OUT), "lab"].join(", ")}`);
const here = new URL(".", import.meta.url);
const all = readdirSync(here).filter((file) => file.endsWith(".test.mjs"));
const files = leftOut ? all.filter((file) => !leftOut.has(file)) : [LAB];
for (const [file, reason] of leftOut ?? []) console.log(`left out: ${file} ${reason}`);
const { status } = spawnSync(process.execPath, ["--test", "--test-concurrency=1", ...files], {
  cwd: here,
  env: { ...process.env, ...(leftOut ? { BROWSER: part } : {}) },
  stdio: "inherit",
});
process.exit(status ?? 1);
