/** The client as npm packs it, installed in a project of its own. */

import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const CLIENT = fileURLToPath(new URL("../../../web/client", import.meta.url));
/** TypeScript and esbuild, which `prepack` calls by name. */
const TOOLS = fileURLToPath(new URL("../node_modules/.bin", import.meta.url));
const DEADLINE_MS = 120_000;

/**
 * Runs a program to its end.
 * @param {string} program
 * @param {string[]} args
 * @param {string} cwd
 */
export async function end(program, args, cwd) {
  const env = { ...process.env, PATH: `${TOOLS}:${process.env.PATH}`, npm_config_update_notifier: "false" };
  try {
    return (await run(program, args, { cwd, env, timeout: DEADLINE_MS })).stdout;
  } catch (error) {
    throw new Error(`${program} ${args.join(" ")}: ${error.stdout}\n${error.stderr}`, { cause: error });
  }
}

/** @returns {Promise<{home: string, files: string[], clear: () => Promise<void>}>} the project, and what the package holds */
export async function installPacked() {
  const home = await mkdtemp(join(tmpdir(), "switchboard-package-"));
  const clear = () => rm(home, { recursive: true, force: true });
  try {
    const tarball = (await end("npm", ["pack", CLIENT, "--pack-destination", home, "--silent"], home)).trim().split("\n").at(-1) ?? "";
    await writeFile(join(home, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }));
    await end("npm", ["install", "--offline", "--no-audit", "--no-fund", `./${tarball}`], home);
    const files = (await end("tar", ["-tzf", tarball], home)).trim().split("\n").map((file) => file.replace(/^package\//, ""));
    return { home, files, clear };
  } catch (error) {
    await clear();
    throw error;
  }
}
