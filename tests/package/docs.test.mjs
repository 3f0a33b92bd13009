/** What docs/integrate.md has one paste is what the examples run. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

const root = new URL("../../", import.meta.url);
const page = await readFile(new URL("docs/integrate.md", root), "utf8");

test("each snippet is the file that it names, or stands in it word for word where it says that it is a part", async () => {
  const named = [...page.matchAll(/<!-- (a part of )?(\S+) -->\n```\w+\n([\s\S]*?)```/g)];
  const commands = [...page.matchAll(/^```sh$/gm)];
  assert.equal(named.length + commands.length, [...page.matchAll(/^```\w/gm)].length, "each snippet names its file");
  for (const [, part, file, snippet] of named) {
    const whole = await readFile(new URL(file, root), "utf8");
    if (part) assert.ok(whole.includes(snippet), `${file} has not:\n${snippet}`);
    else assert.equal(snippet, whole, file);
  }
});

test("the package that is to be installed is the one that is packed, and the adapters' libraries those that are tested", async () => {
  const { name, version } = JSON.parse(await readFile(new URL("web/client/package.json", root), "utf8"));
  const archives = new Set([...page.matchAll(/[\w.-]+\.tgz/g)].map(([archive]) => archive));
  assert.deepEqual([...archives], [`${name}-${version}.tgz`]);
  const { devDependencies: tested } = JSON.parse(await readFile(new URL("tests/package/package.json", root), "utf8"));
  const said = [...page.matchAll(/(simple-peer|PeerJS|@trystero-p2p\/core|node-datachannel)`? (\d+\.\d+\.\d+)/g)];
  assert.equal(said.length, 4);
  for (const [, library, its] of said) assert.equal(its, tested[library.toLowerCase()], library);
});
