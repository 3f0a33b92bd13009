//! Who gets in by which token, and who does not.

mod minted;

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;
use crate::proto::{PeerId, RoomId};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const FOREVER: u64 = 4_000_000_000;

/// A directory of its own, gone at the end.
struct Files(PathBuf);

impl Files {
    fn new() -> Self {
        let name = format!("switchboard-access-{}", uuid::Uuid::new_v4());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a directory");
        Self(path)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("written");
        path
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn access(files: &[&Path]) -> Result<Access, BadKey> {
    Access::new(Options {
        files: files.iter().map(|path| path.to_path_buf()).collect(),
        ..Options::default()
    })
}

fn claims() -> Value {
    json!({"room": "demo", "rights": ["join", "list"], "exp": FOREVER})
}

fn hs256(claims: &Value) -> String {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    encode(&Header::default(), claims, &key).expect("a token")
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

fn room(name: &str) -> RoomId {
    RoomId::parse(name).expect("an id")
}

fn peer(name: &str) -> PeerId {
    PeerId::parse(name).expect("an id")
}

/// A token made by hand: whatever header, whatever signature.
fn by_hand(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!(
        "{}.{}.{}",
        part(header),
        part(claims),
        URL_SAFE_NO_PAD.encode(signature)
    )
}

#[test]
fn each_kind_of_key_takes_what_its_other_half_has_signed() {
    let files = Files::new();
    let ed = EncodingKey::from_ed_pem(include_bytes!("tests/ed.pem")).expect("a key");
    let p256 = EncodingKey::from_ec_pem(include_bytes!("tests/p256.pem")).expect("a key");
    let rsa = EncodingKey::from_rsa_pem(include_bytes!("tests/rsa.pem")).expect("a key");
    let all = [
        files.write("ed", include_bytes!("tests/ed.pub.pem")),
        files.write("p256", include_bytes!("tests/p256.pub.pem")),
        files.write("rsa", include_bytes!("tests/rsa.pub.pem")),
        files.write("secret", format!("{SECRET}\n")),
    ];
    let secret = EncodingKey::from_secret(SECRET.as_bytes());
    let signed = [
        (Algorithm::EdDSA, ed),
        (Algorithm::ES256, p256),
        (Algorithm::RS256, rsa),
        (Algorithm::HS256, secret),
    ];
    let paths: Vec<&Path> = all.iter().map(PathBuf::as_path).collect();
    let together = access(&paths).expect("keys");
    for (n, (algorithm, key)) in signed.iter().enumerate() {
        let token = encode(&Header::new(*algorithm), &claims(), key).expect("a token");
        let grant = together.verify(&token).expect("good");
        assert!(grant.allows(Right::Join, &room("demo")));
        for (other, path) in paths.iter().enumerate() {
            let alone = access(&[path]).expect("a key").verify(&token);
            let expected = if n == other {
                None
            } else {
                Some(BadAccess::UnknownKey)
            };
            assert_eq!(alone.err(), expected, "{algorithm:?} by {path:?}");
        }
    }
}

#[test]
fn a_set_of_keys_is_chosen_from_by_name_and_others_in_it_do_no_harm() {
    let files = Files::new();
    let oct = |id: &str, secret: &str| json!({"kty": "oct", "kid": id, "alg": "HS256", "k": URL_SAFE_NO_PAD.encode(secret)});
    let old = "old old old old old old old old old";
    let set = json!({"keys": [
        oct("new", SECRET),
        oct("old", old),
        {"kty": "EC", "crv": "P-521", "kid": "large", "x": "AA", "y": "AA"},
        {"kty": "oct", "use": "enc", "kid": "other-use", "k": URL_SAFE_NO_PAD.encode(SECRET)},
        {"kty": "martian"},
    ]});
    let path = files.write("set.json", set.to_string());
    let access = access(&[&path]).expect("keys");
    let signed = |id: Option<&str>, secret: &str| {
        let header = Header {
            kid: id.map(str::to_owned),
            ..Header::default()
        };
        encode(
            &header,
            &claims(),
            &EncodingKey::from_secret(secret.as_bytes()),
        )
        .expect("a token")
    };
    assert!(access.verify(&signed(Some("old"), old)).is_ok());
    assert!(access.verify(&signed(None, old)).is_ok());
    let crossed = access.verify(&signed(Some("new"), old));
    assert_eq!(crossed.err(), Some(BadAccess::Signature));
    let unnamed = access.verify(&signed(Some("other-use"), SECRET));
    assert_eq!(unnamed.err(), Some(BadAccess::UnknownKey));
    // Rotation: the old key goes. A file that is broken changes nothing.
    files.write(
        "set.json",
        json!({"keys": [oct("new", SECRET)]}).to_string(),
    );
    assert_eq!(access.reload().expect("read"), 1);
    assert_eq!(
        access.verify(&signed(None, old)).err(),
        Some(BadAccess::Signature)
    );
    files.write("set.json", "{");
    assert!(matches!(access.reload(), Err(BadKey::Json(..))));
    assert!(access.verify(&signed(Some("new"), SECRET)).is_ok());
}

#[test]
fn what_is_no_public_key_or_a_weak_secret_is_refused_at_the_start() {
    let files = Files::new();
    let refused = |name: &str, text: &[u8]| {
        let path = files.write(name, text);
        access(&[&path])
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    assert!(refused("private", include_bytes!("tests/ed.pem")).contains("private key"));
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": "AA", "d": "AA"}).to_string();
    assert!(refused("jwk", jwk.as_bytes()).contains("private key"));
    assert!(refused("short", b"hunter2\n").contains("shorter than 32 bytes"));
    let short = json!({"kty": "oct", "k": "aHVudGVyMg"}).to_string();
    assert!(refused("short.json", short.as_bytes()).contains("shorter than 32 bytes"));
    assert!(refused("broken", b"{\"keys\": [").contains("neither a JWK"));
    assert!(refused("other", b"{\"keys\": []}").contains("holds no key"));
    let set = json!([{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]).to_string();
    assert!(refused("array", set.as_bytes()).contains("keys"));
    assert!(refused("ssh", b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIrs kim").contains("ssh-keygen"));
    assert!(
        refused(
            "certificate",
            b"-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----"
        )
        .contains("a certificate")
    );
    assert!(
        access(&[Path::new("/nonexistent/key")])
            .err()
            .is_some_and(|error| error.to_string().contains("cannot be read"))
    );
}

#[test]
fn nobody_gets_in_without_a_signature_or_with_one_made_of_a_public_key() {
    let files = Files::new();
    let public = include_bytes!("tests/rsa.pub.pem");
    let rsa = files.write("rsa", public);
    let secret = files.write("secret", SECRET);
    let access = access(&[&rsa, &secret]).expect("keys");
    for name in ["none", "None", "NONE", ""] {
        for signature in [&b""[..], b"x"] {
            let token = by_hand(&json!({"alg": name, "typ": "JWT"}), &claims(), signature);
            assert_eq!(
                access.verify(&token).err(),
                Some(BadAccess::Unreadable),
                "{name}"
            );
        }
    }
    // The public key, which anyone may have, as a secret.
    let confused = EncodingKey::from_secret(public);
    let token = encode(&Header::default(), &claims(), &confused).expect("a token");
    assert_eq!(access.verify(&token).err(), Some(BadAccess::Signature));
    // The header is swapped below a signature of the secret's.
    let good = hs256(&claims());
    let (signed, signature) = good.rsplit_once('.').expect("two parts");
    let (_, body) = signed.split_once('.').expect("two parts");
    let header = URL_SAFE_NO_PAD.encode(json!({"alg": "RS256", "typ": "JWT"}).to_string());
    let swapped = access.verify(&format!("{header}.{body}.{signature}"));
    assert_eq!(swapped.err(), Some(BadAccess::Signature));
    // A body is swapped, or the signature dropped.
    let more = URL_SAFE_NO_PAD.encode(with(claims(), "room", json!("*")).to_string());
    let (header, _) = signed.split_once('.').expect("two parts");
    let swapped = access.verify(&format!("{header}.{more}.{signature}"));
    assert_eq!(swapped.err(), Some(BadAccess::Signature));
    assert_eq!(
        access.verify(&format!("{signed}.")).err(),
        Some(BadAccess::Signature)
    );
    for odd in [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "e30.e30.",
        "e30.e30.e30.e30",
        &"a".repeat(100_000),
    ] {
        assert!(access.verify(odd).is_err(), "{odd}");
    }
}

#[test]
fn tokens_for_other_purposes_times_and_places_are_told_apart() {
    let files = Files::new();
    let secret = files.write("secret", SECRET);
    let plain = access(&[&secret]).expect("a key");
    let refused = |claims: Value| plain.verify(&hs256(&claims)).err();
    assert_eq!(refused(claims()), None);
    assert_eq!(
        refused(with(claims(), "exp", json!(1_000_000_000))),
        Some(BadAccess::Expired)
    );
    assert_eq!(
        refused(with(claims(), "nbf", json!(FOREVER))),
        Some(BadAccess::NotYet)
    );
    assert_eq!(
        refused(with(claims(), "aud", json!("other"))),
        Some(BadAccess::Audience)
    );
    for lacking in ["room", "rights", "exp"] {
        let mut claims = claims();
        claims.as_object_mut().expect("an object").remove(lacking);
        assert_eq!(refused(claims), Some(BadAccess::Claims), "{lacking}");
    }
    for (name, value) in [
        ("room", json!(7)),
        ("rights", json!("join")),
        ("exp", json!("soon")),
        ("exp", json!(-1)),
        ("peer", json!({})),
        ("peer", json!([])),
    ] {
        assert_eq!(
            refused(with(claims(), name, value)),
            Some(BadAccess::Claims),
            "{name}"
        );
    }
    let strict = Access::new(Options {
        files: vec![secret.clone()],
        audiences: vec!["switchboard".into()],
        issuers: vec!["school".into()],
    });
    let strict = strict.expect("a key");
    let refused = |claims: Value| strict.verify(&hs256(&claims)).err();
    assert_eq!(
        refused(with(claims(), "iss", json!("school"))),
        Some(BadAccess::Audience)
    );
    assert_eq!(
        refused(with(claims(), "aud", json!("switchboard"))),
        Some(BadAccess::Issuer)
    );
    let both = with(claims(), "aud", json!(["x", "switchboard"]));
    assert_eq!(refused(with(both.clone(), "iss", json!("school"))), None);
    assert_eq!(
        refused(with(both, "iss", json!("other"))),
        Some(BadAccess::Issuer)
    );
    // Types and demands that are not known.
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let typed = |typ: Option<&str>, crit: Option<Vec<String>>| {
        let header = Header {
            typ: typ.map(str::to_owned),
            crit,
            ..Header::default()
        };
        plain
            .verify(&encode(&header, &claims(), &key).expect("a token"))
            .err()
    };
    assert_eq!(typed(None, None), None);
    assert_eq!(typed(Some("at+JWT"), None), None);
    assert_eq!(typed(Some("dpop+jwt"), None), Some(BadAccess::Unreadable));
    assert_eq!(
        typed(None, Some(vec!["b64".into()])),
        Some(BadAccess::Unreadable)
    );
}

#[test]
fn a_time_beyond_all_calendars_is_for_ever_and_not_1970() {
    let files = Files::new();
    let secret = files.write("secret", SECRET);
    let access = access(&[&secret]).expect("a key");
    let until = |exp: Value| {
        let grant = access.verify(&hs256(&with(claims(), "exp", exp)));
        grant.map(|grant| grant.until_ms())
    };
    assert_eq!(until(json!(FOREVER)), Ok((FOREVER + LEEWAY) * 1000));
    for exp in [u64::MAX, 1 << 63, u64::MAX / 1000] {
        assert_eq!(until(json!(exp)), Ok(u64::MAX), "{exp}");
    }
    assert_eq!(
        until(json!(1_900_000_000.75)),
        Ok((1_900_000_000 + LEEWAY) * 1000)
    );
    // No whole number of seconds, and beyond all that is read as one.
    assert_eq!(until(json!(1e300)), Err(BadAccess::Claims));
}

#[test]
fn a_grant_is_for_its_rooms_peers_and_rights_alone() {
    let files = Files::new();
    let secret = files.write("secret", SECRET);
    let access = access(&[&secret]).expect("a key");
    let grant = |claims: Value| access.verify(&hs256(&claims)).expect("good");
    let teacher = grant(
        json!({"room": ["class-*", "staff"], "peer": "teacher-*", "rights": ["join", "operate", "fly"], "exp": FOREVER}),
    );
    assert!(teacher.allows(Right::Join, &room("class-7a")));
    assert!(teacher.allows(Right::Operate, &room("staff")));
    assert!(!teacher.allows(Right::List, &room("staff")));
    assert!(!teacher.allows(Right::Join, &room("staff-2")));
    assert!(teacher.allows_peer(&peer("teacher-kim")));
    assert!(!teacher.allows_peer(&peer("pupil")));
    assert_eq!(teacher.peer(), Err(SeveralPeers));
    assert_eq!(grant(claims()).peer(), Ok(None));
    assert_eq!(grant(with(claims(), "peer", json!("*"))).peer(), Ok(None));
    assert_eq!(
        grant(with(claims(), "peer", json!("kim"))).peer(),
        Ok(Some("kim"))
    );
    assert_eq!(
        grant(with(claims(), "peer", json!(["kim", "alex"]))).peer(),
        Err(SeveralPeers)
    );
}
