//! Answers to requests.

use turn_types::stun::attribute::{AttributeType, ErrorCode, Nonce, Realm, UnknownAttributes};
use turn_types::stun::message::{IntegrityAlgorithm, Message, MessageWriteVec};
use turn_types::stun::prelude::*;

use super::auth::{REALM, Sender};

/// What a request asks for that may not be passed over, and is not among what is `understood`.
pub(super) fn strange(request: &Message<'_>, understood: &[AttributeType]) -> Vec<AttributeType> {
    let types = request.iter_attributes().map(|(_, it)| it.get_type());
    types
        .filter(|it| it.comprehension_required() && !understood.contains(it))
        .collect()
}

/// An answer, while it is put together. What has no room in it, which nothing here is as large as to
/// have, makes it none.
pub(super) struct Answer(Option<MessageWriteVec>);

impl Answer {
    /// What was asked for was done.
    pub(super) fn done(request: &Message<'_>) -> Self {
        Self(Some(Message::builder_success(
            request,
            MessageWriteVec::new(),
        )))
    }

    /// It was not, and why.
    pub(super) fn refused(request: &Message<'_>, code: u16) -> Self {
        let answer = Message::builder_error(request, MessageWriteVec::new());
        match ErrorCode::builder(code).build() {
            Ok(code) => Self(Some(answer)).with(&code),
            Err(_) => Self(None),
        }
    }

    /// Adds something.
    pub(super) fn with(mut self, attribute: &dyn AttributeWrite) -> Self {
        self.0 = self.0.take().and_then(|mut answer| {
            answer.add_attribute(attribute).ok()?;
            Some(answer)
        });
        self
    }

    /// Names what was not understood.
    pub(super) fn with_strange(self, types: &[AttributeType]) -> Self {
        self.with(&UnknownAttributes::new(types))
    }

    /// Says how the next request is to be signed.
    pub(super) fn with_challenge(self, nonce: &str) -> Self {
        match (Realm::new(REALM), Nonce::new(nonce)) {
            (Ok(realm), Ok(nonce)) => self.with(&realm).with(&nonce),
            _ => Self(None),
        }
    }

    /// As it is.
    pub(super) fn plain(self) -> Option<Vec<u8>> {
        self.0.map(MessageWrite::finish)
    }

    /// With a checksum, by which the answer is told from what else comes to the same port.
    pub(super) fn checked(self) -> Option<Vec<u8>> {
        let mut answer = self.0?;
        answer.add_fingerprint().ok()?;
        Some(answer.finish())
    }

    /// Signed with what the request was signed with.
    pub(super) fn signed(self, sender: &Sender) -> Option<Vec<u8>> {
        let mut answer = self.0?;
        answer
            .add_message_integrity(&sender.credentials, IntegrityAlgorithm::Sha1)
            .ok()?;
        Some(answer.finish())
    }
}
