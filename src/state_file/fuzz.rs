//! What fuzzing comes in by: files whose digest is right and that hold anything.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::{BadState, Footer, State, hex, understand};

/// Reads these lines, with the footer that is right for them.
///
/// # Errors
/// [`BadState`], as of a file.
pub fn signed(body: &[&[u8]]) -> Result<State, BadState> {
    let digest = body.iter().fold(Sha256::new(), |digest, line| {
        digest.chain_update(line).chain_update(b"\n")
    });
    let footer = Footer {
        rooms: body.len().saturating_sub(1),
        sha256: hex(&digest.finalize()),
    };
    let footer = serde_json::to_vec(&footer).unwrap_or_default();
    let lines = body.iter().copied().chain([footer.as_slice()]);
    understand(Path::new("state"), lines.map(<[u8]>::to_vec).collect())
}

/// Reads a whole file.
///
/// # Errors
/// [`BadState`], as of a file.
pub fn file(bytes: &[u8]) -> Result<State, BadState> {
    let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec);
    understand(Path::new("state"), lines.collect())
}
