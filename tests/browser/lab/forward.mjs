/** Forward proxies, as a browser in a company's or a school's network is told to use, with their packages' configuration. */

import { readFileSync } from "node:fs";
import { run } from "./programs.mjs";
import { mitmproxy } from "./reverse.mjs";

/** @typedef {() => Promise<import("./programs.mjs").Running>} Forward */

/** @param {string} path @param {string} install */
function packaged(path, install) {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch (error) {
    throw new Error(`${path} is missing: apt-get install ${install}`, { cause: error });
  }
}

/** @type {Forward} */
export const squid = () =>
  run({
    name: "squid",
    install: "squid",
    files: ({ port, home }) => {
      const rules = packaged("/etc/squid/squid.conf", "squid").filter((line) => /^(acl|http_access|refresh_pattern|include) /.test(line));
      const own = [`http_port 127.0.0.1:${port}`, "pid_filename none", "access_log none", "cache_store_log none", "pinger_enable off", `cache_log ${home}/error.log`, `coredump_dir ${home}`];
      return { "squid.conf": [...rules, ...own, ""].join("\n") };
    },
    // By its service name it calls its shared memory, which it leaves behind when it is killed.
    arguments: ({ port, home }) => ["-N", "-n", `lab${port}`, "-f", `${home}/squid.conf`],
    memory: ({ port }) => `lab${port}-`,
  });

/** @type {Forward} */
export const tinyproxy = () =>
  run({
    name: "tinyproxy",
    install: "tinyproxy",
    files: ({ port, home }) => {
      const lines = packaged("/etc/tinyproxy/tinyproxy.conf", "tinyproxy").filter((line) => !/^\s*(#|$|User|Group|Port|Listen|LogFile|PidFile|Syslog)/.test(line));
      const own = [`Port ${port}`, "Listen 127.0.0.1", `LogFile "${home}/log"`, `PidFile "${home}/pid"`];
      return { "tinyproxy.conf": [...lines, ...own, ""].join("\n") };
    },
    arguments: ({ home }) => ["-d", "-c", `${home}/tinyproxy.conf`],
  });

/** @type {Forward} */
export const mitmproxyBetween = () => mitmproxy();
