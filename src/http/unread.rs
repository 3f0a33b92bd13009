//! A body in chunks that nobody has read to its end. Left alone, a connection would go on taking such
//! chunks for ever once the request is answered; held until the answer is out, the body ends it.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::HttpMessage as _;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::http::header::TRANSFER_ENCODING;
use actix_web::web::Bytes;
use futures_util::Stream;

/// The body of a request, shared by who reads it and by its answer.
#[derive(Clone)]
pub(super) struct Unread(Rc<RefCell<Payload>>);

impl Unread {
    /// The body of a request that announces no length; with one, the connection ends by itself.
    pub(super) fn of(req: &mut ServiceRequest) -> Option<Self> {
        if !req.headers().contains_key(TRANSFER_ENCODING) {
            return None;
        }
        let shared = Self(Rc::new(RefCell::new(req.take_payload())));
        let payload = Box::pin(shared.clone());
        req.set_payload(Payload::Stream { payload });
        Some(shared)
    }

    /// The answer, which holds what was left unread until it is out.
    pub(super) fn held_by(self, body: BoxBody) -> BoxBody {
        BoxBody::new(Answer {
            body,
            _unread: self,
        })
    }
}

impl Stream for Unread {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_next(cx)
    }
}

struct Answer {
    body: BoxBody,
    _unread: Unread,
}

impl MessageBody for Answer {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}
