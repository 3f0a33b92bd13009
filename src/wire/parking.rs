//! The body of an answer that leaves the web server, where its connection can.

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::Version;
use actix_web::http::header::{HeaderValue, TRANSFER_ENCODING};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

use super::frame::Framing;
use super::web::Slot;
use super::{Given, Source};

/// A source, on its way into the slot of its connection; where there is none, the body itself.
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
        let mut piece = Vec::new();
        match source.poll_next(cx, &mut piece) {
            Given::Last => this.source = None,
            Given::All if piece.is_empty() => return Poll::Pending,
            // That all was taken is only told by asking for more.
            Given::All | Given::More => source.held_up(),
        }
        Poll::Ready((!piece.is_empty()).then(|| Ok(piece.into())))
    }
}
