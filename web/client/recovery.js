/** When a connection that was lost looks for new paths: how soon, how often, and when it is given up. */

/** ICE mends by itself what is disconnected for less than this. */
const DISCONNECTED_MS = 3_000;
/** Both sides see the loss; the polite one leaves the other this much of a start, so that offers seldom cross. */
const COURTESY_MS = 1_500;
/** What an attempt has to succeed in, doubled with each that has failed since the connection was up. */
const ATTEMPT_MS = 6_000;
const ATTEMPT_LAST_MS = 15_000;
/** After as many attempts in a row in vain, of either side, there is no path: after some 140 s. */
const ATTEMPTS = 10;
/** A connection that is lost within this time of a change of network was lost to it, and does not come back by itself. */
const CHANGED_MS = 30_000;
/**
 * What the first path may take from when each side knows of the other. Browsers say earlier where none of their candidates works,
 * but Chromium says nothing where there are none.
 */
const FIRST_PATH_MS = 20_000;
/** The least time between two attempts of this side, whatever calls for them. */
const APART_MS = 2_000;

/**
 * @typedef {object} Means
 * @property {boolean} polite
 * @property {() => boolean} reachable Whether the other side would hear of an attempt now. While not, none is made.
 * @property {(fresh: boolean) => void} attempt fresh: what was offered before was found on another network.
 * @property {() => void} giveUp
 * @property {() => boolean} isUp Whether the connection is up by now, even if that was not told here yet.
 * @property {() => void} noFirstPath It has not been found in time.
 */

/** Whether a connection, or ICE alone, is up. @param {string} state */
export const isUp = (state) => state === "connected" || state === "completed";

export class Recovery {
  #means;
  #state = "new";
  /** Whether the connection was lost, or never made, and is not up again. */
  #lost = false;
  #wasUp = false;
  /** What waits for the first path. @type {ReturnType<typeof setTimeout> | undefined} */
  #firstPath;
  /** Since the connection was up, of both sides. */
  #attempts = 0;
  #attemptedAt = -Infinity;
  #changedAt = -Infinity;
  /** Whether the next attempt follows a change of network. */
  #fresh = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #dueAt = Infinity;
  #closed = false;

  /** @param {Means} means */
  constructor(means) {
    this.#means = means;
  }

  /** The connection has another state; told twice of the same it does nothing. @param {string} state */
  saw(state) {
    if (state === this.#state) return;
    this.#state = state;
    if (isUp(state)) return this.#regained();
    if (state !== "disconnected" && state !== "failed") return;
    this.#lost = true;
    const sinceMs = Date.now() - this.#changedAt;
    if (sinceMs >= 0 && sinceMs < CHANGED_MS) return this.#begin();
    // A failure within an attempt's time is that attempt's to tell: the next follows at its end.
    if (this.#attempts === 0 || this.#dueAt === Infinity) this.#plan((state === "failed" ? 0 : DISCONNECTED_MS) + this.#courtesy());
  }

  /**
   * This side's network has changed. What is lost, or gets lost soon, is not waited for. What goes on is left alone:
   * its paths may be as good as before, and a restart can cost Firefox the media of a call that works.
   */
  changed() {
    this.#changedAt = Date.now();
    if (!isUp(this.#state)) this.#begin();
  }

  /** Nothing is waited for but the time between two attempts, and it is counted anew. */
  #begin() {
    this.#changedAt = -Infinity;
    this.#fresh = true;
    this.#attempts = 0;
    this.#plan(0);
  }

  /** The other side can be reached again. @param {boolean} ours Whether it was our own signaling that was away; that side goes first. */
  back(ours) {
    if (this.#lost && ours) this.#begin();
    else if (this.#lost || this.#fresh) this.#plan(ours ? 0 : COURTESY_MS);
  }

  /** Each side knows of the other, or soon will: from now on a path should be found. */
  described() {
    this.#firstPath ??= setTimeout(() => {
      if (this.#wasUp || this.#lost || this.#means.isUp()) return;
      if (!this.#means.reachable()) {
        // The other side may not have had the answer.
        this.#firstPath = undefined;
        return this.described();
      }
      this.#lost = true;
      this.#means.noFirstPath();
      // An attempt of the other side's has its time.
      if (this.#attempts === 0 || this.#dueAt === Infinity) this.#plan(this.#courtesy());
    }, FIRST_PATH_MS);
  }

  /** The other side has begun an attempt, which gets its time. */
  theirs() {
    this.#attempts = this.#lost ? this.#attempts + 1 : 1;
    this.#await();
  }

  /** The attempt under way has only now reached the other side and come back. */
  answered() {
    if (this.#attempts > 0 && this.#timer !== undefined) this.#await();
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#firstPath);
    this.#clear();
  }

  #regained() {
    this.#wasUp = true;
    this.#lost = false;
    this.#attempts = 0;
    // What a change of network has called for is done all the same.
    if (!this.#fresh) this.#clear();
  }

  #courtesy() {
    return this.#means.polite ? COURTESY_MS : 0;
  }

  /** Gives the attempt under way its time, and plans the next. */
  #await() {
    this.#clear();
    this.#plan(Math.min(ATTEMPT_LAST_MS, ATTEMPT_MS * 2 ** (this.#attempts - 1)) + this.#courtesy());
  }

  /** An attempt that is due earlier stays. @param {number} wait milliseconds */
  #plan(wait) {
    const now = Date.now();
    // No later than that where the clock has been set back.
    const dueAt = Math.max(now + wait, Math.min(this.#attemptedAt, now) + APART_MS);
    if (this.#closed || this.#dueAt <= dueAt) return;
    this.#clear();
    this.#dueAt = dueAt;
    if (dueAt <= now) this.#go();
    else this.#timer = setTimeout(() => this.#go(), dueAt - now);
  }

  #clear() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#dueAt = Infinity;
  }

  #go() {
    this.#clear();
    if (this.#closed) return;
    if (!this.#lost && !this.#fresh) return void (this.#attempts = 0);
    // Whoever cannot be reached is waited for: `back` tells of it.
    if (!this.#means.reachable()) return;
    if (this.#attempts >= ATTEMPTS) return this.#means.giveUp();
    const fresh = this.#fresh;
    this.#fresh = false;
    this.#attemptedAt = Date.now();
    this.#attempts += 1;
    this.#await();
    this.#means.attempt(fresh);
  }
}
