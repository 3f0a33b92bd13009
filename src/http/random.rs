//! Random values, from the operating system.

use std::io;

use super::problem::{self, Problem};
use crate::proto::{Epoch, SessionId};

fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

/// A secret to sign with, 256 bits.
///
/// # Errors
/// Where the system gives no random numbers.
pub(crate) fn secret() -> io::Result<Vec<u8>> {
    bytes::<32>().map(Vec::from)
}

/// A number from 0 to 1.
///
/// # Errors
/// Where the system gives no random numbers.
pub(crate) fn fraction() -> io::Result<f64> {
    Ok(f64::from(u32::from_le_bytes(bytes()?)) / f64::from(u32::MAX))
}

/// 64 random bits.
///
/// # Errors
/// [`problem::INTERNAL`] where the system gives none.
pub(super) fn number() -> Result<u64, Problem> {
    let failed = |_| Problem::new(&problem::INTERNAL, "no random numbers: try again later");
    bytes().map(u64::from_le_bytes).map_err(failed)
}

/// A fresh incarnation's epoch.
///
/// # Errors
/// Where the system gives no random numbers.
pub(crate) fn epoch() -> io::Result<Epoch> {
    bytes().map(u64::from_le_bytes).map(Epoch)
}

/// A session's id, where the client gave none.
pub(super) fn session() -> Result<SessionId, Problem> {
    SessionId::parse(&format!("s-{:016x}", number()?)).map_err(Problem::from)
}
