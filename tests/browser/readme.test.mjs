/** The pages that the documents have one paste, served from an origin of their own, are video calls. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { test } from "node:test";
import { useStage } from "./harness/stage.mjs";
import { DEADLINE_MS } from "./harness/visitor.mjs";

/** Where the page of a document stands. @type {Record<string, string>} */
const HEADINGS = { "README.md": "## Integrate", "docs/integrate.md": "## From zero to a call" };

const stage = useStage();

/** The document's page as it is pasted, but for where the server is. @param {string} document */
async function pageOf(document) {
  const text = await readFile(new URL(`../../${document}`, import.meta.url), "utf8");
  const [, section] = text.split(`\n${HEADINGS[document]}\n`);
  const [, html] = /```html\n([\s\S]*?)```/.exec(section ?? "") ?? [];
  assert.ok(html?.startsWith("<!doctype html>"), `${document} has a whole page`);
  return html.replaceAll("http://127.0.0.1:8080", stage.url);
}

/**
 * Two visitors of a document's page, each of whom is to see a picture that moves.
 * @param {import("node:test").TestContext} t
 * @param {string} document
 * @param {string} theirs what finds the other's picture
 */
async function connects(t, document, theirs) {
  const html = await pageOf(document);
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
    const moves = (picture) => document.querySelector(picture)?.videoWidth > 0 && document.querySelector(picture).currentTime > 0;
    await page.waitForFunction(moves, { timeout: DEADLINE_MS }, theirs);
    assert.deepEqual(errors, []);
  }
  return visitors;
}

test("the README's page, pasted into a site of one's own, connects two visitors, and says why one has gone", async (t) => {
  const [ada, bob] = await connects(t, "README.md", "#theirs");
  await ada.closeTab();
  await bob.page.waitForFunction(() => document.getElementById("says").textContent === "The other side has gone: left" && !theirs.srcObject, { timeout: DEADLINE_MS });
});

test("the page to begin with connects two visitors, who chat, and says why one has gone", async (t) => {
  const [ada, bob] = await connects(t, "docs/integrate.md", "#others video");
  const logs = (line) => document.getElementById("log").textContent.includes(line);
  await ada.page.waitForFunction(logs, { timeout: DEADLINE_MS }, ": chat is open\n");
  await ada.page.type("#say input", "hello");
  await ada.page.keyboard.press("Enter");
  await bob.page.waitForFunction(logs, { timeout: DEADLINE_MS }, " says: hello\n");
  await ada.closeTab();
  await bob.page.waitForFunction(logs, { timeout: DEADLINE_MS }, ": left\n");
  await bob.page.waitForFunction(() => !document.querySelector("#others video"), { timeout: DEADLINE_MS });
});
