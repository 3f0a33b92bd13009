/**
 * A small internet of network namespaces: a hub that routes between networks, and machines whose addresses come and
 * go. The namespace of the tests themselves is not touched, since every browser on it would notice.
 */

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { endWithUs } from "./processes.mjs";
import { hideOptions, searchLog } from "./secrets.mjs";

const NEEDED = "network namespaces are needed here: run on Linux with iproute2 installed (apt-get install iproute2), as root or where users may make namespaces (kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)";
/** What `unshare` is told to make a user root, in namespaces of their own. */
const AS_ROOT = ["--map-root-user", "--mount", "--net"];
const START_MS = 15_000;
/** Where the server is, whichever network one comes from. */
const SERVER = "10.213.0.1";
const PORT = 8080;

/** @param {...string} words */
function ip(...words) {
  try {
    return execFileSync("ip", words, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    throw new Error(`"ip ${words.join(" ")}" failed; ${NEEDED}: ${error.stderr ?? error.message}`, { cause: error });
  }
}

/** @param {string} namespace @param {string} key of the kernel's, under net @param {number} value */
function set(namespace, key, value) {
  ip("netns", "exec", namespace, "sh", "-c", `echo ${value} > /proc/sys/net/${key}`);
}

// A user who may make no network is root in a namespace of their own: the whole test file is run there.
if (!may("--net")) {
  if (!may(...AS_ROOT)) throw new Error(NEEDED);
  // `ip netns` keeps its names in /run.
  const enter = ["sh", "-c", 'ip link set lo up && mount -t tmpfs run /run && exec "$@"', "sh"];
  const child = spawn("unshare", [...AS_ROOT, ...enter, process.execPath, ...process.execArgv, ...process.argv.slice(1)], { stdio: "inherit" });
  // It then ends what it has started.
  process.once("exit", () => child.kill("SIGTERM"));
  const [code] = await once(child, "exit");
  process.exit(code ?? 1);
}

/** @param {...string} words */
function may(...words) {
  return spawnSync("unshare", [...words, "true"], { stdio: "ignore" }).status === 0;
}

let made = 0;

export class Internet {
  url = `http://${SERVER}:${PORT}`;
  #name = `switchboard-${process.pid}-${(made += 1)}`;
  /** @type {string[]} */
  #namespaces = [];
  #networks = 0;
  #clear = () => {
    for (const namespace of this.#namespaces.splice(0)) {
      try {
        ip("netns", "del", namespace);
      } catch (error) {
        console.error(error.message);
      }
    }
  };

  constructor() {
    process.on("exit", this.#clear);
    this.hub = this.#namespace("hub");
    ip("-n", this.hub, "addr", "add", `${SERVER}/32`, "dev", "lo");
    set(this.hub, "ipv4/ip_forward", 1);
  }

  /** A machine with no network yet. @param {string} name */
  machine(name) {
    return new Machine(this, this.#namespace(name));
  }

  /**
   * A cable between the hub and a machine, with a network of its own that is still down.
   * @param {string} namespace @param {string} device
   */
  cable(namespace, device) {
    const network = (this.#networks += 1);
    const end = `net${network}`;
    ip("-n", this.hub, "link", "add", end, "type", "veth", "peer", "name", device, "netns", namespace);
    ip("-n", this.hub, "addr", "add", `10.213.${network}.1/24`, "dev", end);
    ip("-n", this.hub, "link", "set", end, "up");
    return { network: `10.213.${network}.0/24`, gateway: `10.213.${network}.1`, address: `10.213.${network}.2`, end };
  }

  /** Nothing that comes from the one network is led on to the other. @param {Cable} from @param {Cable} to */
  part(from, to) {
    ip("-n", this.hub, "rule", "add", "iif", from.end, "to", to.network, "blackhole");
  }

  /** @param {Cable} from @param {Cable} to */
  join(from, to) {
    ip("-n", this.hub, "rule", "del", "iif", from.end, "to", to.network, "blackhole");
  }

  /**
   * The real server, within the hub.
   * @param {string} binary @param {...string} options
   */
  async serve(binary, ...options) {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("SWITCHBOARD_")));
    // Everything is logged, and nothing secret may be.
    env.RUST_LOG = "trace";
    hideOptions(options);
    const child = spawn("ip", ["netns", "exec", this.hub, binary, "--listen", `${SERVER}:${PORT}`, ...options], { env, stdio: ["ignore", "ignore", "pipe"] });
    const checkLog = searchLog(child.stderr);
    const end = endWithUs(child);
    let said = "";
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the server did not start in the hub within ${START_MS} ms: ${said}`)), START_MS);
      child.once("exit", (code) => reject(new Error(`the server ended with ${code}: ${said}`)));
      child.stderr.on("data", (chunk) => {
        said = (said + chunk).slice(-8192);
        if (!said.includes("listening on")) return;
        clearTimeout(timer);
        resolve(undefined);
      });
    });
    return async () => {
      await end();
      checkLog();
    };
  }

  close() {
    this.#clear();
    process.off("exit", this.#clear);
  }

  /** @param {string} name */
  #namespace(name) {
    const namespace = `${this.#name}-${name}`;
    ip("netns", "add", namespace);
    this.#namespaces.push(namespace);
    // A link-local address that is ready a second late would be a change of network to the browser.
    for (const scope of ["all", "default"]) set(namespace, `ipv6/conf/${scope}/disable_ipv6`, 1);
    ip("-n", namespace, "link", "set", "lo", "up");
    return namespace;
  }
}

/** @typedef {{network: string, gateway: string, address: string, end: string}} Cable */

export class Machine {
  #internet;
  #devices = 0;

  /** Made by `Internet.machine`. @param {Internet} internet @param {string} namespace */
  constructor(internet, namespace) {
    this.#internet = internet;
    this.namespace = namespace;
  }

  /** Another way to the hub, without an address. */
  plug() {
    const device = `eth${this.#devices++}`;
    return { device, ...this.#internet.cable(this.namespace, device) };
  }

  /**
   * From now on the machine has an address there.
   * @param {ReturnType<Machine["plug"]>} way
   * @param {{serverOnly?: boolean}} [how] whether nothing but the server is reached by it
   */
  connect({ device, address, gateway }, { serverOnly = false } = {}) {
    ip("-n", this.namespace, "addr", "add", `${address}/24`, "dev", device);
    ip("-n", this.namespace, "link", "set", device, "up");
    ip("-n", this.namespace, "route", "replace", serverOnly ? SERVER : "default", "via", gateway);
  }

  /** The address is withdrawn, and with it every route that it had. @param {ReturnType<Machine["plug"]>} way */
  disconnect({ device, address }) {
    ip("-n", this.namespace, "addr", "del", `${address}/24`, "dev", device);
    ip("-n", this.namespace, "link", "set", device, "down");
  }
}
