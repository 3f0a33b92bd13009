/** Finding and making elements, so that a missing one is an error that names it. */

/** @param {string} id */
export function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element #${id}`);
  return found;
}

/** @param {string} id */
export const input = (id) => /** @type {HTMLInputElement} */ (element(id));

/** @param {string} id */
export const button = (id) => /** @type {HTMLButtonElement} */ (element(id));

/** @param {string} id */
export const video = (id) => /** @type {HTMLVideoElement} */ (element(id));

/** @param {ParentNode} root @param {string} selector */
export function part(root, selector) {
  const found = root.querySelector(selector);
  if (!found) throw new Error(`nothing matches ${selector}`);
  return /** @type {HTMLElement} */ (found);
}

/** @param {string} tag @param {string} className @param {(Node|string)[]} children */
export function make(tag, className = "", ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/**
 * A list that grows at its end shows its end, also when it is given another size.
 * @param {HTMLElement} list
 */
export function keepAtEnd(list) {
  const toEnd = () => (list.scrollTop = list.scrollHeight);
  new MutationObserver(toEnd).observe(list, { childList: true });
  new ResizeObserver(toEnd).observe(list);
}
