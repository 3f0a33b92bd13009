//! One node: the log is applied at once and kept nowhere else.

use super::{Appending, Backplane, Log};
use crate::proto::Entry;

/// The backplane of a single node.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory;

impl Backplane for Memory {
    fn append(&self, log: &dyn Log, entry: Entry) -> Appending {
        Appending::done(log.apply_next(entry))
    }
}
