/** What may stand in no log, known by its looks: the same marks as in tests/it/harness/secrets.rs. */

const MARKS = ["sp1.", "st1.", "eyJ", "Bearer ", "uthorization", "ticket=", "v=0", "o=-", "a=ice-", "a=fingerprint", "a=setup", "a=mid", "candidate:", "-----BEGIN"];

/** Lines that were found and told to nobody yet. @type {Set<string>} */
const untold = new Set();
process.on("exit", () => {
  for (const line of untold) console.error(`this stands in a server's log: ${line}`);
  if (untold.size > 0) process.exitCode = 1;
});

/**
 * Looks through a log as it is written.
 * @param {import("node:stream").Readable} log
 * @returns {() => void} throws where something was found so far
 */
export function searchLog(log) {
  let rest = "";
  /** @type {string|undefined} */
  let found;
  log.on("data", (chunk) => {
    const lines = (rest + chunk).split("\n");
    // A line that is still being written is looked at once it is whole.
    rest = lines.pop() ?? "";
    found ??= lines.find((line) => MARKS.some((mark) => line.includes(mark)));
    if (found) untold.add(found);
  });
  return () => {
    if (!found) return;
    untold.delete(found);
    throw new Error(`this stands in the server's log: ${found}`);
  };
}
