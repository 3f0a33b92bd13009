/** What the tab remembers over a reload: sessionStorage, where the browser lets us have it. */

/** @returns {Storage | null} */
function storage() {
  try {
    // Reading the property itself throws where the user blocks site data.
    return globalThis.sessionStorage ?? null;
  } catch {
    return null;
  }
}

/** @param {string} key @returns {any} */
export function recall(key) {
  try {
    const text = storage()?.getItem(key);
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

/** @param {string} key @param {unknown} value */
export function remember(key, value) {
  try {
    storage()?.setItem(key, JSON.stringify(value));
  } catch {
    // A full or forbidden store only costs the next reload its old identity.
  }
}

/** @param {string} key */
export function forget(key) {
  try {
    storage()?.removeItem(key);
  } catch {
    // Nothing was remembered.
  }
}
