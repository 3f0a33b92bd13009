/** Runs the tests in Firefox: all but those below. `node firefox.mjs` */

import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";

/** What would show nothing of Firefox that another run does not show already. */
const LEFT_OUT = new Map([
  ["mixed.test.mjs", "starts Chromium and Firefox itself"],
  ["proxies.test.mjs", "starts Chromium and Firefox itself"],
  ["netchange.test.mjs", "needs a browser that can be led from outside its network, which Firefox can't"],
  ["webkit.test.mjs", "starts WebKitGTK itself"],
]);

const here = new URL(".", import.meta.url);
const files = readdirSync(here).filter((file) => file.endsWith(".test.mjs"));
for (const [file, reason] of LEFT_OUT) console.log(`left out: ${file} ${reason}`);
const { status } = spawnSync(process.execPath, ["--test", "--test-concurrency=1", ...files.filter((file) => !LEFT_OUT.has(file))], {
  cwd: here,
  env: { ...process.env, BROWSER: "firefox" },
  stdio: "inherit",
});
process.exit(status ?? 1);
