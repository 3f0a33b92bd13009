use super::events::Parser;

/// The events in `text`, read in pieces of `size` bytes: name, id, data.
fn read(text: &str, size: usize) -> Vec<[String; 3]> {
    let mut parser = Parser::default();
    let mut events = Vec::new();
    for piece in text.as_bytes().chunks(size) {
        parser.read(piece, |event| {
            let parts = [event.name, event.id, event.data];
            events.push(parts.map(|part| String::from_utf8(part.to_vec()).expect("text")));
        });
    }
    events
}

#[test]
fn events_are_read_however_they_are_cut() {
    let text = ": hello\nretry: 1000\n\nid: e1-1\nevent: ready\ndata: {\"a\":1}\n\n\
        data:one\r\ndata: two\r\ndata:\r\n\r\nevent: nothing\n\ndata\nid: e1-2\n\nid\ndata: x:y\n\ndata: not over";
    let expected = [
        ["ready", "e1-1", "{\"a\":1}"],
        ["", "e1-1", "one\ntwo\n"],
        ["", "e1-2", ""],
        ["", "", "x:y"],
    ];
    for size in 1..=text.len() {
        assert_eq!(read(text, size), expected, "in pieces of {size}");
    }
}
