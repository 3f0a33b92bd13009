//! What `switchboard token` mints.

use super::*;

#[test]
fn what_is_minted_is_taken() {
    use clap::Parser as _;
    #[derive(clap::Parser)]
    struct Mint {
        #[command(flatten)]
        options: mint::Options,
    }
    let files = Files::new();
    let (private, public) = (
        files.write("private", include_bytes!("ed.pem")),
        files.write("public", include_bytes!("ed.pub.pem")),
    );
    let key = private.to_str().expect("text");
    let args = [
        "token", "--key", key, "--room", "demo", "--peer", "kim", "--ttl", "5m",
    ];
    let token = mint::run(&Mint::parse_from(args).options).expect("a token");
    let grant = access(&[&public])
        .expect("a key")
        .verify(&token)
        .expect("good");
    assert!(grant.allows(Right::Join, &room("demo")) && grant.allows(Right::List, &room("demo")));
    assert!(!grant.has(Right::Operate));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let left = grant.until_ms() / 1000 - now.expect("after 1970").as_secs();
    assert!((290..=311).contains(&left), "{left}");
    let args = [
        "token",
        "--key",
        public.to_str().expect("text"),
        "--room",
        "demo",
    ];
    assert!(matches!(
        mint::run(&Mint::parse_from(args).options),
        Err(mint::MintError::NoKey(_))
    ));
}
