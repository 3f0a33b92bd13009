/** Random words. `crypto.randomUUID` is missing on plain-HTTP pages, `getRandomValues` is not. */

/** @param {number} bytes @returns {string} lower-case hex */
export function word(bytes = 12) {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A UUID v4. */
export function uuid() {
  const hex = word(16);
  const variant = "89ab"[parseInt(hex[16], 16) & 3];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}
