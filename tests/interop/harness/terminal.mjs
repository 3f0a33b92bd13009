/** A program in a terminal: what it prints, what is typed. It ends with the test at the latest. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { endWithUs } from "../../browser/harness/processes.mjs";

/** Generous: Python takes seconds to start on a busy machine. */
const DEADLINE_MS = 60_000;

const PYTHON = fileURLToPath(new URL("../venv/bin/python", import.meta.url));
/** Where the Python example is. */
export const EXAMPLE = fileURLToPath(new URL("../../../examples/python/", import.meta.url));

/** The interpreter with all that the tests need of PyPI. */
export function python() {
  if (!existsSync(PYTHON)) throw new Error("no Python environment: run ./prepare in tests/interop");
  return PYTHON;
}

export class Terminal {
  /** Every line printed so far, errors too. @type {string[]} */
  lines = [];
  #child;
  #kill;
  /** @type {Set<() => void>} */
  #waiting = new Set();

  /** @param {string} program @param {string[]} given */
  constructor(program, given) {
    this.#child = spawn(program, given, { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, PYTHONUNBUFFERED: "1", PYTHONDONTWRITEBYTECODE: "1" } });
    this.#kill = endWithUs(this.#child);
    // What is typed into a program that has ended is nobody's loss.
    this.#child.stdin.on("error", () => {});
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        this.lines.push(line);
        this.#look();
      });
    }
    this.ended = once(this.#child, "close").then(([code]) => code);
    void this.ended.then(() => this.#look());
  }

  /** Waits for a line that was or will be printed. @param {RegExp} pattern @returns {Promise<RegExpMatchArray>} */
  prints(pattern) {
    return new Promise((resolve, reject) => {
      const end = (act, value) => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        act(value);
      };
      const fail = (why) => end(reject, new Error(`${why} without ${pattern}; it printed:\n${this.lines.join("\n")}`));
      const look = () => {
        const match = this.lines.map((line) => line.match(pattern)).find(Boolean);
        if (match) end(resolve, match);
        else if (this.#child.exitCode !== null && this.#child.stdout.readableEnded) fail(`the program ended with ${this.#child.exitCode}`);
      };
      const timer = setTimeout(() => fail(`${DEADLINE_MS} ms went by`), DEADLINE_MS);
      this.#waiting.add(look);
      look();
    });
  }

  /** @param {string} line */
  type(line) {
    this.#child.stdin.write(`${line}\n`);
  }

  /** As Ctrl-C does. @returns {Promise<number|null>} the code that it ends with */
  async interrupt() {
    this.#child.kill("SIGINT");
    return this.ended;
  }

  kill() {
    return this.#kill();
  }

  #look() {
    for (const look of [...this.#waiting]) look();
  }
}

/**
 * A terminal that is gone with the test.
 * @param {import("node:test").TestContext} t
 * @param {string} program
 * @param {...string} given
 */
export function open(t, program, ...given) {
  const terminal = new Terminal(program, given);
  t.after(() => terminal.kill());
  return terminal;
}

/**
 * The Python example as a peer of a room.
 * @param {import("node:test").TestContext} t
 * @param {string} url
 * @param {string} room
 * @param {string} peer
 */
export function openPython(t, url, room, peer) {
  return open(t, python(), `${EXAMPLE}call.py`, url, room, "--peer", peer, "--name", peer);
}
