/** Waiting for an answer no longer than is good. */

/** What a request that brought nothing usable is told as. */
export class Failed extends Error {
  /** @param {string} why in a few words, for people @param {number} [refused] the status, where it is a refusal of the server's own */
  constructor(why, refused) {
    super(why);
    this.why = why;
    this.refused = refused;
  }
}

/**
 * @template T
 * @param {number} ms
 * @param {(signal: AbortSignal) => Promise<T>} act
 * @returns {Promise<T>}
 */
export async function within(ms, act) {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), ms);
  try {
    return await act(patience.signal);
  } catch (thrown) {
    if (patience.signal.aborted) throw new Failed(`no answer in ${seconds(ms)}`);
    if (thrown instanceof Failed) throw thrown;
    throw new Failed("the connection failed");
  } finally {
    clearTimeout(timer);
    patience.abort();
  }
}

/**
 * An answer as JSON; anything else comes from something on the way.
 * @param {Response} response
 * @returns {Promise<any>}
 */
export async function jsonOf(response) {
  const text = await response.text();
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    throw new Failed(response.ok ? "something on the way answered in the server’s place" : `HTTP ${response.status}, not from this server`);
  }
  if (!response.ok) throw new Failed(`HTTP ${response.status}: ${body.title ?? "refused"}`, /^\/problems\//.test(body.type) ? response.status : undefined);
  return body;
}

/** @param {unknown} thrown */
export const whyOf = (thrown) => (thrown instanceof Failed ? thrown.why : String(thrown));

/** @param {number} ms */
export function seconds(ms) {
  if (ms < 995) return `${Math.round(ms)} ms`;
  const text = (ms / 1000).toFixed(ms < 9950 ? 1 : 0);
  return `${text.replace(/\.0$/, "")} s`;
}
