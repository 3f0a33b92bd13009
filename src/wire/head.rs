//! The head of a request, where it is one of the plain kind (RFC 9112).

use std::mem::MaybeUninit;
use std::net::SocketAddr;

/// Header lines of a plain request at most.
const LINES: usize = 48;
/// The methods of plain requests.
const METHODS: [&str; 4] = ["GET", "POST", "DELETE", "OPTIONS"];
/// What a plain request is at most, in bytes; nothing in one that is answered here is longer.
pub(super) const MOST: usize = 80 * 1024;

/// Which bytes a plain target holds: no fragment, and nothing that a URL has escaped.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = b'!';
    while byte <= b'~' {
        plain[byte as usize] = true;
        byte += 1;
    }
    let mut escaped: &[u8] = br##"#"<>\^`{|}"##;
    while let [byte, rest @ ..] = escaped {
        plain[*byte as usize] = false;
        escaped = rest;
    }
    plain
};

/// One line of a head.
pub(crate) type Line<'a> = httparse::Header<'a>;

/// A plain request, whole.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    /// The path, as it came.
    pub(crate) path: &'a str,
    /// Behind the question mark.
    pub(crate) query: &'a str,
    pub(crate) lines: &'a [Line<'a>],
    pub(crate) body: &'a [u8],
    /// Who has sent it.
    pub(crate) sender: SocketAddr,
}

/// What bytes begin with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read<T> {
    /// A plain request, and how many bytes it is.
    Whole(T, usize),
    /// What may become one.
    Part,
    /// Something else, which is the web server's to read.
    Else,
}

/// Reads a request, hands it to `work` if it is plain and whole, and says how long it was and whether
/// its client wants the connection closed.
pub(super) fn read<T>(
    bytes: &[u8],
    sender: SocketAddr,
    work: impl FnOnce(Request<'_>, bool) -> T,
) -> Read<T> {
    let mut lines = [const { MaybeUninit::uninit() }; LINES];
    let mut head = httparse::Request::new(&mut []);
    let length = match head.parse_with_uninit_headers(bytes, &mut lines) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() < MOST => return Read::Part,
        Ok(httparse::Status::Partial) | Err(_) => return Read::Else,
    };
    let (Some(method), Some(target), Some(1)) = (head.method, head.path, head.version) else {
        return Read::Else;
    };
    let Some(Plain { body, closes }) = Plain::of(method, head.headers) else {
        return Read::Else;
    };
    if !METHODS.contains(&method) {
        return Read::Else;
    }
    // An absolute target or an asterisk is not plain.
    let plain = |&byte: &u8| PLAIN[usize::from(byte)];
    if !target.starts_with('/') || !target.as_bytes().iter().all(plain) || length + body > MOST {
        return Read::Else;
    }
    let Some(body) = bytes.get(length..length + body) else {
        return Read::Part;
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let request = Request {
        method,
        path,
        query,
        lines: head.headers,
        body,
        sender,
    };
    Read::Whole(work(request, closes), length + body.len())
}

/// What the lines of a plain head say about its frame.
struct Plain {
    body: usize,
    closes: bool,
}

impl Plain {
    /// None where there is anything that frames, forwards or negotiates in another way than by one
    /// `Content-Length`: two ways to read it could be two requests.
    fn of(method: &str, lines: &[Line<'_>]) -> Option<Self> {
        let (mut hosts, mut body, mut closes) = (0, None, None);
        for Line { name, value } in lines {
            let is = |other: &str| name.eq_ignore_ascii_case(other);
            match name.len() {
                4 if is("host") => hosts += 1,
                14 if is("content-length") => body = Some(once(body, digits(value)?)?),
                10 if is("connection") => {
                    let close = value.eq_ignore_ascii_case(b"close");
                    if !close && !value.eq_ignore_ascii_case(b"keep-alive") {
                        return None;
                    }
                    closes = Some(once(closes, close)?);
                }
                17 if is("transfer-encoding") => return None,
                16 if is("content-encoding") => return None,
                6 if is("expect") => return None,
                7 if is("upgrade") => return None,
                _ => {}
            }
        }
        let has_body = body.is_some_and(|length| length > 0);
        let plain = hosts == 1 && (method == "POST" || !has_body);
        plain.then_some(Self {
            body: body.unwrap_or(0),
            closes: closes.unwrap_or(false),
        })
    }
}

fn once<T>(before: Option<T>, now: T) -> Option<T> {
    before.is_none().then_some(now)
}

fn digits(value: &[u8]) -> Option<usize> {
    let digits = (1..=6).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok()?;
    if digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Read<String> {
        let sender = "192.0.2.1:9".parse().expect("an address");
        read(text.as_bytes(), sender, |request, closes| {
            let Request {
                method,
                path,
                query,
                body,
                ..
            } = request;
            let body = String::from_utf8_lossy(body);
            format!("{method} {path} {query} {body} {closes}")
        })
    }

    fn whole(text: &str, told: &str, length: usize) {
        assert_eq!(seen(text), Read::Whole(told.to_owned(), length), "{text}");
    }

    #[test]
    fn a_plain_request_is_read_and_what_is_behind_it_is_left() {
        let get = "GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n";
        whole(get, "GET /a b=c  false", get.len());
        whole(&format!("{get}{get}"), "GET /a b=c  false", get.len());
        let post =
            "POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc";
        whole(&format!("{post}def"), "POST /a  abc true", post.len());
        let none = "POST /a HTTP/1.1\r\nhost: x\r\nconnection: Keep-Alive\r\n\r\n";
        whole(none, "POST /a   false", none.len());
        for cut in 0..post.len() {
            assert_eq!(seen(&post[..cut]), Read::Part, "{cut}");
        }
    }

    #[test]
    fn whatever_is_framed_otherwise_is_the_web_server_s() {
        for lines in [
            "Host: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n",
            "Host: x\r\nContent-Length: +1\r\n",
            "Host: x\r\nContent-Length: 1, 1\r\n",
            "Host: x\r\nContent-Length: \r\n",
            "Host: x\r\nContent-Length: 9999999\r\n",
            "Host: x\r\nTransfer-Encoding: chunked\r\n",
            "Host: x\r\ntransfer-encoding: identity\r\nContent-Length: 1\r\n",
            "Host: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n",
            "Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
            "Host: x\r\nConnection: keep-alive, te\r\n",
            "Host: x\r\nConnection: close\r\nConnection: close\r\n",
            "Host: x\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n",
            "Host: x\r\nHost: x\r\n",
            "Accept: */*\r\n",
            "Host: x\r\n folded\r\n",
            "Host: x\r\nContent-Length : 1\r\n",
        ] {
            let text = format!("POST /a HTTP/1.1\r\n{lines}\r\na");
            assert_eq!(seen(&text), Read::Else, "{text}");
        }
        for head in [
            "GET /a HTTP/1.0\r\nHost: x\r\n\r\n",
            "GET http://x/a HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na",
            "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
            "\u{16}\u{3}\u{1}",
        ] {
            assert_eq!(seen(head), Read::Else, "{head}");
        }
    }
}
