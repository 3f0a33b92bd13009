//! The state file: what outlives a restart, written whole or not at all.
//!
//! One JSON text a line: a header with the version and what belongs to no room, then a line for each
//! room, then a line with the number of rooms and a digest of all lines before it (RFC 6234).

#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::hub::{Hub, SavedHub, SavedRoom};

/// The version of the format; files of another are refused.
pub const VERSION: u32 = 3;

/// Why a state file was not taken.
#[derive(Debug, thiserror::Error)]
pub enum BadState {
    /// It cannot be read.
    #[error("the state file {0} cannot be read: {1}")]
    Unreadable(PathBuf, io::Error),
    /// It was cut off, or changed.
    #[error("the state file {0} is damaged ({1}): move it away to start without it")]
    Damaged(PathBuf, String),
    /// Another version of the program wrote it.
    #[error("the state file {0} has version {1}, this program reads {VERSION}: move it away")]
    Version(PathBuf, u32),
}

#[derive(Serialize, Deserialize)]
struct Header {
    switchboard_state: u32,
    /// The secret, where it was made at random: tokens stay good over the restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<Vec<u8>>,
    hub: SavedHub,
}

/// Only the version of a header, for files of versions to come.
#[derive(Deserialize)]
struct AnyHeader {
    switchboard_state: u32,
}

#[derive(Serialize, Deserialize)]
struct Footer {
    rooms: usize,
    sha256: String,
}

/// What a state file held.
pub struct State {
    /// The secret that tokens were signed with, where it was made at random.
    pub secret: Option<Vec<u8>>,
    /// What belongs to no room.
    pub hub: SavedHub,
    /// The rooms.
    pub rooms: Vec<SavedRoom>,
}

/// Reads a state file; none where there is no such file.
///
/// # Errors
/// [`BadState`], which says what to do.
pub fn read(path: &Path) -> Result<Option<State>, BadState> {
    let unreadable = |error| BadState::Unreadable(path.to_owned(), error);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let lines = BufReader::new(file).split(b'\n').collect::<Result<_, _>>();
    understand(path, lines.map_err(unreadable)?).map(Some)
}

fn understand(path: &Path, lines: Vec<Vec<u8>>) -> Result<State, BadState> {
    let damaged = |why: &str| BadState::Damaged(path.to_owned(), why.to_owned());
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else {
        return Err(damaged("it is empty"));
    };
    let header: AnyHeader = serde_json::from_slice(first).map_err(|_| damaged("no header"))?;
    if header.switchboard_state != VERSION {
        return Err(BadState::Version(path.to_owned(), header.switchboard_state));
    }
    let footer: Footer = serde_json::from_slice(last).map_err(|_| damaged("its end is missing"))?;
    let body = &lines[..lines.len() - 1];
    let mut digest = Sha256::new();
    for line in body {
        digest.update(line);
        digest.update(b"\n");
    }
    if hex(&digest.finalize()) != footer.sha256 || body.len() != footer.rooms + 1 {
        return Err(damaged("its digest is wrong"));
    }
    let strange = |error: serde_json::Error| damaged(&format!("line {}", error.line()));
    let header: Header = serde_json::from_slice(first).map_err(strange)?;
    let rooms = body[1..]
        .iter()
        .map(|line| serde_json::from_slice(line).map_err(strange));
    let rooms = rooms.collect::<Result<_, _>>()?;
    Ok(State {
        secret: header.secret,
        hub: header.hub,
        rooms,
    })
}

/// Writes all that `hub` holds: beside the file, to the disk, and then in its place (mode 0600).
///
/// # Errors
/// Where any of that fails; the file is then as it was.
pub fn write(path: &Path, secret: Option<Vec<u8>>, hub: &Hub) -> io::Result<()> {
    let beside = beside(path);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // A leftover of a write that was cut off may have another mode.
    let _ = fs::remove_file(&beside);
    let mut out = Digested {
        to: BufWriter::new(options.open(&beside)?),
        digest: Sha256::new(),
    };
    let header = Header {
        switchboard_state: VERSION,
        secret,
        hub: hub.save(),
    };
    out.line(&header)?;
    let mut rooms = 0;
    hub.save_rooms(|room| {
        rooms += 1;
        out.line(room)
    })?;
    let sha256 = hex(&out.digest.clone().finalize());
    out.line(&Footer { rooms, sha256 })?;
    let file = out
        .to
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    sync_folder(path)
}

/// Removes a state file that was read: it is good for one start, since what follows changes it.
///
/// # Errors
/// Where it cannot be removed.
pub fn used_up(path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    sync_folder(path)
}

/// Checks that a state file could be written, before anything depends on it.
///
/// # Errors
/// Where its folder cannot be written to.
pub fn check(path: &Path) -> io::Result<()> {
    let beside = beside(path);
    File::create(&beside)?;
    fs::remove_file(&beside)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

struct Digested {
    to: BufWriter<File>,
    digest: Sha256,
}

impl Digested {
    fn line(&mut self, value: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        self.digest.update(&line);
        self.to.write_all(&line)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
