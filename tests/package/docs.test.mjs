/** The snippets in docs/integrate.md are what the examples run. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

const root = new URL("../../", import.meta.url);

test("each snippet stands word for word in the file that it names", async () => {
  const page = await readFile(new URL("docs/integrate.md", root), "utf8");
  const named = [...page.matchAll(/<!-- (\S+) -->\n```\w+\n([\s\S]*?)```/g)];
  assert.equal(named.length, [...page.matchAll(/^```\w/gm)].length, "each snippet names its file");
  for (const [, file, snippet] of named) {
    assert.ok((await readFile(new URL(file, root), "utf8")).includes(snippet), `${file} has not:\n${snippet}`);
  }
});
