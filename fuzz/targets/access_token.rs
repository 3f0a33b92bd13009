//! Access tokens: any text as one; and any header (the first line) and claims behind a right
//! signature.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use switchboard::access::fuzz::{access, signed};
use switchboard::access::{Access, Options, Right};
use switchboard::proto::{PeerId, RoomId};
use switchboard_fuzz::line;

const SECRET: &[u8] = b"a-secret-of-thirty-two-bytes-or-more";

fuzz_target!(|input: &[u8]| {
    static ACCESS: OnceLock<Access> = OnceLock::new();
    let access = ACCESS.get_or_init(|| {
        let options = Options {
            audiences: vec!["here".into()],
            issuers: vec!["there".into()],
            ..Options::default()
        };
        access(SECRET, options).expect("a secret")
    });
    if let Ok(text) = std::str::from_utf8(input) {
        assert!(access.verify(text).is_err(), "nobody guesses a signature");
    }
    let (header, claims) = line(input);
    let Some(token) = signed(header, claims, SECRET) else {
        return;
    };
    let Ok(grant) = access.verify(&token) else {
        return;
    };
    // What it reads of a text may be JSON where other parts of it are not.
    let parts = (
        serde_json::from_slice(header),
        serde_json::from_slice(claims),
    );
    let (Ok::<Value, _>(header), Ok::<Value, _>(claims)) = parts else {
        return;
    };
    assert_eq!(header["alg"], "HS256");
    assert!(header.get("crit").is_none_or(Value::is_null));
    assert!(claims["exp"].as_u64().expect("a time") > 1_700_000_000);
    let has = |claim: &str, wanted: &str| match &claims[claim] {
        Value::Array(all) => all.iter().any(|one| one == wanted),
        one => one == wanted,
    };
    assert!(has("aud", "here") && has("iss", "there"));
    let (room, peer) = (
        RoomId::parse("demo").expect("an id"),
        PeerId::parse("kim").expect("an id"),
    );
    for right in [Right::Join, Right::List, Right::Operate] {
        assert!(!grant.allows(right, &room) || grant.has(right));
    }
    let _ = (grant.allows_peer(&peer), grant.peer().is_ok());
    assert!(grant.until_ms() > 0);
});
