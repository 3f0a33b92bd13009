//! What comes over a connection: read, and taken to who answers it.

use std::cell::RefCell;
use std::io::{self, Read as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Connection, Doing, Inner};
use crate::wire::Outcome;
use crate::wire::answer::write_stream_head;
use crate::wire::frame::Framing;
use crate::wire::head::{self, Read};
use crate::wire::together::together;

/// What a client may send behind the request of a stream, in bytes: it is read to see the end behind
/// it, and thrown away. Who sends more is cut off.
const UNASKED: u32 = 64 * 1024;
/// How long a request may take to come whole before the web server takes over, which has bounds for
/// that; in milliseconds.
const WHOLE_WITHIN: u64 = 1000;

/// How much is read at once of what has to wait, or is thrown away; in bytes.
const SOME: usize = 4096;

thread_local! {
    /// What is read of a request goes here first, so that a connection that waits needs no buffer.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 64 * 1024]);
}

/// What became of what was read.
pub(super) enum Asked {
    Nothing,
    Something,
    Else,
}

impl Connection {
    /// Reads and answers one request.
    pub(super) fn ask(self: &Arc<Self>, inner: &mut Inner) -> io::Result<Asked> {
        if !inner.heard.is_empty() {
            let mut heard = std::mem::take(&mut inner.heard);
            let (asked, used) = self.serve(inner, &heard);
            if used < heard.len() && !inner.streams() {
                heard.drain(..used);
                inner.heard = heard;
            }
            let before = inner.heard.len();
            if matches!(asked, Asked::Nothing) {
                self.hear(inner)?;
            }
            let more = inner.heard.len() > before;
            return Ok(if more { Asked::Something } else { asked });
        }
        if !self.readable.swap(false, Ordering::AcqRel) {
            return Ok(Asked::Nothing);
        }
        BUFFER.with_borrow_mut(|buffer| {
            let read = self.read(inner, buffer)?;
            let bytes = &buffer[..read];
            let (asked, used) = self.serve(inner, bytes);
            if used < read && !inner.streams() {
                inner.heard = bytes[used..].to_vec();
            }
            Ok(asked)
        })
    }

    /// Answers the first request of `bytes`; how many of them it has used.
    fn serve(self: &Arc<Self>, inner: &mut Inner, bytes: &[u8]) -> (Asked, usize) {
        if bytes.is_empty() {
            return (Asked::Nothing, 0);
        }
        let read = head::read(bytes, self.sender.into(), |request, closes| {
            let answer = || self.shared.answers.answer(&request);
            (together(answer), closes)
        });
        let ((outcome, closes), used) = match read {
            Read::Whole(told, used) => (told, used),
            Read::Else => return (Asked::Else, 0),
            Read::Part => {
                if !std::mem::replace(&mut inner.partial, true) {
                    self.shared.set_deadline(self, WHOLE_WITHIN);
                }
                return (Asked::Nothing, 0);
            }
        };
        inner.partial = false;
        inner.asked = true;
        self.expired.store(false, Ordering::Release);
        match outcome {
            Outcome::Else => return (Asked::Else, 0),
            Outcome::Done(answer) => self.answer(inner, &answer, closes),
            Outcome::Later(later) => {
                self.shared.set_deadline(self, 0);
                inner.doing = Doing::Answering(later, closes, self.shared.one_more());
            }
            Outcome::Stream(lines, block, source) => {
                self.shared.set_deadline(self, 0);
                inner
                    .unwritten
                    .with(|out| write_stream_head(out, &lines, &block));
                inner.fresh = true;
                inner.doing = Doing::Streaming(source, Framing::Chunked, self.shared.one_more());
            }
        }
        (Asked::Something, used)
    }

    /// Reads into `buffer`; nothing where nothing has come.
    ///
    /// # Errors
    /// Where the client is gone.
    fn read(&self, inner: &Inner, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(mut socket) = inner.socket.as_ref() else {
            return Ok(0);
        };
        loop {
            match socket.read(buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    // What fills less was all, but for an end that was announced.
                    if read == buffer.len() || self.ended.load(Ordering::Acquire) {
                        self.readable.store(true, Ordering::Release);
                    }
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
                Err(error) => return Err(error),
            }
        }
    }

    /// Adds what has come to what was heard, up to a bound; the rest waits in the socket.
    pub(super) fn hear(&self, inner: &mut Inner) -> io::Result<()> {
        while inner.heard.len() < head::MOST && self.readable.swap(false, Ordering::AcqRel) {
            let mut buffer = [0; SOME];
            let read = self.read(inner, &mut buffer)?;
            inner.heard.extend_from_slice(&buffer[..read]);
        }
        Ok(())
    }

    /// Reads what nobody has asked for.
    pub(super) fn discard(&self, inner: &mut Inner) -> io::Result<()> {
        while self.readable.swap(false, Ordering::AcqRel) {
            let mut buffer = [0; SOME];
            // What one read gives is far below its bound.
            inner.unasked += self.read(inner, &mut buffer)? as u32;
            if inner.unasked > UNASKED {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        Ok(())
    }
}
