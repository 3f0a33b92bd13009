/**
 * A name that at most one living page of this browser holds.
 *
 * sessionStorage is copied when a tab is duplicated; only a hold tells the original from its copy.
 * Web Locks where there are any (they need a secure context), else a BroadcastChannel on which the
 * holder answers, else the name counts as free.
 */

import { word } from "./random.js";

/** A page that reloads asks before the browser has let go of its former self. */
const PATIENCE_MS = 600;
const ASK_MS = 250;

/**
 * @param {string} name
 * @param {AbortSignal} signal Lets go, or gives up asking.
 * @returns {Promise<boolean>} false where another living page holds it.
 */
export async function hold(name, signal) {
  const locks = globalThis.navigator?.locks;
  if (locks) {
    try {
      return await byLock(locks, name, signal);
    } catch {
      // Some sandboxed frames have the interface and refuse its use.
    }
  }
  return typeof BroadcastChannel === "function" ? byChannel(name, signal) : true;
}

/** @param {LockManager} locks @param {string} name @param {AbortSignal} signal @returns {Promise<boolean>} */
function byLock(locks, name, signal) {
  return new Promise((resolve, reject) => {
    const asking = new AbortController();
    const giveUp = () => asking.abort();
    const timer = setTimeout(giveUp, PATIENCE_MS);
    signal.addEventListener("abort", giveUp, { once: true });
    const settled = () => clearTimeout(timer);
    locks
      .request(name, { signal: asking.signal }, () => {
        settled();
        resolve(true);
        return new Promise((release) => {
          if (signal.aborted) release(undefined);
          else signal.addEventListener("abort", release, { once: true });
        });
      })
      .catch((thrown) => {
        settled();
        if (asking.signal.aborted) resolve(false);
        else reject(thrown);
      });
  });
}

/** @param {string} name @param {AbortSignal} signal @returns {Promise<boolean>} */
function byChannel(name, signal) {
  const channel = new BroadcastChannel(name);
  const me = word(8);
  let holding = false;
  return new Promise((resolve) => {
    const giveUp = () => {
      clearTimeout(timer);
      channel.close();
      resolve(false);
    };
    const timer = setTimeout(() => {
      holding = true;
      resolve(true);
    }, ASK_MS);
    signal.addEventListener("abort", giveUp, { once: true });
    channel.onmessage = ({ data }) => {
      if (data?.held === me && !holding) giveUp();
      // Of two pages that ask at once the smaller word wins.
      else if (data?.ask && (holding || me < data.ask)) channel.postMessage({ held: data.ask });
    };
    channel.postMessage({ ask: me });
  });
}
