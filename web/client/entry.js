/** Joining: one POST, repeated with the same key until it is answered. */

import { Backoff, sleep } from "./backoff.js";
import { SwitchboardError, asError } from "./error.js";
import { word } from "./random.js";

/**
 * @typedef {object} Entry
 * @property {string} peer
 * @property {unknown} [meta]
 * @property {string | null} [token] The peer token of the incarnation to renew, or (with `fresh`) to replace.
 * @property {boolean} [fresh]
 *
 * @typedef {string | (() => string | Promise<string>)} AccessToken
 */

/**
 * @param {import("./request.js").Requests} requests
 * @param {Entry} entry
 * @param {object} manner
 * @param {AccessToken} [manner.accessToken] A function is asked before every try, so that it can renew.
 * @param {AbortSignal} [manner.signal]
 * @param {number} [manner.tries] How often it is tried while no answer or a passing refusal comes.
 * @returns {Promise<import("./wire.js").Joined>}
 */
export async function enter(requests, { peer, meta, token, fresh }, { accessToken, signal, tries = 8 }) {
  // The key is one for all tries: a join whose answer got lost is answered again instead of refused.
  const key = word();
  const body = { peer, meta, key, ...(token ? { token } : {}), ...(token && fresh ? { fresh } : {}) };
  const backoff = new Backoff();
  for (;;) {
    try {
      const bearer = typeof accessToken === "function" ? await accessToken() : (accessToken ?? null);
      const answer = await requests.call("POST", `${requests.room}/peers`, { body, bearer, signal });
      if (typeof answer.body?.token !== "string") {
        throw new SwitchboardError({ status: answer.status, slug: "not-a-switchboard", detail: "the answer to the join has no token" });
      }
      return answer.body;
    } catch (thrown) {
      if (signal?.aborted) throw signal.reason;
      const error = asError(thrown);
      if (!error.passing || backoff.tries + 1 >= tries) throw error;
      await sleep(backoff.next(error.retryAfterMs), signal);
    }
  }
}
