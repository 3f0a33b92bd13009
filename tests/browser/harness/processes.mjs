/** What a test starts does not outlive it, whatever becomes of the test. */

/** @type {Map<import("node:child_process").ChildProcess, () => void>} */
const running = new Map();

process.on("exit", () => {
  for (const kill of running.values()) kill();
});
for (const [signal, code] of [["SIGTERM", 143], ["SIGINT", 130], ["SIGHUP", 129]]) process.once(signal, () => process.exit(code));

/**
 * Ends a child with this process at the latest.
 * @param {import("node:child_process").ChildProcess} child
 * @param {{group?: boolean}} options group: it leads a process group, which ends as a whole
 * @returns {() => Promise<void>} ends it now
 */
export function endWithUs(child, { group = false } = {}) {
  const kill = () => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    try {
      process.kill(group ? -child.pid : child.pid, "SIGKILL");
    } catch (error) {
      // It has ended, and its event is still to come.
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== "ESRCH") throw error;
    }
  };
  running.set(child, kill);
  const ended = new Promise((resolve) => child.once("exit", resolve));
  void ended.then(() => running.delete(child));
  return async () => {
    if (child.pid === undefined) return;
    kill();
    await ended;
  };
}
