//! Addresses of STUN and TURN servers: those that peers are told of, and those of the check.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard::check::fuzz::is_ice_url;
use switchboard::ice::{IceServer, to_json};

fuzz_target!(|text: &str| {
    let _ = is_ice_url(text);
    if let Ok(server) = IceServer::parse(text) {
        let told: serde_json::Value = serde_json::from_str(&to_json(&[server])).expect("JSON");
        assert_eq!(told[0]["urls"][0], text);
    }
});
