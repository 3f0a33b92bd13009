/**
 * What may stand in no log: what looks like a credential, SDP or a candidate, and each secret that a test has given
 * to a server or got from it in this process, known by its value.
 */

import { existsSync, readFileSync } from "node:fs";

/** One look a line; the same for all suites. */
export const LOOKS = readFileSync(new URL("../../secrets.txt", import.meta.url), "utf8").split("\n").filter((line) => line && !line.startsWith("#"));

/** Less than this could stand in a log by chance. */
const LEAST = 8;
/** Options whose value is a secret, and those whose value is a file with one. */
const SECRETS = ["--secret", "--operator-token", "--turn-secret"];
const FILES = ["--access-key"];
/** What requests and answers name that is a secret. */
const MEMBERS = ["token", "ticket", "key", "password"];

/** @type {Set<string>} */
const known = new Set();

/** Remembers a secret, and each part of it. @param {unknown} secret */
export function hide(secret) {
  if (typeof secret !== "string") return;
  for (const part of [secret, ...secret.split(/[.\n"]/)]) if (part.trim().length >= LEAST) known.add(part.trim());
}

/** Remembers the secrets among the options that a server is started with. @param {string[]} options */
export function hideOptions(options) {
  for (const [at, option] of options.entries()) {
    const value = options[at + 1];
    if (SECRETS.includes(option)) hide(value);
    if (FILES.includes(option) && value && existsSync(value)) hide(readFileSync(value, "utf8"));
  }
}

/** Remembers the secrets in the JSON of a request or an answer. @param {unknown} text */
function hideMembers(text) {
  try {
    const json = JSON.parse(String(text));
    for (const name of MEMBERS) hide(json?.[name]);
  } catch {
    // It is no JSON, and has no members.
  }
}

const { fetch } = globalThis;

/** As the real one, and remembers what was shown and what was given. @type {typeof globalThis.fetch} */
async function listening(input, init) {
  const request = input instanceof Request ? input : undefined;
  const [scheme, token] = (new Headers(init?.headers ?? request?.headers).get("authorization") ?? "").split(" ");
  if (scheme === "Bearer") hide(token);
  const url = new URL(request?.url ?? String(input), "http://relative.invalid");
  hide(url.searchParams.get("ticket"));
  if (typeof init?.body === "string") {
    hideMembers(init.body);
    if (url.pathname.endsWith("/leave")) hide(init.body);
  }
  const response = await fetch(input, init);
  // Whoever asked reads the answer when and as far as it likes.
  if (response.headers.get("content-type") === "application/json" && /\/(peers|tickets)$/.test(url.pathname)) response.clone().text().then(hideMembers, () => {});
  return response;
}
globalThis.fetch = listening;

/** The first line that holds what it may not. @param {string[]} lines @returns {string|undefined} */
export function search(lines) {
  const wanted = [...LOOKS, ...known];
  return lines.find((line) => wanted.some((secret) => line.includes(secret)));
}

/** Logs that are looked through at the end of this process at the latest. @type {Set<() => string|undefined>} */
const unseen = new Set();
process.on("exit", () => {
  for (const find of unseen) {
    const found = find();
    if (!found) continue;
    console.error(`this stands in a server's log: ${found}`);
    process.exitCode = 1;
  }
});

/**
 * Keeps a log, for it to be looked through when all secrets are known.
 * @param {import("node:stream").Readable} log
 * @returns {() => void} throws where something is found so far
 */
export function searchLog(log) {
  const decoder = new TextDecoder();
  let text = "";
  log.on("data", (chunk) => (text += typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true })));
  const find = () => search(text.split("\n"));
  unseen.add(find);
  return () => {
    const found = find();
    if (!found) return;
    // It is told here, and once.
    unseen.delete(find);
    throw new Error(`this stands in the server's log: ${found}`);
  };
}
