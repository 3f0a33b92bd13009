//! Peer tokens and tickets: any text as one, and any text behind a signature that is right.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard::http::fuzz::Credentials;

fuzz_target!(|text: &str| {
    let keys = Credentials::new(b"secret");
    // Nobody guesses a signature.
    assert!(keys.token(text).is_none() && keys.ticket(text).is_none());
    let signed = keys.signed_token(text);
    assert!(keys.ticket(&signed).is_none());
    if let Some((caller, until)) = keys.token(&signed) {
        let anew = keys.token_of(caller.clone(), until);
        assert_eq!(keys.token(&anew), Some((caller, until)));
    }
    let signed = keys.signed_ticket(text);
    assert!(keys.token(&signed).is_none());
    if let Some((caller, ..)) = keys.ticket(&signed) {
        assert!(!caller.room.as_str().is_empty() && !caller.peer.as_str().is_empty());
    }
});
