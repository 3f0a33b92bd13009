//! Event streams: lines in, events out.

/// One event of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    /// Empty where the stream names none.
    pub(crate) name: &'a [u8],
    /// The last id that the stream has named.
    pub(crate) id: &'a [u8],
    pub(crate) data: &'a [u8],
}

/// Reads lines that end in LF or CR LF.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    /// A line that is not complete yet.
    line: Vec<u8>,
    name: Vec<u8>,
    id: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
}

impl Parser {
    /// Takes what a read brought, however it is cut.
    pub(crate) fn read(&mut self, mut bytes: &[u8], mut take: impl FnMut(Event<'_>)) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            if self.line.is_empty() {
                self.line(&bytes[..end], &mut take);
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(&bytes[..end]);
                self.line(&line, &mut take);
                line.clear();
                self.line = line;
            }
            bytes = &bytes[end + 1..];
        }
        self.line.extend_from_slice(bytes);
    }

    fn line(&mut self, line: &[u8], take: &mut impl FnMut(Event<'_>)) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return self.dispatch(take);
        }
        let (field, value) = match memchr::memchr(b':', line) {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => replace(&mut self.name, value),
            b"id" => replace(&mut self.id, value),
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
                self.has_data = true;
            }
            // Comments, `retry`, and what nobody knows.
            _ => {}
        }
    }

    fn dispatch(&mut self, take: &mut impl FnMut(Event<'_>)) {
        if self.has_data {
            take(Event {
                name: &self.name,
                id: &self.id,
                data: &self.data,
            });
        }
        self.name.clear();
        self.data.clear();
        self.has_data = false;
    }
}

fn replace(kept: &mut Vec<u8>, value: &[u8]) {
    kept.clear();
    kept.extend_from_slice(value);
}
