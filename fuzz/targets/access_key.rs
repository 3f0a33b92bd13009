//! Key files: secrets, PEM, JWK and JWK sets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard::access::Options;
use switchboard::access::fuzz::{access, signed};

fuzz_target!(|file: &[u8]| {
    let Ok(access) = access(file, Options::default()) else {
        return;
    };
    // What is public is no secret to sign with, in whatever form somebody takes it.
    let claims = br#"{"room":"*","rights":["join"],"exp":9999999999}"#;
    let text = file.trim_ascii();
    let public: [&[u8]; 4] = [b"{", b"[", b"ssh-", b"ecdsa-"];
    let named = public.iter().any(|public| text.starts_with(public));
    let lined = text.iter().all(u8::is_ascii_graphic);
    if named || !lined || text.windows(10).any(|part| part == b"-----BEGIN") {
        for secret in [file, text] {
            let token = signed(br#"{"alg":"HS256"}"#, claims, secret);
            assert!(token.is_none_or(|token| access.verify(&token).is_err()));
        }
    }
    assert!(
        access
            .verify("eyJhbGciOiJub25lIn0.eyJyb29tIjoiKiJ9.")
            .is_err()
    );
});
