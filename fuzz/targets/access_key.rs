//! Key files: secrets, PEM, JWK and JWK sets, and public keys in forms that are none of these.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard::access::Options;
use switchboard::access::fuzz::{access, disguises, signed};

const CLAIMS: &[u8] = br#"{"room":"*","rights":["join"],"exp":9999999999}"#;

/// Whether who has the bytes of a key file can make tokens that are taken by it.
fn opens(file: &[u8], secret: &[u8]) -> bool {
    let token = signed(br#"{"alg":"HS256"}"#, CLAIMS, secret);
    let access = access(file, Options::default()).ok();
    access
        .zip(token)
        .is_some_and(|(access, token)| access.verify(&token).is_ok())
}

fuzz_target!(|file: &[u8]| {
    for form in disguises(file) {
        assert!(!opens(&form, &form) && !opens(&form, form.trim_ascii()));
    }
    let Ok(access) = access(file, Options::default()) else {
        return;
    };
    // What is no line of printable ASCII is public, and no secret to sign with, in whatever form
    // somebody takes it.
    let text = file.trim_ascii();
    let is_pem = text.windows(10).any(|part| part == b"-----BEGIN");
    if is_pem || text.starts_with(b"{") || !text.iter().all(u8::is_ascii_graphic) {
        assert!(!opens(file, file) && !opens(file, text));
    }
    assert!(
        access
            .verify("eyJhbGciOiJub25lIn0.eyJyb29tIjoiKiJ9.")
            .is_err()
    );
});
