/** The npm package: packed, installed elsewhere, and used from TypeScript, Node, a bundler and a script tag. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cp, mkdir, readFile, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { startBrowser } from "../browser/harness/browser.mjs";
import { endWithUs } from "../browser/harness/processes.mjs";
import { startServer } from "../browser/harness/server.mjs";
import { visit } from "./harness/guest.mjs";
import { end, installPacked } from "./harness/packed.mjs";
import { openSite } from "./harness/site.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

let packed, server;
before(async () => {
  [packed, server] = await Promise.all([installPacked(), startServer()]);
  await cp(here("consumer"), packed.home, { recursive: true });
  await mkdir(join(packed.home, "node_modules/@trystero-p2p"), { recursive: true });
  await symlink(here("node_modules/@trystero-p2p/core"), join(packed.home, "node_modules/@trystero-p2p/core"));
});
after(async () => {
  await server?.stop();
  await packed?.clear();
});

test("the package has every module, its types, the single file and the licences, and nothing else", async () => {
  const modules = (await readdir(here("../../web/client"), { recursive: true })).filter((file) => file.endsWith(".js"));
  const expected = [
    ...modules,
    ...modules.filter((file) => file !== "adapters/bundle.js").map((file) => `types/${file.replace(/js$/, "d.ts")}`),
    "types/adapters/bundle.d.ts",
    "dist/switchboard.min.js",
    "package.json",
    "README.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
  ];
  assert.deepEqual(packed.files.toSorted(), expected.toSorted());
  const left = await readdir(here("../../web/client"));
  for (const made of ["types", "dist", "LICENSE-MIT", "LICENSE-APACHE", "node_modules"]) assert.ok(!left.includes(made), `${made} is left in web/client`);
});

test("the package has the version of the server, and needs no other package", async () => {
  const manifest = JSON.parse(await readFile(join(packed.home, "node_modules/switchboard-client/package.json"), "utf8"));
  const [, version] = /^version = "(.*)"$/m.exec(await readFile(here("../../Cargo.toml"), "utf8"));
  assert.equal(manifest.version, version);
  assert.equal(manifest.dependencies, undefined);
});

test("a TypeScript consumer passes the strict check, against the declarations alone", async () => {
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    target: "ES2022",
    module: "NodeNext",
    moduleResolution: "NodeNext",
    lib: ["ES2022", "DOM", "DOM.Iterable"],
    types: [],
    noEmit: true,
    skipLibCheck: false,
  };
  await writeFile(join(packed.home, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["consumer.ts"] }));
  await end("tsc", ["-p", "."], packed.home);
});

test("two Node processes without EventSource meet in a room, speak, and end by themselves", async (t) => {
  const meet = (peer) => {
    const child = spawn(process.execPath, ["join.mjs", server.url, peer], { cwd: packed.home, stdio: ["ignore", "pipe", "pipe"] });
    t.after(endWithUs(child));
    return child;
  };
  const [ada, bob] = ["ada", "bob"].map(meet);
  const [adas, bobs] = await Promise.all([ada, bob].map((child) => text(child.stdout)));
  // Whoever came first sees the other come, and speaks first.
  const [first, second] = adas.includes("pong") ? [adas, bobs] : [bobs, adas];
  const [one, other] = first === adas ? ["ada", "bob"] : ["bob", "ada"];
  assert.equal(first, `joined\npoll ${other} pong\n`);
  assert.equal(second, `joined\npoll ${one} ping\n`);
});

test("the example for Node greets who comes, hears of who goes, and leaves at Ctrl-C", async (t) => {
  await cp(here("../../examples/node"), join(packed.home, "node"), { recursive: true });
  const run = (name) => {
    const child = spawn(process.execPath, ["node/peer.mjs", name, server.url], { cwd: packed.home, stdio: ["ignore", "pipe", "inherit"] });
    t.after(endWithUs(child));
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    return { child, says: async (expected) => assert.equal((await lines.next()).value, expected) };
  };
  const ada = run("ada");
  await ada.says("joined, with nobody");
  const bob = run("bob");
  await bob.says("joined, with ada");
  await bob.says("hello: I am ada");
  bob.child.kill("SIGINT");
  await ada.says("gone: left");
  await bob.says(undefined);
  ada.child.kill("SIGINT");
  await ada.says(undefined);
});

test("Vite bundles the example, and two pages of it have a call", async (t) => {
  const root = join(packed.home, "vite");
  const out = join(packed.home, "built");
  await cp(here("../../examples/vite"), root, { recursive: true });
  await build({ root, base: "./", logLevel: "error", build: { outDir: out, target: "es2022", emptyOutDir: true } });
  const site = await openSite({ server: server.url, folders: { "/built/": out } });
  t.after(site.close);
  const chromium = await startBrowser();
  t.after(chromium.kill);
  const [ada, bob] = await Promise.all([1, 2].map(() => visit(t, chromium.browser, `${site.url}/built/#vite`)));
  await Promise.all([ada, bob].map((guest) => guest.logged("they say: hello")));
  await Promise.all([ada, bob].map((guest) => guest.sees()));
  await ada.leave();
  await bob.logged("ended: left");
  for (const guest of [ada, bob]) assert.deepEqual(guest.errors, []);
});

test("a classic script tag is enough: two pages have a call, and tell of its end", async (t) => {
  const site = await openSite({ server: server.url, folders: { "/node_modules/switchboard-client/": join(packed.home, "node_modules/switchboard-client") } });
  t.after(site.close);
  const chromium = await startBrowser();
  t.after(chromium.kill);
  const [ada, bob] = await Promise.all([1, 2].map(() => visit(t, chromium.browser, `${site.url}/script-tag/#tag`)));
  await Promise.all([ada, bob].map((guest) => guest.logged("they say: hello")));
  await ada.leave();
  await bob.logged("ended: left");
  for (const guest of [ada, bob]) assert.deepEqual(guest.errors, []);
  assert.deepEqual((await bob.page.evaluate(() => Object.keys(Switchboard))).sort(), [
    "Call",
    "Room",
    "SwitchboardError",
    "connect",
    "connectSimplePeer",
    "installPeerJsTransport",
    "join",
    "keyIn",
    "makeKey",
    "negotiate",
    "trysteroTransport",
    "wayOf",
  ]);
});
