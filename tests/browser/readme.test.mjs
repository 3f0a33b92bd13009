/** The page in the README, served from an origin of its own, is a video call. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { test } from "node:test";
import { useStage } from "./harness/stage.mjs";
import { DEADLINE_MS } from "./harness/visitor.mjs";

const README = new URL("../../README.md", import.meta.url);

const stage = useStage();

/** The README's page, for the server that runs here. @param {string} url */
async function pageFor(url) {
  const readme = await readFile(README, "utf8");
  const [, html] = /## Integrate[\s\S]*?```html\n([\s\S]*?)```/.exec(readme) ?? [];
  assert.ok(html, "the README has a page to integrate with");
  return `<!doctype html><meta charset="utf-8"><title>Integrated</title>${html.replaceAll("http://127.0.0.1:8080", url)}`;
}

test("the README's page, pasted into a site of one's own, connects two visitors", async (t) => {
  const html = await pageFor(stage.url);
  const site = createServer((request, response) => {
    const found = request.url === "/";
    response.writeHead(found ? 200 : 204, found ? { "Content-Type": "text/html" } : {}).end(found ? html : undefined);
  }).listen(0, "127.0.0.1");
  t.after(() => site.close());
  await once(site, "listening");

  const visitors = [];
  for (let n = 0; n < 2; n += 1) {
    const visitor = await stage.page(t);
    await visitor.page.goto(`http://127.0.0.1:${site.address().port}/`);
    visitors.push(visitor);
  }
  for (const { page, errors } of visitors) {
    const moves = () => document.getElementById("theirs").videoWidth > 0 && document.getElementById("theirs").currentTime > 0;
    await page.waitForFunction(moves, { timeout: DEADLINE_MS });
    assert.deepEqual(errors, []);
  }
});
