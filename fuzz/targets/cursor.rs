//! Cursors, as `Last-Event-ID`, queries and bodies bring them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard::proto::Cursor;

fuzz_target!(|text: &str| {
    if let Ok(cursor) = Cursor::parse(text) {
        assert_eq!(cursor.to_string(), text);
    }
});
