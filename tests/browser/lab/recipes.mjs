/** The recipes of docs/proxies.md, run as they stand there but for addresses, the name of the site and the places of files. */

import { readFileSync } from "node:fs";
import { apache, caddy, haproxy, nginx } from "./reverse.mjs";

/** What the recipes write, and what a lab has in its place. */
const SITE = "signal.example.org";
const SERVER = "127.0.0.1:8080";
const CERTIFICATES = "/etc/ssl/switchboard";

/** @type {Record<string, (text: string, target: string) => Promise<import("./programs.mjs").Running>>} */
const PROGRAMS = {
  nginx: (text, target) => nginx(({ port, home }) => placed(text, target, home).replace("listen 443 ", `listen 127.0.0.1:${port} `)),
  haproxy: (text, target) => haproxy(({ port, home }) => placed(text, target, home).replace("bind :443 ", `bind 127.0.0.1:${port} `)),
  apache: (text, target) => apache(({ port, home }) => placed(text, target, home).replace("<VirtualHost *:443>", `<VirtualHost 127.0.0.1:${port}>`)),
  caddy: (text, target) => caddy(({ port, home }) => placed(text, target, home).replace(`${SITE} {`, `https://127.0.0.1:${port} {\n  tls ${home}/switchboard.crt ${home}/switchboard.key`)),
};

/** @param {string} text @param {string} target @param {string} home */
function placed(text, target, home) {
  if (!text.includes(SERVER)) throw new Error(`the recipe has no server at ${SERVER}:\n${text}`);
  return text.replaceAll(SERVER, target).replaceAll(CERTIFICATES, `${home}/switchboard`);
}

/** @param {string} language as the block says it @returns {string} */
function block(language) {
  const document = readFileSync(new URL("../../../docs/proxies.md", import.meta.url), "utf8");
  const blocks = [...document.matchAll(/^```(\S+)\n([^]*?)^```$/gm)].filter(([, said]) => said === language);
  if (blocks.length !== 1) throw new Error(`docs/proxies.md has ${blocks.length} blocks of ${language}, where the lab runs one`);
  return blocks[0][2];
}

/** @param {string} language @returns {import("./reverse.mjs").Reverse} */
export const recipe = (language) => async (target) => PROGRAMS[language](block(language), target);
