/** Reverse proxies before a server, with what their packages configure and the least that makes them proxies. */

import { certificate, run } from "./programs.mjs";

/** @typedef {import("./programs.mjs").Running} Running */
/** @typedef {{port: number, home: string}} Place */
/** @typedef {(target: string) => Promise<Running>} Reverse  Started before that server. */

/** Its own names for the files of a certificate, in every directory. */
const identity = () => {
  const { key, crt } = certificate();
  return { "switchboard.key": key, "switchboard.crt": crt, "switchboard.pem": crt + key };
};

/**
 * nginx around a `server` block. As Debian's nginx.conf, but for the places of what it writes.
 * @param {(place: Place) => string} site
 * @returns {Promise<Running>}
 */
export function nginx(site) {
  const config = (place) => `
daemon off;
pid ${place.home}/pid;
error_log stderr;
${process.getuid?.() === 0 ? "user www-data;" : ""}
worker_processes auto;
events { worker_connections 768; }
http {
  sendfile on;
  tcp_nopush on;
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  access_log off;
  gzip on;
  client_body_temp_path ${place.home}/body;
  proxy_temp_path ${place.home}/proxy;
  fastcgi_temp_path ${place.home}/fastcgi;
  scgi_temp_path ${place.home}/scgi;
  uwsgi_temp_path ${place.home}/uwsgi;
  ${site(place)}
}`;
  return run({ name: "nginx", install: "nginx", files: (place) => ({ "nginx.conf": config(place), ...identity() }), arguments: ({ home }) => ["-p", home, "-e", "stderr", "-c", `${home}/nginx.conf`] });
}

/** @param {string} [more] directives beside `proxy_pass` @returns {Reverse} */
export const plainNginx = (more = "") => (target) => nginx(({ port }) => `server { listen 127.0.0.1:${port}; location / { proxy_pass http://${target}; ${more} } }`);

/**
 * HAProxy around its proxies. As Debian's haproxy.cfg, but for the log, the user and the socket.
 * @param {(place: Place) => string} proxies
 * @param {number} [timeoutMs] of client and server, where Debian has 50 s
 * @returns {Promise<Running>}
 */
export function haproxy(proxies, timeoutMs = 50_000) {
  const config = (place) => `
global
  ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
defaults
  mode http
  option dontlognull
  timeout connect 5000
  timeout client ${timeoutMs}
  timeout server ${timeoutMs}
${proxies(place)}
`;
  return run({ name: "haproxy", install: "haproxy", files: (place) => ({ "haproxy.cfg": config(place), ...identity() }), arguments: ({ home }) => ["-db", "-f", `${home}/haproxy.cfg`] });
}

/** @param {number} [timeoutMs] @returns {Reverse} */
export const plainHaproxy = (timeoutMs) => (target) =>
  haproxy(({ port }) => `frontend front\n  bind 127.0.0.1:${port}\n  default_backend back\nbackend back\n  server one ${target}`, timeoutMs);

const APACHE_MODULES = ["mpm_event", "authz_core", "authn_core", "authz_host", "env", "filter", "headers", "mime", "deflate", "reqtimeout", "setenvif", "proxy", "proxy_http", "socache_shmcb", "ssl", "http2"];

/**
 * Apache around a virtual host, with the modules that Debian turns on and those that a proxy needs.
 * @param {(place: Place) => string} site
 * @returns {Promise<Running>}
 */
export function apache(site) {
  const config = (place) => `
ServerRoot ${place.home}
ServerName 127.0.0.1
PidFile ${place.home}/pid
DefaultRuntimeDir ${place.home}
ErrorLog ${place.home}/error.log
Listen 127.0.0.1:${place.port}
${APACHE_MODULES.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join("\n")}
TypesConfig /etc/mime.types
Timeout 300
KeepAlive On
User www-data
Group www-data
Include /etc/apache2/mods-available/mpm_event.conf
Include /etc/apache2/mods-available/deflate.conf
Include /etc/apache2/mods-available/reqtimeout.conf
${site(place)}
`;
  return run({ name: "apache2", install: "apache2", files: (place) => ({ "apache2.conf": config(place), ...identity() }), arguments: ({ home }) => ["-DFOREGROUND", "-f", `${home}/apache2.conf`] });
}

/** Compresses whatever passes, event streams too. @param {string} [more] @returns {Reverse} */
export const plainApache = (more = "") => (target) =>
  apache(({ port }) => `<VirtualHost 127.0.0.1:${port}>\nSetOutputFilter DEFLATE\nProxyPass / http://${target}/\n${more}\n</VirtualHost>`);

/**
 * Caddy around a site.
 * @param {(place: Place) => string} site
 * @returns {Promise<Running>}
 */
export function caddy(site) {
  const config = (place) => `
{
  admin off
  auto_https disable_redirects
  default_sni 127.0.0.1
  storage file_system ${place.home}
}
${site(place)}
`;
  return run({ name: "caddy", install: "caddy", files: (place) => ({ Caddyfile: config(place), ...identity() }), arguments: ({ home }) => ["run", "--adapter", "caddyfile", "--config", `${home}/Caddyfile`] });
}

/** @returns {Reverse} */
export const plainCaddy = () => (target) => caddy(({ port }) => `http://127.0.0.1:${port} {\n  reverse_proxy ${target}\n}`);

/** mitmproxy before a server: it hands a response on when it has read the whole of it. @returns {Reverse} */
export const mitmproxyBefore = () => (target) => mitmproxy("--mode", `reverse:http://${target}`);

/** @param {...string} options @returns {Promise<Running>} */
export const mitmproxy = (...options) =>
  run({ name: "mitmdump", install: "mitmproxy", files: () => ({}), arguments: ({ port, home }) => [...options, "--quiet", "--listen-host", "127.0.0.1", "--listen-port", String(port), "--set", `confdir=${home}`] });
