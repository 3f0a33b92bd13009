//! Bodies of signals, one or an array; the first line may be an Idempotency-Key.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard::http::fuzz::signals;
use switchboard_fuzz::{is_json, line};

fuzz_target!(|input: &[u8]| {
    let (key, body) = match input {
        [b'=', rest @ ..] => {
            let (key, body) = line(rest);
            (Some(key), body)
        }
        body => (None, body),
    };
    let Ok(body) = std::str::from_utf8(body) else {
        return;
    };
    let Some((signals, bad)) = signals(body, key) else {
        return;
    };
    assert!(signals.len() <= 100 && is_json(body.as_bytes()));
    assert!(bad.is_none_or(|index| index == signals.len()));
    for signal in &signals {
        if let Some(data) = &signal.data {
            let data = data.as_str();
            assert!(data.len() <= 64 * 1024 && is_json(data.as_bytes()));
            assert!(!data.contains(['\n', '\r', '\0']));
            let compact = switchboard::proto::Json::compact(data);
            assert_eq!(compact.as_str(), data);
        }
    }
});
