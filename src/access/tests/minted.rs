//! What `switchboard token` mints.

use std::time::UNIX_EPOCH;

use clap::Parser as _;

use super::*;

#[derive(clap::Parser)]
struct Mint {
    #[command(flatten)]
    options: mint::Options,
}

fn minted(key: &Path, more: &[&str]) -> Result<String, mint::MintError> {
    let key = key.to_str().expect("text");
    let args = [&["token", "--key", key, "--room", "demo"], more].concat();
    mint::run(&Mint::parse_from(args).options)
}

fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("after 1970").as_secs()
}

#[test]
fn what_is_minted_is_taken() {
    let files = Files::new();
    let (private, public) = (
        files.write("private", include_bytes!("ed.pem")),
        files.write("public", include_bytes!("ed.pub.pem")),
    );
    let token = minted(&private, &["--peer", "kim", "--ttl", "5m"]).expect("a token");
    let grant = access(&[&public])
        .expect("a key")
        .verify(&token)
        .expect("good");
    assert!(grant.allows(Right::Join, &room("demo")) && grant.allows(Right::List, &room("demo")));
    assert!(!grant.has(Right::Operate));
    assert!(grant.allows_peer(&peer("kim")) && !grant.allows_peer(&peer("lee")));
    let left = grant.until_ms() / 1000 - now();
    assert!((290..=311).contains(&left), "{left}");
}

#[test]
fn a_token_for_later_is_not_good_yet_and_lasts_from_then() {
    let files = Files::new();
    let secret = files.write("secret", SECRET);
    let access = access(&[&secret]).expect("a key");
    let at = |in_how_long: &str| {
        let token = minted(&secret, &["--not-before", in_how_long, "--ttl", "5m"]);
        access.verify(&token.expect("a token"))
    };
    assert_eq!(at("1h").err(), Some(BadAccess::NotYet));
    // Within the ten seconds that clocks may differ by, it is good.
    let left = at("5s").expect("good").until_ms() / 1000 - now();
    assert!((290..=316).contains(&left), "{left}");
    assert!(
        minted(
            &secret,
            &["--not-before", "1000000000y", "--ttl", "1000000000y"]
        )
        .is_ok()
    );
}

#[test]
fn the_secret_of_a_jwk_signs_for_the_server_that_has_it() {
    let files = Files::new();
    let jwk = json!({"kty": "oct", "kid": "k1", "k": URL_SAFE_NO_PAD.encode(SECRET)});
    let jwk = files.write("secret.json", jwk.to_string());
    let token = minted(&jwk, &["--key-id", "k1"]).expect("a token");
    assert!(access(&[&jwk]).expect("a key").verify(&token).is_ok());
    let short = json!({"kty": "oct", "k": "aHVudGVyMg"}).to_string();
    let private = json!({"kty": "OKP", "crv": "Ed25519", "x": "AA", "d": "AA"}).to_string();
    for other in [short.as_str(), &private, "{", "{\"keys\": []}"] {
        let refused = minted(&files.write("other.json", other), &[]);
        assert!(
            matches!(refused, Err(mint::MintError::NoSecretJwk(_))),
            "{other}"
        );
    }
}

#[test]
fn what_cannot_sign_is_refused() {
    let files = Files::new();
    let public = files.write("public", include_bytes!("ed.pub.pem"));
    assert!(matches!(
        minted(&public, &[]),
        Err(mint::MintError::NoKey(_))
    ));
    for other in ["hunter2", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIrs"] {
        let refused = minted(&files.write("other", other), &[]);
        assert!(
            matches!(refused, Err(mint::MintError::NoSecret(..))),
            "{other}"
        );
    }
}
