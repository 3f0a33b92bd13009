use super::answer::{Head, Malformed, Part, Reader};

/// What an answer says, read in pieces of `size` bytes: status, body, whether it ended; one by one.
fn read(bytes: &[u8], size: usize) -> Vec<(u16, Vec<u8>, bool)> {
    let mut reader = Reader::default();
    let mut answers = Vec::new();
    let mut take = |part: Part<'_>| match part {
        Part::Head(head) => answers.push((head.status, Vec::new(), false)),
        Part::Body(body) => answers
            .last_mut()
            .expect("a head")
            .1
            .extend_from_slice(body),
        Part::End => answers.last_mut().expect("a head").2 = true,
    };
    for piece in bytes.chunks(size) {
        reader.read(piece, &mut take).expect("an answer");
    }
    reader.close(&mut take).expect("an end");
    answers
}

#[test]
fn every_framing_is_read_however_it_is_cut() {
    let bytes = b"HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nhello\
        HTTP/1.1 204 No Content\r\n\r\n\
        HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n\
        HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nx: y\r\n\r\n\
        HTTP/1.1 200 OK\r\n\r\nto the end";
    let expected = vec![
        (202, b"hello".to_vec(), true),
        (204, Vec::new(), true),
        (200, Vec::new(), true),
        (201, b"abc0123456789".to_vec(), true),
        (200, b"to the end".to_vec(), true),
    ];
    for size in 1..=bytes.len() {
        assert_eq!(read(bytes, size), expected, "in pieces of {size}");
    }
}

#[test]
fn a_stream_is_known_by_its_type() {
    for (kind, is_stream) in [
        ("text/event-stream; charset=utf-8", true),
        ("text/plain", false),
    ] {
        let mut heads = Vec::new();
        let bytes = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n\r\n");
        let read = Reader::default().read(bytes.as_bytes(), |part| {
            if let Part::Head(head) = part {
                heads.push(head);
            }
        });
        assert_eq!(read, Ok(()));
        assert_eq!(
            heads,
            [Head {
                status: 200,
                is_stream
            }]
        );
    }
}

#[test]
fn what_is_no_answer_is_refused() {
    for bytes in [
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
    ] {
        let read = Reader::default().read(bytes.as_bytes(), |_| {});
        assert!(read.is_err(), "{bytes}");
    }
}

#[test]
fn an_answer_that_breaks_off_is_one_error() {
    for bytes in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200",
    ] {
        let mut reader = Reader::default();
        assert_eq!(reader.read(bytes.as_bytes(), |_| {}), Ok(()));
        let broken = Malformed("the connection ended in the middle of an answer");
        assert_eq!(reader.close(|_| {}), Err(broken), "{bytes}");
    }
}
