//! What is a key file, and what only looks like one.

use super::*;

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
    assert!(refused("private", include_bytes!("ed.pem")).contains("private key"));
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": "AA", "d": "AA"}).to_string();
    assert!(refused("jwk", jwk.as_bytes()).contains("private key"));
    assert!(refused("short", b"hunter2\n").contains("shorter than 32 bytes"));
    let short = json!({"kty": "oct", "k": "aHVudGVyMg"}).to_string();
    assert!(refused("short.json", short.as_bytes()).contains("shorter than 32 bytes"));
    assert!(refused("broken", b"{\"keys\": [").contains("neither a JWK"));
    assert!(refused("other", b"{\"keys\": []}").contains("holds no key"));
    assert!(
        refused(
            "certificate",
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
        )
        .contains("openssl x509 -pubkey")
    );
    for (name, pem) in [
        ("p384", include_str!("p384.pub.pem")),
        ("rsa1024", include_str!("rsa1024.pub.pem")),
    ] {
        assert!(
            refused(name, pem.as_bytes()).contains("not of public keys"),
            "{name}"
        );
        // Nor beside one that is taken.
        let both = [pem, include_str!("ed.pub.pem")].concat();
        assert!(
            refused(name, both.as_bytes()).contains("not of public keys"),
            "{name}"
        );
    }
    assert!(
        access(&[Path::new("/nonexistent/key")])
            .err()
            .is_some_and(|error| error.to_string().contains("cannot be read"))
    );
}

#[test]
fn what_is_public_is_never_taken_for_a_secret() {
    let files = Files::new();
    let pem = include_str!("rsa.pub.pem");
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    let lines: Vec<&str> = lines.collect();
    let body = lines.concat();
    let der = base64::engine::general_purpose::STANDARD
        .decode(&body)
        .expect("base64");
    let ed = include_str!("ed.pub.pem").lines().nth(1).expect("a line");
    let jwk = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let utf16 = |text: &str| -> Vec<u8> {
        let bom = std::iter::once(0xfeff);
        bom.chain(text.encode_utf16())
            .flat_map(u16::to_le_bytes)
            .collect()
    };
    let forms: [(&str, Vec<u8>); 11] = [
        ("der", der.clone()),
        ("body", body.clone().into()),
        ("body-of-ed", ed.into()),
        ("body-url", URL_SAFE_NO_PAD.encode(&der).into()),
        ("body-lines", lines.join("\n").into()),
        ("ssh", format!("ssh-ed25519 {body} me@here").into()),
        ("ssh-word", format!("ssh-rsa{body}").into()),
        ("list", format!("[{jwk}]").into()),
        ("bom", format!("\u{feff}{jwk}").into()),
        ("pem16", utf16(pem)),
        ("jwk16", utf16(jwk)),
    ];
    for (name, content) in forms {
        let path = files.write(name, content);
        let refused = access(&[&path]).err();
        assert!(
            matches!(refused, Some(BadKey::Neither(_))),
            "{name}: {refused:?}"
        );
    }
    // What openssl rand makes is taken, in base64 and in hexadecimal.
    for secret in [
        "MBzjv0yFz0cOM3f0eCwl3xYzZLqkZCEZm0l4qkV1Wc3r5nJ6tDgYwq8n4vYk2f7x",
        &"30".repeat(32),
    ] {
        let path = files.write("secret", format!("{secret}\n"));
        assert!(access(&[&path]).is_ok(), "{secret}");
    }
}

#[test]
fn several_keys_of_one_file_are_all_taken() {
    let files = Files::new();
    let both = [include_str!("ed.pub.pem"), include_str!("p256.pub.pem")];
    let path = files.write("both", both.concat());
    let access = access(&[&path]).expect("keys");
    let ed = EncodingKey::from_ed_pem(include_bytes!("ed.pem")).expect("a key");
    let p256 = EncodingKey::from_ec_pem(include_bytes!("p256.pem")).expect("a key");
    for (algorithm, key) in [(Algorithm::EdDSA, ed), (Algorithm::ES256, p256)] {
        let token = encode(&Header::new(algorithm), &claims(), &key).expect("a token");
        assert!(access.verify(&token).is_ok());
    }
}
