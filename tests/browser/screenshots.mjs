/**
 * Makes pictures of the demo for people to look at: `node screenshots.mjs DIRECTORY`.
 * Alone, two and three in a call, and after the other left; narrow and wide, light and dark.
 */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { startBrowser } from "./harness/browser.mjs";
import { Demo } from "./harness/demo.mjs";
import { startServer } from "./harness/server.mjs";

const SIZES = { narrow: { width: 390, height: 844 }, wide: { width: 1440, height: 900 } };
const SCHEMES = ["light", "dark"];
const MEDIA_MS = 700;

const directory = process.argv[2];
if (!directory) {
  console.error("usage: node screenshots.mjs DIRECTORY");
  process.exit(2);
}
await mkdir(directory, { recursive: true });

const server = await startServer();
const chromium = await startBrowser();

/** @param {string} name @param {Demo} demo */
async function shoot(name, demo) {
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const scheme of SCHEMES) {
      await demo.page.setViewport(viewport);
      await demo.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      // Pictures and fades get the time to arrive; nothing depends on it but beauty.
      await new Promise((resolve) => setTimeout(resolve, MEDIA_MS));
      const path = join(directory, `${name}-${size}-${scheme}.png`);
      await demo.page.screenshot({ path });
      console.log(path);
    }
  }
}

try {
  const room = "copper-heron-417";
  const lobby = await Demo.page(chromium.browser);
  await lobby.page.goto(`${server.url}/?name=Ada%20Lovelace#${room}`);
  await lobby.until(`html[data-ready="true"]`);
  await shoot("lobby", lobby);

  const call = (peer, name, picture = true) => Demo.join(chromium.browser, server.url, { room, peer, name, picture });
  const ada = await call("ada", "Ada Lovelace");
  await shoot("alone", ada);

  const grace = await call("grace", "Grace Hopper");
  await ada.connectedWith("grace");
  await grace.say("Hello Ada, can you hear me?");
  await ada.hears("Hello Ada, can you hear me?");
  await ada.say("Loud and clear. And not a WebSocket in sight.");
  await grace.hears("Loud and clear. And not a WebSocket in sight.");
  await shoot("call-of-two", ada);

  const katherine = await call("katherine", "Katherine Johnson", false);
  await ada.connectedWith("katherine");
  await katherine.press("mic");
  await katherine.say("The proxy here blocks them, so this is quite something.");
  await ada.seesMove("katherine");
  await shoot("call-of-three", ada);

  await katherine.press("leave");
  await ada.tile("katherine", `[data-state="ended"]`);
  await shoot("one-left", ada);
} finally {
  await chromium.kill();
  await server.stop();
}
