/** What happens to the page: hidden, shown again, frozen, off the network and back. */

/**
 * @typedef {object} PageListener
 * @property {() => void} closing The page may be about to go; many stay, such as after a click on a download.
 * @property {(persisted: boolean) => void} hide The page goes away; into the back/forward cache if `persisted`.
 * @property {() => void} show It came back from that cache.
 * @property {() => void} online
 * @property {() => void} wake It was frozen, and goes on.
 * @property {() => void} look A good moment to look at the clock: timers may have been asleep.
 */

/** @param {PageListener} listener @returns {() => void} stops watching */
export function watchPage(listener) {
  const page = globalThis;
  const document = globalThis.document;
  if (typeof page.addEventListener !== "function") return () => {};
  /** @type {[EventTarget | undefined, string, (event: any) => void][]} */
  const watched = [
    [page, "beforeunload", () => listener.closing()],
    [page, "pagehide", (event) => listener.hide(event.persisted === true)],
    [page, "pageshow", (event) => (event.persisted ? listener.show() : listener.look())],
    [page, "online", () => listener.online()],
    [document, "visibilitychange", () => document.visibilityState === "visible" && listener.look()],
    [document, "resume", () => listener.wake()],
  ];
  for (const [target, name, handler] of watched) target?.addEventListener(name, handler);
  return () => {
    for (const [target, name, handler] of watched) target?.removeEventListener(name, handler);
  };
}
