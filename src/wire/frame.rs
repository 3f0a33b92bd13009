//! How the pieces of a parked answer stand on the wire (RFC 9112, sections 6.3 and 7.1).

use std::io::{self, IoSlice};

use actix_web::web::{Buf as _, BufMut as _, Bytes, BytesMut};

/// The framing of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// In chunks, of which an empty one is the last.
    Chunked,
    /// To HTTP/1.0: up to the close of the connection.
    UntilClose,
}

/// What a connection has not taken yet.
#[derive(Debug, Default)]
pub(super) struct Unwritten(BytesMut);

impl Unwritten {
    pub(super) fn new(head: &[u8]) -> Self {
        Self(BytesMut::from(head))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds what is to be written later.
    pub(super) fn push(&mut self, framing: Framing, piece: &[u8]) {
        let size = Size::of(piece.len());
        let (before, after) = framing.around(&size);
        self.0.put_slice(before);
        self.0.put_slice(piece);
        self.0.put_slice(after);
    }

    /// Adds the end.
    pub(super) fn end(&mut self, framing: Framing) {
        match framing {
            Framing::Chunked => self.0.put_slice(b"0\r\n\r\n"),
            Framing::UntilClose => {}
        }
    }

    /// Writes a piece where nothing waits before it, and keeps what the socket does not take.
    pub(super) fn write(
        &mut self,
        framing: Framing,
        piece: &Bytes,
        mut socket: impl io::Write,
    ) -> io::Result<()> {
        let size = Size::of(piece.len());
        let (before, after) = framing.around(&size);
        let parts = [before, piece, after];
        let written = written(socket.write_vectored(&parts.map(IoSlice::new)))?;
        let mut taken = written;
        for part in parts {
            let skip = taken.min(part.len());
            taken -= skip;
            self.0.put_slice(&part[skip..]);
        }
        Ok(())
    }

    /// Writes what waits; whether the socket has taken all of it.
    pub(super) fn flush(&mut self, mut socket: impl io::Write) -> io::Result<bool> {
        while !self.0.is_empty() {
            match written(socket.write(&self.0))? {
                0 => return Ok(false),
                taken => self.0.advance(taken),
            }
        }
        if self.0.capacity() > 0 {
            // What waited once needs no room any more.
            self.0 = BytesMut::new();
        }
        Ok(true)
    }

    /// Adds what `work` writes.
    pub(super) fn with(&mut self, work: impl FnOnce(&mut BytesMut)) {
        work(&mut self.0);
    }
}

/// How much a write took; nothing where the socket takes none now.
fn written(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
            ) =>
        {
            Ok(0)
        }
        other => other,
    }
}

/// The line before a chunk: its size in hexadecimal.
struct Size {
    text: [u8; Self::MOST],
    from: usize,
}

impl Size {
    const MOST: usize = 18;

    fn of(length: usize) -> Self {
        let mut size = Self {
            text: [0; Self::MOST],
            from: Self::MOST - 2,
        };
        size.text[size.from..].copy_from_slice(b"\r\n");
        let mut rest = length;
        loop {
            size.from -= 1;
            size.text[size.from] = b"0123456789abcdef"[rest & 15];
            rest >>= 4;
            if rest == 0 {
                return size;
            }
        }
    }
}

impl Framing {
    fn around(self, size: &Size) -> (&[u8], &'static [u8]) {
        match self {
            Self::Chunked => (&size.text[size.from..], b"\r\n"),
            Self::UntilClose => (&[], &[]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_chunk_says_its_size() {
        for (length, line) in [
            (1, "1\r\n"),
            (15, "f\r\n"),
            (16, "10\r\n"),
            (8192, "2000\r\n"),
            (usize::MAX, "ffffffffffffffff\r\n"),
        ] {
            let size = Size::of(length);
            assert_eq!(&size.text[size.from..], line.as_bytes());
        }
    }

    #[test]
    fn what_a_socket_does_not_take_is_kept_in_order() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let ours = TcpStream::connect(address).expect("a connection");
        let (mut theirs, _) = listener.accept().expect("its other end");
        ours.set_nonblocking(true).expect("a setting");
        let mut unwritten = Unwritten::new(b"");
        let mut wanted = Vec::new();
        let mut piece = 0_u32;
        while unwritten.is_empty() {
            piece += 1;
            let bytes = Bytes::from(format!("{piece:8000}"));
            let written = unwritten.write(Framing::Chunked, &bytes, &ours);
            written.expect("an open connection");
            wanted.extend_from_slice(format!("1f40\r\n{piece:8000}\r\n").as_bytes());
        }
        unwritten.push(Framing::Chunked, b"more");
        unwritten.end(Framing::Chunked);
        wanted.extend_from_slice(b"4\r\nmore\r\n0\r\n\r\n");
        let (mut seen, mut buffer) = (Vec::new(), vec![0; 1 << 20]);
        while seen.len() < wanted.len() {
            let read = theirs.read(&mut buffer).expect("more");
            seen.extend_from_slice(&buffer[..read]);
            unwritten.flush(&ours).expect("an open connection");
        }
        assert!(unwritten.is_empty() && seen == wanted);
    }

    #[test]
    fn to_http_1_0_nothing_stands_around_the_pieces() {
        let mut unwritten = Unwritten::new(b"head ");
        unwritten.push(Framing::UntilClose, b"piece");
        unwritten.end(Framing::UntilClose);
        assert_eq!(&unwritten.0[..], b"head piece");
    }
}
