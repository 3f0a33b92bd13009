//! Heads of plain requests; for fuzzing alone.

use super::head::{self, Read};

/// What a request says of itself, and how long it is.
#[derive(Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as their names say")]
pub struct Told {
    pub method: String,
    pub path: String,
    pub query: String,
    pub lines: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
    pub used: usize,
}

/// A plain request at the beginning of `bytes`, if there is one.
pub fn plain(bytes: &[u8]) -> Option<Told> {
    let sender = std::net::SocketAddr::from(([192, 0, 2, 1], 9));
    let read = head::read(bytes, sender, |request, _| {
        let line = |line: &head::Line<'_>| (line.name.to_ascii_lowercase(), line.value.to_vec());
        let mut lines: Vec<_> = request.lines.iter().map(line).collect();
        lines.sort();
        Told {
            method: request.method.to_owned(),
            path: request.path.to_owned(),
            query: request.query.to_owned(),
            lines,
            body: request.body.to_vec(),
            used: 0,
        }
    });
    match read {
        Read::Whole(told, used) => Some(Told { used, ..told }),
        Read::Part | Read::Else => None,
    }
}
