/**
 * What an EventSource hands to its page. Runs in Node with a package's EventSource, and in a browser with the
 * browser's: it stands for itself and knows nothing from outside.
 *
 * @param {string} url
 * @param {string[]} names of the events to listen for
 * @param {boolean} again whether to let it reconnect until it gives up; else the first end is the end
 * @param {typeof globalThis.EventSource} [Source]
 * @returns {Promise<import("./standard.mjs").Seen[]>}
 */
export function listen(url, names, again, Source = EventSource) {
  return new Promise((resolve) => {
    /** @type {import("./standard.mjs").Seen[]} */
    const seen = [];
    const source = new Source(url);
    for (const name of names) source.addEventListener(name, ({ type, data, lastEventId }) => seen.push([type, data, lastEventId]));
    source.onerror = () => {
      if (again && source.readyState !== 2) return;
      source.close();
      resolve(seen);
    };
  });
}
