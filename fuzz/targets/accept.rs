//! `Accept`, one value a line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard::http::fuzz::accepts;

fuzz_target!(|input: &[u8]| {
    let values: Vec<&[u8]> = input.split(|byte| *byte == b'\n').take(16).collect();
    let named = accepts(&values, "text/html");
    let lower = input.to_ascii_lowercase();
    assert!(!named || lower.windows(9).any(|part| part == b"text/html"));
});
