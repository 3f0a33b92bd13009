/** The way for picture and sound: own addresses, STUN, and relays (RFC 8445, RFC 8489, RFC 8656). */

const HOST_MS = 3000;
const STUN_MS = 6000;
const TURN_MS = 9000;

/**
 * @typedef {"udp"|"tcp"|"tls"} Transport
 *
 * @typedef {object} Relay
 * @property {string} url
 * @property {Transport} transport between browser and relay
 * @property {"running"|"good"|"bad"} state
 * @property {string} [why]
 * @property {number} [ms]
 *
 * @typedef {object} Ice
 * @property {{count: number, named: boolean, why?: string}} [host] named: addresses hidden behind mDNS names
 * @property {{url: string, state: "good"|"warn"|"bad", why?: string, ms?: number}[]} stun
 * @property {Relay[]} relays
 */

/**
 * @param {RTCIceServer[]} iceServers
 * @param {RTCIceTransportPolicy} iceTransportPolicy
 * @param {number} patience
 * @param {(candidate: RTCIceCandidate) => boolean} enough
 */
async function gather(iceServers, iceTransportPolicy, patience, enough) {
  const began = performance.now();
  const connection = new RTCPeerConnection({ iceServers, iceTransportPolicy });
  /** @type {RTCIceCandidate[]} */
  const candidates = [];
  /** @type {{code: number, text: string}[]} */
  const errors = [];
  let complete = false;
  try {
    await new Promise((resolve, reject) => {
      setTimeout(resolve, patience);
      connection.onicecandidateerror = ({ errorCode, errorText }) => errors.push({ code: errorCode, text: errorText });
      connection.onicecandidate = ({ candidate }) => {
        complete = candidate === null;
        // An empty one ends a generation; it is no candidate.
        if (candidate?.candidate) candidates.push(candidate);
        if (complete || (candidate?.candidate && enough(candidate))) resolve(undefined);
      };
      connection.createDataChannel("check");
      connection.setLocalDescription().catch(reject);
    });
  } finally {
    connection.close();
  }
  return { candidates, errors, complete, ms: performance.now() - began };
}

/** @returns {Promise<Ice["host"]>} */
export async function checkHost() {
  try {
    const { candidates } = await gather([], "all", HOST_MS, () => false);
    const hosts = candidates.filter(({ type }) => type === "host");
    return { count: hosts.length, named: hosts.some(({ address, candidate }) => (address ?? candidate).includes(".local")) };
  } catch (thrown) {
    return { count: 0, named: false, why: thrown instanceof Error ? thrown.message : String(thrown) };
  }
}

/** @param {string} url @returns {Promise<Ice["stun"][number]>} */
export async function checkStun(url) {
  try {
    const { candidates, errors, complete, ms } = await gather([{ urls: url }], "all", STUN_MS, ({ type }) => type === "srflx");
    if (candidates.some(({ type }) => type === "srflx")) return { url, state: "good", ms };
    if (errors.length > 0 || !complete) return { url, state: "bad", why: "no answer" };
    // A browser tells of an address only where it differs from its own.
    return { url, state: "warn", why: "no other address than the machine’s own was learned" };
  } catch (thrown) {
    return { url, state: "bad", why: thrown instanceof Error ? thrown.message : String(thrown) };
  }
}

/** @param {Relay} relay is kept up to date @param {string} username @param {string} credential */
export async function checkRelay(relay, username, credential) {
  try {
    const { candidates, errors, ms } = await gather([{ urls: relay.url, username, credential }], "relay", TURN_MS, ({ type }) => type === "relay");
    relay.ms = ms;
    if (candidates.some(({ type }) => type === "relay")) relay.state = "good";
    else {
      relay.state = "bad";
      relay.why = errors.some(({ code }) => code === 401) ? "the user name or password was refused" : "no answer";
      const said = errors.find(({ code }) => code >= 300 && code < 700 && code !== 401);
      if (said) relay.why = `refused with ${said.code}`;
    }
  } catch (thrown) {
    relay.state = "bad";
    relay.why = thrown instanceof Error ? thrown.message : String(thrown);
  }
}

/**
 * The ways to a relay: an address that names no transport is tried by UDP and by TCP.
 * @param {string} url @returns {Relay[]}
 */
export function waysTo(url) {
  const match = /^(turns?):(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?(?:\?transport=(udp|tcp))?$/i.exec(url.trim());
  if (!match || Number(match[3] ?? 1) > 65_535) throw new Error("A TURN address is written like turn:turn.example.org:3478 or turns:turn.example.org:5349.");
  const [, scheme, host, port, transport] = match;
  const at = `${host}${port ? `:${port}` : ""}`;
  const way = (/** @type {string} */ kind, /** @type {string} */ how, /** @type {Transport} */ is) => /** @type {Relay} */ ({ url: `${kind}:${at}?transport=${how}`, transport: is, state: "running" });
  if (scheme.toLowerCase() === "turns") return [way("turns", "tcp", "tls")];
  const both = [way("turn", "udp", "udp"), way("turn", "tcp", "tcp")];
  if (transport) return both.filter((one) => one.transport === transport.toLowerCase());
  // With no port the standard one for TLS is worth a try too.
  return port ? both : [...both, way("turns", "tcp", "tls")];
}

/**
 * Whether a relay is reached on the very port that the server speaks HTTP on.
 * @param {Relay} relay @param {string} base the server's address
 */
export function sharesPort({ url, transport }, base) {
  const { protocol, hostname, port } = new URL(base);
  const at = `${hostname}:${port || (protocol === "https:" ? 443 : 80)}`;
  return transport !== "udp" && url.split("?")[0].replace(/^turns?:/, "").toLowerCase() === at;
}

/** @param {RTCIceServer[]} servers */
export function urlsOf(servers) {
  return servers.flatMap((server) => [server.urls].flat().map((url) => ({ url, username: server.username ?? "", credential: server.credential ?? "" })));
}
