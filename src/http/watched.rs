//! The history that operators read, and how many may read it at a time.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::Problem;
use super::unknown_path;
use crate::config::fixed::HISTORY_READERS;
use crate::history::History;
use crate::hub::Refused;

/// The history of a server that has operators.
pub(super) struct Watched(Option<(Arc<History>, Arc<Semaphore>)>);

impl Watched {
    pub(super) fn new(history: Option<Arc<History>>) -> Self {
        let places = || Arc::new(Semaphore::new(HISTORY_READERS));
        Self(history.map(|history| (history, places())))
    }

    /// Whether there is one.
    pub(super) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The history, and a place among its readers.
    ///
    /// # Errors
    /// `overloaded` where all are taken; `unknown-path` where there is none.
    pub(super) fn take(&self) -> Result<(Arc<History>, OwnedSemaphorePermit), Problem> {
        let (history, places) = self.0.as_ref().ok_or_else(unknown_path)?;
        let place = places.clone().try_acquire_owned();
        let place = place.map_err(|_| Problem::from(Refused::TooManyReaders))?;
        Ok((history.clone(), place))
    }
}
