//! Whose a request is: `Forwarded` and `X-Forwarded-For`, one value a line, behind a proxy and not.
#![no_main]

use std::net::{IpAddr, SocketAddr};

use libfuzzer_sys::fuzz_target;
use switchboard::config::ForwardedBy;
use switchboard::http::fuzz::client;

fuzz_target!(|input: &[u8]| {
    let proxies = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().expect("a net"));
    let values: Vec<&[u8]> = input.split(|byte| *byte == b'\n').take(16).collect();
    for header in [ForwardedBy::XForwardedFor, ForwardedBy::Forwarded] {
        let stranger: SocketAddr = "192.0.2.1:1".parse().expect("an address");
        assert_eq!(client(header, &proxies, stranger, &values), stranger.ip());
        let proxy: SocketAddr = "10.1.2.3:1".parse().expect("an address");
        let seen = client(header, &proxies, proxy, &values);
        if let IpAddr::V6(seen) = seen {
            assert_eq!(seen.segments()[4..], [0; 4], "a /64");
        }
    }
});
