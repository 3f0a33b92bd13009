/** How far this incarnation's mailbox has been read, whatever reader it was read by. */

export class Cursor {
  /** The cursor to ask for next; null before anything is known. @type {string | null} */
  text;

  /** @param {string | null} [text] */
  constructor(text = null) {
    this.text = text;
  }

  /**
   * Takes note of an event's id.
   *
   * @param {string} id
   * @returns {boolean} false where the event was seen before.
   */
  admit(id) {
    if (!this.isNew(id)) return false;
    this.text = id;
    return true;
  }

  /** Whether an event of this id has not been seen yet. @param {string} id */
  isNew(id) {
    return isAfter(id, this.text);
  }

  /** Starts again from a position that the server names, which may lie before this one. @param {string | null} text */
  rebase(text) {
    this.text = text;
  }
}

/** @param {string} id @param {string | null} seen */
function isAfter(id, seen) {
  if (seen === null) return true;
  const [epoch, seq] = split(id);
  const [seenEpoch, seenSeq] = split(seen);
  return epoch !== seenEpoch || seq > seenSeq;
}

/** Whether a cursor is an earlier one of the same incarnation. @param {string} cursor @param {string} other */
export function isBefore(cursor, other) {
  const [epoch, seq] = split(cursor);
  const [otherEpoch, otherSeq] = split(other);
  return epoch === otherEpoch && seq < otherSeq;
}

/** @param {string} cursor @returns {[string, number]} */
function split(cursor) {
  const dash = cursor.lastIndexOf("-");
  return [cursor.slice(0, dash), Number(cursor.slice(dash + 1))];
}
