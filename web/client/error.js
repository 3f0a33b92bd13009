/**
 * A refusal, by the server or by the way to it.
 *
 * `status` is 0 where no answer came; `slug` then says `network` or `timeout`.
 */
export class SwitchboardError extends Error {
  /**
   * @param {object} problem
   * @param {number} problem.status
   * @param {string} problem.slug
   * @param {string} [problem.detail]
   * @param {string} [problem.reason]
   * @param {number} [problem.retryAfterMs]
   * @param {string} [problem.limit] The bound that was reached, where it takes more than waiting to get below it.
   * @param {boolean} [problem.foreign] The answer was not in the server's own form, so a proxy made it.
   */
  constructor({ status, slug, detail = "", reason, retryAfterMs, limit, foreign = false }) {
    super(detail ? `${slug}: ${detail}` : slug);
    this.name = "SwitchboardError";
    this.status = status;
    this.slug = slug;
    this.detail = detail;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
    this.limit = limit;
    this.foreign = foreign;
    /** For an array that was sent: what became of each signal, `null` for the refused. @type {any[] | undefined} */
    this.results = undefined;
  }

  /** Whether the same request may yet succeed. */
  get passing() {
    if (this.limit !== undefined) return false;
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500 || this.foreign;
  }

  /** The reason for which this incarnation is over, or null where the refusal is about something else. */
  get over() {
    if (this.foreign) return null;
    if (this.status === 410 && this.slug === "ended") return this.reason ?? "unknown";
    if (this.status === 401) return this.reason === "expired" ? "expired" : "unknown";
    return null;
  }
}

/**
 * Reads a refusal out of a problem document (RFC 9457).
 *
 * @param {any} problem The parsed body, or anything else where there was none.
 * @param {number} status
 * @param {number} [retryAfterMs]
 */
export function refusal(problem, status, retryAfterMs) {
  const ours = problem !== null && typeof problem === "object" && typeof problem.type === "string";
  if (!ours) {
    return new SwitchboardError({ status, slug: `http-${status}`, detail: "not this server's own answer", retryAfterMs, foreign: true });
  }
  return new SwitchboardError({
    status: typeof problem.status === "number" ? problem.status : status,
    slug: problem.type.slice(problem.type.lastIndexOf("/") + 1),
    detail: problem.detail ?? problem.title ?? "",
    reason: problem.reason,
    limit: problem.limit,
    retryAfterMs,
  });
}

/** @param {unknown} thrown @returns {SwitchboardError} */
export function asError(thrown) {
  if (thrown instanceof SwitchboardError) return thrown;
  return new SwitchboardError({ status: 0, slug: "network", detail: thrown instanceof Error ? thrown.message : String(thrown) });
}
