//! Bounds that no flag changes, since clients are written against them.

/// The body of a request with signals at most, in bytes.
pub const REQUEST_BYTES: usize = 256 * 1024;
/// One signal's data at most, in bytes.
pub const DATA_BYTES: usize = 64 * 1024;
/// Signals in one request at most.
pub const ARRAY_LENGTH: u32 = 100;
/// A join's body at most, in bytes: meta, tokens, and room to spare.
pub const JOIN_BYTES: usize = 16 * 1024;
/// A peer's meta at most, in bytes.
pub const META_BYTES: usize = 4 * 1024;
/// Characters of an id at most.
pub use crate::proto::id::MAX_ID as ID_CHARACTERS;
/// Events of one poll at most.
pub const POLL_EVENTS: usize = 1000;
/// About what one poll is answered with at most, in bytes.
pub const POLL_BYTES: usize = 256 * 1024;
/// Operators who read the history at a time.
pub const HISTORY_READERS: usize = 32;
/// A request's head at most, in bytes, as the web server reads it.
pub const HEAD_BYTES: usize = 128 * 1024;
/// Header fields of a request at most, as the web server reads them.
pub const HEAD_FIELDS: usize = 96;

/// The end of `--help`.
pub(super) fn help() -> String {
    const KIB: usize = 1024;
    format!(
        "Fixed bounds:
  a signal: data of {} KiB; a request: {} KiB, {ARRAY_LENGTH} signals; past them 413 too-large
  a join: {} KiB, meta of {} KiB; past them 413 too-large
  an id: {ID_CHARACTERS} characters; past it 422 bad-id
  a poll: {POLL_EVENTS} events, about {} KiB; the next brings the rest
  operators who read the history: {HISTORY_READERS}; past it 503 overloaded
  a head: {} KiB, {HEAD_FIELDS} header fields, over HTTP/2 32 KiB; past them 431, and the close

{}",
        DATA_BYTES / KIB,
        REQUEST_BYTES / KIB,
        JOIN_BYTES / KIB,
        META_BYTES / KIB,
        POLL_BYTES / KIB,
        HEAD_BYTES / KIB,
        crate::exit::TABLE,
    )
}
