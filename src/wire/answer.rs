//! An answer, whoever writes it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use smallvec::SmallVec;

/// The lines of a head that say more than what every head says.
pub(crate) type Lines = SmallVec<[(&'static str, Cow<'static, str>); 4]>;

/// Lines as they stand in a head, each with its end.
pub(crate) type Block = Cow<'static, str>;

/// An answer with its body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) lines: Lines,
    /// More of them, which the web server adds by itself.
    pub(crate) block: Block,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn new(status: StatusCode) -> Self {
        Self {
            status,
            lines: Lines::new(),
            block: Block::default(),
            body: Bytes::new(),
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.lines.push((name, value.into()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Writes it whole, as HTTP/1.1; `closes` says that nothing follows.
    pub(super) fn write(&self, out: &mut Vec<u8>, closes: bool) {
        out.reserve(self.body.len() + 512);
        start(out, self.status);
        lines(out, &self.lines);
        out.extend_from_slice(self.block.as_bytes());
        if closes {
            out.extend_from_slice(b"connection: close\r\n");
        }
        if self.status != StatusCode::NO_CONTENT {
            out.extend_from_slice(b"content-length: ");
            out.extend_from_slice(itoa::Buffer::new().format(self.body.len()).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
    }
}

impl From<Answer> for HttpResponse {
    fn from(answer: Answer) -> Self {
        let mut response = Self::build(answer.status);
        for (name, value) in &answer.lines {
            response.insert_header((*name, value.as_ref()));
        }
        if answer.status == StatusCode::NO_CONTENT {
            return response.finish();
        }
        response.body(answer.body)
    }
}

/// The head of a stream, which is in chunks and the last of its connection.
pub(super) fn write_stream_head(out: &mut Vec<u8>, more: &Lines, block: &str) {
    start(out, StatusCode::OK);
    lines(out, more);
    out.extend_from_slice(block.as_bytes());
    out.extend_from_slice(b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n");
}

fn start(out: &mut Vec<u8>, status: StatusCode) {
    let reason = status.canonical_reason().unwrap_or_default();
    for part in ["HTTP/1.1 ", status.as_str(), " ", reason, "\r\ndate: "] {
        out.extend_from_slice(part.as_bytes());
    }
    DATE.with_borrow_mut(|date| out.extend_from_slice(date.now()));
    out.extend_from_slice(b"\r\n");
}

fn lines(out: &mut Vec<u8>, lines: &Lines) {
    for (name, value) in lines {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// The date of the present second, as heads have it.
#[derive(Default)]
struct Date {
    second: u64,
    text: String,
}

thread_local! {
    static DATE: RefCell<Date> = RefCell::default();
}

impl Date {
    fn now(&mut self) -> &[u8] {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let second = since.unwrap_or_default().as_secs();
        if second != self.second {
            self.second = second;
            self.text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second));
        }
        self.text.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_how_long_its_body_is() {
        let answer = Answer::new(StatusCode::ACCEPTED)
            .with("content-type", "application/json")
            .body("{}");
        let mut out = Vec::new();
        answer.write(&mut out, false);
        let text = String::from_utf8(out).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert!(
            head.starts_with("HTTP/1.1 202 Accepted\r\ndate: "),
            "{head}"
        );
        assert!(head.ends_with("GMT\r\ncontent-type: application/json\r\ncontent-length: 2"));
        assert_eq!(body, "{}");
        let mut out = Vec::new();
        Answer::new(StatusCode::NO_CONTENT).write(&mut out, true);
        let text = String::from_utf8(out).expect("text");
        assert!(text.ends_with("\r\nconnection: close\r\n\r\n") && !text.contains("length"));
    }
}
