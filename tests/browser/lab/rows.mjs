/** What stands between the browser and the server in each row of the table, and what is to be expected of it. */

import * as forward from "./forward.mjs";
import { addsDelay, capsAge, chain, cutsIdle, dropsUpgrade, holdsEachWrite, passes, refuses, speaksHttp10, strips } from "./middlebox.mjs";
import { recipe } from "./recipes.mjs";
import { mitmproxyBefore, plainApache, plainCaddy, plainHaproxy, plainNginx } from "./reverse.mjs";

/**
 * @typedef {object} Row
 * @property {string} name
 * @property {import("./row.mjs").Expected["reader"]} reader
 * @property {boolean} websocket
 * @property {string} idle what it does with a silent connection; where it is `cut`, the row sees what comes of it
 * @property {import("./reverse.mjs").Reverse} [before] starts it before a server
 * @property {import("./forward.mjs").Forward} [between] starts it as the browser's forward proxy
 * @property {boolean} [secure] whether it is spoken to over TLS
 */

const CUT = "cut";
const NEVER = "never cuts";
const MINUTE = "cuts after 60 s";

/** @type {Row[]} */
export const ROWS = [
  { name: "nothing between", before: passes(), reader: "sse", websocket: true, idle: NEVER },
  { name: "nginx", before: plainNginx(), reader: "sse", websocket: false, idle: MINUTE },
  { name: "nginx, proxy_read_timeout 4s", before: plainNginx("proxy_read_timeout 4s;"), reader: "sse", websocket: false, idle: CUT },
  { name: "nginx by the recipe, HTTP/2", before: recipe("nginx"), secure: true, reader: "sse", websocket: false, idle: MINUTE },
  { name: "HAProxy", before: plainHaproxy(), reader: "sse", websocket: true, idle: "cuts after 50 s" },
  { name: "HAProxy, timeouts 4 s", before: plainHaproxy(4_000), reader: "sse", websocket: true, idle: CUT },
  { name: "HAProxy by the recipe, HTTP/2", before: recipe("haproxy"), secure: true, reader: "sse", websocket: true, idle: MINUTE },
  { name: "Apache, mod_deflate", before: plainApache(), reader: "sse", websocket: false, idle: "cuts after 300 s" },
  { name: "Apache, mod_deflate, ProxyTimeout 4", before: plainApache("ProxyTimeout 4"), reader: "sse", websocket: false, idle: CUT },
  { name: "Apache by the recipe, HTTP/2", before: recipe("apache"), secure: true, reader: "sse", websocket: false, idle: MINUTE },
  { name: "Caddy", before: plainCaddy(), reader: "sse", websocket: true, idle: NEVER },
  { name: "Caddy by the recipe, HTTP/2", before: recipe("caddy"), secure: true, reader: "sse", websocket: true, idle: NEVER },
  { name: "mitmproxy before the server", before: mitmproxyBefore(), reader: "poll", websocket: true, idle: "cuts after 600 s" },
  { name: "mitmproxy as forward proxy", between: forward.mitmproxyBetween, reader: "poll", websocket: true, idle: "cuts after 600 s" },
  { name: "squid as forward proxy", between: forward.squid, reader: "sse", websocket: false, idle: "cuts after 15 min" },
  { name: "tinyproxy as forward proxy", between: forward.tinyproxy, reader: "sse", websocket: true, idle: "cuts after 10 min" },
  { name: "holds each write until the next", before: holdsEachWrite(), reader: "poll", websocket: true, idle: NEVER },
  { name: "the same, and cuts idle after 5 s", before: chain(cutsIdle(5_000), holdsEachWrite()), reader: "poll", websocket: true, idle: CUT },
  { name: "cuts idle connections after 5 s", before: cutsIdle(5_000), reader: "sse", websocket: true, idle: CUT },
  { name: "ends each response after 6 s", before: capsAge(6_000), reader: "sse", websocket: true, idle: CUT },
  { name: "speaks HTTP/1.0", before: speaksHttp10(), reader: "sse", websocket: false, idle: NEVER },
  { name: "drops Upgrade", before: dropsUpgrade(), reader: "sse", websocket: false, idle: NEVER },
  { name: "adds 300 ms each way", before: addsDelay(300), reader: "sse", websocket: true, idle: NEVER },
  { name: "refuses DELETE (405) and PATCH (501)", before: refuses({ DELETE: 405, PATCH: 501 }), reader: "sse", websocket: true, idle: NEVER },
  { name: "strips Last-Event-ID, cuts idle after 5 s", before: chain(cutsIdle(5_000), strips("last-event-id")), reader: "sse", websocket: true, idle: CUT },
  { name: "strips Last-Event-ID, holds each write", before: chain(strips("last-event-id"), holdsEachWrite()), reader: "poll", websocket: true, idle: NEVER },
];

export const isCut = (/** @type {Row} */ { idle }) => idle === CUT;
