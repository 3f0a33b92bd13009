//! Heads of plain requests: whatever is answered where it is read, the web server reads as the same
//! request, of the same length.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard::wire::fuzz::plain;
use switchboard_fuzz::head::by_the_web_server;

fuzz_target!(|bytes: &[u8]| {
    if let Some(told) = plain(bytes) {
        assert_eq!(Some(told), by_the_web_server(bytes));
    }
});
