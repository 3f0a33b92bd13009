//! A position in a mailbox, `EPOCH-SEQ`; opaque to clients.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::id::Epoch;

/// A position in one incarnation's mailbox: everything up to and including `seq` was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The incarnation whose mailbox this is a position in.
    pub epoch: Epoch,
    /// The number of the last event seen; 0 before the first.
    pub seq: u64,
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("a cursor is 16 lower-case hex digits, a dash and a decimal number")]
pub struct BadCursor;

impl Cursor {
    /// Reads a cursor as [`fmt::Display`] writes it.
    ///
    /// # Errors
    /// [`BadCursor`] where the text is not of the form `EPOCH-SEQ`.
    pub fn parse(text: &str) -> Result<Self, BadCursor> {
        let (epoch, seq) = text.split_once('-').ok_or(BadCursor)?;
        let epoch = Epoch::parse(epoch).ok_or(BadCursor)?;
        let plain = seq == "0" || !seq.starts_with('0');
        let digits = !seq.is_empty() && seq.bytes().all(|b| b.is_ascii_digit());
        if !plain || !digits {
            return Err(BadCursor);
        }
        let seq = seq.parse().map_err(|_| BadCursor)?;
        Ok(Self { epoch, seq })
    }
}

impl Cursor {
    /// Adds what [`fmt::Display`] writes to `out`; each event that goes out has one.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut digits = [b'0'; 16 + 1 + 20];
        let (epoch, seq) = digits.split_at_mut(16);
        let mut rest = self.epoch.0;
        for digit in epoch.iter_mut().rev() {
            *digit = b"0123456789abcdef"[(rest & 15) as usize];
            rest >>= 4;
        }
        let mut from = seq.len();
        let mut rest = self.seq;
        loop {
            from -= 1;
            seq[from] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        from -= 1;
        seq[from] = b'-';
        out.extend_from_slice(epoch);
        out.extend_from_slice(&seq[from..]);
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_what_it_writes_and_nothing_else() {
        let cursor = Cursor {
            epoch: Epoch(0x3f9c),
            seq: 17,
        };
        assert_eq!(Cursor::parse(&cursor.to_string()), Ok(cursor));
        for (epoch, seq) in [(0, 0), (0x3f9c, 17), (u64::MAX, u64::MAX)] {
            let cursor = Cursor {
                epoch: Epoch(epoch),
                seq,
            };
            let mut written = Vec::new();
            cursor.write(&mut written);
            assert_eq!(written, cursor.to_string().as_bytes());
        }
        assert_eq!(Cursor::parse("0000000000003f9c-0").map(|c| c.seq), Ok(0));
        for bad in [
            "",
            "-",
            "17",
            "0000000000003f9c",
            "0000000000003f9c-",
            "0000000000003f9c-017",
            "0000000000003f9c--1",
            "0000000000003f9c-+1",
            "0000000000003f9c-1-1",
            "0000000000003F9C-1",
            "0000000000003f9c-99999999999999999999",
        ] {
            assert_eq!(Cursor::parse(bad), Err(BadCursor), "{bad}");
        }
    }
}
