//! Addresses of STUN and TURN servers: those that peers are told of, and those of the check.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use switchboard::check::fuzz::is_ice_url;
use switchboard::ice::credentials::{Secrets, expiry};
use switchboard::ice::{IceServers, IceUrl};

fuzz_target!(|text: &str| {
    let _ = (is_ice_url(text), expiry(text, 1));
    if let Ok(url) = IceUrl::parse(text) {
        assert_eq!(IceUrl::parse(&url.to_string()), Ok(url.clone()));
        let secrets = Secrets::new([&b"secret"[..]]);
        let servers = IceServers::new([url.clone()], secrets, Duration::from_secs(60), Vec::new());
        let told = format!("{{{}}}", servers.members(None, "id", 0));
        let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
        assert_eq!(told["iceServers"][0]["urls"][0], url.to_string());
    }
});
