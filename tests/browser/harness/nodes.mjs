/** Several nodes of the real server over one Redis, behind HAProxy, which gives each request to the next of them. */

import { haproxy } from "../lab/reverse.mjs";
import { run } from "../lab/programs.mjs";
import { startServerAt } from "./server.mjs";

/** Longer than any poll or silence of a stream. */
const PROXY_MS = 120_000;

/**
 * @param {number} count
 * @param {...string} options of each node
 * @returns {Promise<import("./server.mjs").Server>}
 */
export async function startNodes(count, ...options) {
  /** @type {{stop: () => Promise<void>}[]} */
  const started = [];
  const stop = async () => {
    while (started.length) await started.pop()?.stop();
  };
  try {
    const redis = await run({ name: "redis-server", install: "redis-server", files: () => ({}), arguments: ({ port, home }) => ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", home, "--save", ""] });
    started.push(redis);
    const shared = ["--backplane", `redis://127.0.0.1:${redis.port}`, "--secret", "what all nodes of these tests sign with"];
    const nodes = [];
    for (let n = 0; n < count; n++) {
      const node = await startServerAt("127.0.0.1:0", ...shared, ...options);
      nodes.push(node);
      started.push(node);
    }
    const servers = nodes.map(({ url }, n) => `  server node${n} ${new URL(url).host}`).join("\n");
    // A held poll whose client goes is to end; a beacon whose page goes is to be heard.
    const front = await haproxy(
      ({ port }) => `
  option abortonclose
frontend front
  bind 127.0.0.1:${port}
  use_backend posts if METH_POST
  default_backend others
backend others
  balance roundrobin
${servers}
backend posts
  balance roundrobin
  no option abortonclose
${servers}`,
      PROXY_MS,
    );
    started.push(front);
    const close = async () => {
      const codes = await Promise.all(nodes.map((node) => node.close()));
      await stop();
      return Math.max(...codes.map((code) => code ?? -1));
    };
    return { url: `http://127.0.0.1:${front.port}`, stop, close };
  } catch (error) {
    await stop();
    throw error;
  }
}
