/** Parsers of event streams, nearly all of them written by others, each behind the same two questions. */

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { startBrowser } from "../../browser/harness/browser.mjs";
import { endWithUs } from "../../browser/harness/processes.mjs";
import { NodeEventSource } from "../../client/harness/eventsource.mjs";
import { listen } from "./listen.mjs";
import { python } from "./terminal.mjs";

const DEADLINE_MS = 240_000;
const READER_PY = fileURLToPath(new URL("../readers/reader.py", import.meta.url));
const READER_RS = fileURLToPath(new URL("../../../target/debug/examples/sse_reader", import.meta.url));

/** Every name that a stream of these tests gives to an event: an EventSource cannot listen for all. */
export const NAMES = ["message", "ready", "signal", "peer-joined", "peer-updated", "peer-away", "peer-back", "peer-left", "session-ended", "ping", "wake", "end", "evil", "tick", "a b", "señal", " led"];

/** Streams read at one time by an EventSource; a browser opens six connections at most. */
const AT_ONCE = 4;

/**
 * @typedef {import("./standard.mjs").Seen} Seen
 *
 * @typedef {object} Membership
 * @property {string} url of the peer, below which its doors are
 * @property {string} token
 * @property {string} ticket
 *
 * @typedef {object} Parser
 * @property {string} name
 * @property {(urls: string[]) => Promise<Seen[][]>} readAll what it makes of each stream
 * @property {(member: Membership) => Promise<Seen[][]>} follow all that a member is told until its end, over reconnects;
 *   one list for each connection, or a single one from an EventSource, which reconnects by itself
 * @property {() => Promise<void>} [close]
 */

/** @param {string} name @param {(url: string, again: boolean) => Promise<Seen[]>} hear @returns {Parser} */
function eventSource(name, hear) {
  const readAll = async (urls) => {
    /** @type {Seen[][]} */
    const all = [];
    const left = urls.entries();
    const work = async () => {
      for (const [at, url] of left) all[at] = await hear(url, false);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return all;
  };
  return { name, readAll, follow: async ({ url, ticket }) => [await hear(`${url}/events?ticket=${ticket}`, true)] };
}

/**
 * @param {string} name
 * @param {string} specifier of the package that has it
 */
async function ofPackage(name, specifier) {
  const { EventSource } = await import(specifier).catch((cause) => {
    throw new Error(`${specifier} is missing: run ./prepare in tests/interop`, { cause });
  });
  return eventSource(name, (url, again) => listen(url, NAMES, again, EventSource));
}

/** @param {import("../../browser/harness/browser.mjs").Kind} kind @param {string} site with a blank page */
async function ofBrowser(kind, site) {
  const { browser, kill } = await startBrowser({ kind });
  const page = await browser.newPage();
  page.setDefaultTimeout(DEADLINE_MS);
  await page.goto(site);
  const parser = eventSource(kind, (url, again) => page.evaluate(listen, url, NAMES, again));
  return { ...parser, close: kill };
}

/** A program that reads a stream a line, and leaves reconnects to us. @param {string} name @param {string} program @param {...string} given @returns {Parser} */
function ofProgram(name, program, ...given) {
  const child = spawn(program, [...given, name], { stdio: ["pipe", "pipe", "inherit"], env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" } });
  const close = endWithUs(child);
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  /** @param {string} url @param {Record<string, string>} [headers] @returns {Promise<{seen: Seen[], error: string|null}>} */
  const read = async (url, headers = {}) => {
    child.stdin.write(`${JSON.stringify({ url, headers })}\n`);
    const { value, done } = await answers.next();
    if (done) throw new Error(`${name} has ended with ${child.exitCode}`);
    return JSON.parse(value);
  };
  return {
    name,
    close,
    async readAll(urls) {
      const all = [];
      for (const url of urls) all.push((await read(url)).seen);
      return all;
    },
    async follow({ url, token }) {
      /** @type {Seen[][]} */
      const all = [];
      for (let cursor = ""; all.length < 20; ) {
        const { seen } = await read(`${url}/events`, { Authorization: `Bearer ${token}`, ...(cursor ? { "Last-Event-ID": cursor } : {}) });
        all.push(seen);
        const [event, data, id] = seen.at(-1) ?? ["", "", ""];
        if (event === "end" && JSON.parse(data).retry === "never") return all;
        cursor = id || cursor;
      }
      throw new Error(`${name} was cut ${all.length} times and saw no end`);
    },
  };
}

/** The stand-in for a browser's in the client's own tests: it knows as much of the standard as our streams need. */
export const standIn = eventSource("the client tests' stand-in", (url, again) => listen(url, NAMES, again, /** @type {any} */ (NodeEventSource)));

/**
 * All that others wrote, gone with the test.
 * @param {import("node:test").TestContext} t @param {string} site with a blank page, of the streams' origin
 */
export async function openParsers(t, site) {
  if (!existsSync(READER_RS)) throw new Error(`no ${READER_RS}: run "cargo build --example sse_reader"`);
  /** @type {Parser[]} */
  const parsers = [];
  t.after(() => Promise.all(parsers.map((parser) => parser.close?.())));
  parsers.push(await ofPackage("eventsource", "eventsource"), await ofPackage("undici", "undici"));
  for (const name of ["httpx-sse", "sseclient-py"]) parsers.push(ofProgram(name, python(), READER_PY));
  for (const name of ["eventsource-stream", "sse-stream"]) parsers.push(ofProgram(name, READER_RS));
  for (const kind of /** @type {const} */ (["chromium", "firefox"])) parsers.push(await ofBrowser(kind, site));
  return parsers;
}
