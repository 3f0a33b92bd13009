/** What a test starts does not outlive it, whatever becomes of the test. */

/** @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set();

process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
for (const [signal, code] of [["SIGTERM", 143], ["SIGINT", 130], ["SIGHUP", 129]]) process.once(signal, () => process.exit(code));

/**
 * Ends a child with this process at the latest.
 * @param {import("node:child_process").ChildProcess} child
 * @returns {() => Promise<void>} ends it now
 */
export function endWithUs(child) {
  running.add(child);
  const ended = new Promise((resolve) => child.once("exit", resolve));
  void ended.then(() => running.delete(child));
  return async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await ended;
  };
}
