/** Runs the tests in one browser, but for those that another pass shows. `node run.mjs chromium`, `node run.mjs firefox` */

import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";

/** By browser: the files that are left out, and why. @type {Record<string, Map<string, string>>} */
const LEFT_OUT = {
  chromium: new Map([["mixed.test.mjs", "is run with Firefox, which it starts too"]]),
  firefox: new Map([
    ["webkit.test.mjs", "starts WebKitGTK itself"],
    ["netchange.test.mjs", "needs a browser that can be led from outside its network, which Firefox can't"],
  ]),
};

const [browser] = process.argv.slice(2);
const leftOut = LEFT_OUT[browser];
if (!leftOut) throw new Error(`in which browser? ${Object.keys(LEFT_OUT).join(" or ")}`);
const here = new URL(".", import.meta.url);
const files = readdirSync(here).filter((file) => file.endsWith(".test.mjs"));
for (const [file, reason] of leftOut) console.log(`left out: ${file} ${reason}`);
const { status } = spawnSync(process.execPath, ["--test", "--test-concurrency=1", ...files.filter((file) => !leftOut.has(file))], {
  cwd: here,
  env: { ...process.env, BROWSER: browser },
  stdio: "inherit",
});
process.exit(status ?? 1);
