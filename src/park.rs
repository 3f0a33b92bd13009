//! Idle streams, out of the web server once their head is out.
//!
//! The web server keeps two buffers and a task for each connection for as long as its answer goes on,
//! over 10 KiB. A stream that waits needs none of that: its socket goes to the [`Lot`], whose one
//! thread sees what comes back, and it is written to by whoever wakes it.
//!
//! The way out: a handler answers with a [`Parking`] body. When that is first polled, the head is in
//! the web server's buffer; the body puts its source into the slot of its connection. The buffer is
//! then written to the [`Connection`], which finds the source, takes its socket away, and goes to the
//! lot with both. What cannot be parked (a test without a socket, say) keeps the source as its body.

mod connection;
mod frame;
mod lot;
mod parked;

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::Version;
use actix_web::http::header::{HeaderValue, TRANSFER_ENCODING};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

pub(crate) use connection::{Connection, Slot};
use frame::Framing;
pub use lot::Lot;

/// What a stream writes, piece by piece, until there is none left.
pub(crate) trait Source: Send {
    /// The next piece, which is not empty; none at the end. A piece is asked for when the one before
    /// was taken by the connection.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>>;
}

/// The body of an answer that leaves the web server, where its connection can.
pub(crate) struct Parking<S> {
    source: Option<S>,
    slot: Option<Rc<Slot>>,
    framing: Framing,
}

impl<S: Source + Unpin + 'static> Parking<S> {
    /// Finishes an answer to `req`: what `source` gives is its body.
    pub(crate) fn answer(
        req: &HttpRequest,
        mut answer: HttpResponseBuilder,
        source: S,
    ) -> HttpResponse {
        let parking = Self {
            source: Some(source),
            slot: req.conn_data::<Rc<Slot>>().cloned(),
            framing: if req.version() < Version::HTTP_11 {
                Framing::UntilClose
            } else {
                Framing::Chunked
            },
        };
        let (leaves, framing) = (parking.slot.is_some(), parking.framing);
        if leaves {
            // Nothing follows on a connection that has left.
            answer.force_close();
        }
        let mut answer = answer.body(parking);
        if framing == Framing::UntilClose || leaves {
            answer.head_mut().no_chunking(true);
        }
        if framing == Framing::Chunked && leaves {
            let chunked = HeaderValue::from_static("chunked");
            answer.headers_mut().insert(TRANSFER_ENCODING, chunked);
        }
        answer
    }
}

impl<S: Source + Unpin + 'static> MessageBody for Parking<S> {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        let this = self.get_mut();
        if let Some(slot) = &this.slot {
            if let Some(source) = this.source.take() {
                slot.leave(Box::new(source), this.framing);
            }
            return Poll::Pending;
        }
        let Some(source) = &mut this.source else {
            return Poll::Ready(None);
        };
        source.poll_next(cx).map(|piece| piece.map(Ok))
    }
}
