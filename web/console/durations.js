/** Times and sizes in a few letters. Knows no page. */

/** @param {number} ms a span of time */
export function span(ms) {
  const whole = Math.max(0, ms);
  if (whole < 95) return `${Math.round(whole)} ms`;
  if (whole < 9_950) return `${(whole / 1000).toFixed(1).replace(/\.0$/, "")} s`;
  const seconds = Math.round(whole / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return joined(minutes, "min", seconds % 60, "s");
  return joined(Math.floor(minutes / 60), "h", minutes % 60, "min");
}

/** @param {number} big @param {string} bigUnit @param {number} small @param {string} smallUnit */
const joined = (big, bigUnit, small, smallUnit) => `${big} ${bigUnit}${small ? ` ${small} ${smallUnit}` : ""}`;

/** On the scale at the side of a ladder. @param {number} ms since its first line */
export function since(ms) {
  const tenths = Math.floor(Math.max(0, ms) / 10);
  const hundredths = String(tenths % 100).padStart(2, "0");
  const seconds = Math.floor(tenths / 100);
  if (seconds < 60) return `${seconds}.${hundredths}`;
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${two(seconds % 60)}.${hundredths}`;
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

/** Date and time to the millisecond, in UTC, so that two logs can be laid side by side. @param {number} at */
export const stamp = (at) => new Date(at).toISOString().replace("T", " ").replace("Z", " UTC");

/** The time of day where the reader is. @param {number} at */
export function clock(at) {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((n) => String(n).padStart(2, "0")).join(":");
}

/** @param {number} bytes */
export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1000).toFixed(1).replace(/\.0$/, "")} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** @param {number} count @param {string} one @param {string} [many] */
export const counted = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;
