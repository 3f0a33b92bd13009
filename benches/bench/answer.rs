//! Answers as they come over a connection: head, body in any of three framings, end.

/// What a head says that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Whether the body is an event stream.
    pub(crate) is_stream: bool,
}

/// A piece of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    Head(Head),
    Body(&'a [u8]),
    End,
}

/// Bytes that are no answer, or one that breaks off.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Malformed {}

/// Where in an answer the next byte stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    #[default]
    Head,
    /// In a body of known length, of which so much is missing.
    Fixed(u64),
    /// In the line that says a chunk's size.
    Size,
    Chunk(u64),
    /// In the empty line behind a chunk.
    AfterChunk,
    /// Behind the last chunk.
    Trailer,
    UntilClose,
}

/// Reads one answer after the other.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    at: At,
    /// A head or a line that is not complete yet.
    held: Vec<u8>,
}

impl Reader {
    /// Takes what a read brought, however it is cut.
    pub(crate) fn read(
        &mut self,
        mut bytes: &[u8],
        mut take: impl FnMut(Part<'_>),
    ) -> Result<(), Malformed> {
        while !bytes.is_empty() {
            match self.at {
                At::Head => bytes = self.head(bytes, &mut take)?,
                At::Fixed(left) => {
                    let (body, rest) = split(bytes, left);
                    take(Part::Body(body));
                    bytes = rest;
                    self.at = At::Fixed(left - body.len() as u64);
                    if self.at == At::Fixed(0) {
                        self.end(&mut take);
                    }
                }
                At::Chunk(left) => {
                    let (body, rest) = split(bytes, left);
                    take(Part::Body(body));
                    bytes = rest;
                    self.at = match left - body.len() as u64 {
                        0 => At::AfterChunk,
                        left => At::Chunk(left),
                    };
                }
                At::Size | At::AfterChunk | At::Trailer => {
                    let Some(end) = memchr::memchr(b'\n', bytes) else {
                        self.held.extend_from_slice(bytes);
                        return Ok(());
                    };
                    self.held.extend_from_slice(&bytes[..end]);
                    bytes = &bytes[end + 1..];
                    self.line(&mut take)?;
                    self.held.clear();
                }
                At::UntilClose => {
                    take(Part::Body(bytes));
                    bytes = &[];
                }
            }
        }
        Ok(())
    }

    /// The connection has ended: so has a body that nothing else ends.
    pub(crate) fn close(&mut self, mut take: impl FnMut(Part<'_>)) -> Result<(), Malformed> {
        match self.at {
            At::UntilClose => self.end(&mut take),
            At::Head if self.held.is_empty() => {}
            At::Head | At::Fixed(_) | At::Size | At::Chunk(_) | At::AfterChunk | At::Trailer => {
                return Err(Malformed("the connection ended in the middle of an answer"));
            }
        }
        Ok(())
    }

    fn head<'a>(
        &mut self,
        bytes: &'a [u8],
        take: &mut impl FnMut(Part<'_>),
    ) -> Result<&'a [u8], Malformed> {
        let before = self.held.len();
        let parsed = if before == 0 {
            parse(bytes)?
        } else {
            self.held.extend_from_slice(bytes);
            parse(&self.held)?
        };
        let Some((head, framing, length)) = parsed else {
            if before == 0 {
                self.held.extend_from_slice(bytes);
            }
            return Ok(&[]);
        };
        self.held.clear();
        take(Part::Head(head));
        self.at = framing;
        if framing == At::Fixed(0) {
            self.end(take);
        }
        Ok(&bytes[length - before..])
    }

    /// Takes the line that stands in `held`.
    fn line(&mut self, take: &mut impl FnMut(Part<'_>)) -> Result<(), Malformed> {
        let line = self.held.trim_ascii();
        match self.at {
            At::Size => {
                let digits = line.split(|&b| b == b';').next().unwrap_or_default();
                let size = std::str::from_utf8(digits)
                    .ok()
                    .and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok())
                    .ok_or(Malformed("a chunk without a size"))?;
                self.at = if size == 0 {
                    At::Trailer
                } else {
                    At::Chunk(size)
                };
            }
            At::AfterChunk if line.is_empty() => self.at = At::Size,
            At::AfterChunk => return Err(Malformed("a chunk longer than its size")),
            At::Trailer if line.is_empty() => self.end(take),
            At::Head | At::Fixed(_) | At::Chunk(_) | At::Trailer | At::UntilClose => {}
        }
        Ok(())
    }

    fn end(&mut self, take: &mut impl FnMut(Part<'_>)) {
        self.at = At::Head;
        take(Part::End);
    }
}

fn split(bytes: &[u8], most: u64) -> (&[u8], &[u8]) {
    bytes.split_at(usize::try_from(most).unwrap_or(usize::MAX).min(bytes.len()))
}

/// The head at the beginning of `bytes`, how its body is framed, and its length; nothing while
/// some of it is missing.
fn parse(bytes: &[u8]) -> Result<Option<(Head, At, usize)>, Malformed> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut answer = httparse::Response::new(&mut headers);
    let length = match answer.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(Malformed("no head of an answer")),
    };
    let status = answer.code.unwrap_or_default();
    let header = |name: &str| {
        let found = answer
            .headers
            .iter()
            .find(|h| h.name.eq_ignore_ascii_case(name));
        found.map(|header| header.value.trim_ascii())
    };
    let is_stream =
        header("content-type").is_some_and(|kind| kind.starts_with(b"text/event-stream"));
    let framing = if status == 204 || status == 304 {
        At::Fixed(0)
    } else if header("transfer-encoding").is_some_and(|how| how.eq_ignore_ascii_case(b"chunked")) {
        At::Size
    } else if let Some(length) = header("content-length") {
        let length = std::str::from_utf8(length)
            .ok()
            .and_then(|length| length.parse().ok());
        At::Fixed(length.ok_or(Malformed("a length that is no number"))?)
    } else {
        At::UntilClose
    };
    Ok(Some((Head { status, is_stream }, framing, length)))
}
