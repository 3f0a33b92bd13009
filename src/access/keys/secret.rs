//! A shared secret (HS256), told from keys in forms that are not taken. A public key that passed for
//! a secret would let everyone who has it make tokens.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// A secret at least, in bytes (RFC 7518, section 3.2).
pub(in crate::access) const LEAST: usize = 32;

/// Why a text is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSecret {
    /// It begins with a byte order mark.
    #[error("a byte order mark, or UTF-16: write it as UTF-8 without one")]
    ByteOrderMark,
    /// An array of keys, or markup.
    #[error("JSON or XML that is no JWK: a set of keys is written {{\"keys\": […]}}")]
    Structured,
    /// As OpenSSH writes public keys.
    #[error("an OpenSSH key: ssh-keygen -e -m PKCS8 -f FILE writes it as PEM")]
    OpenSsh,
    /// A key as DER, bare or in base64.
    #[error(
        "a key or certificate without its PEM lines: openssl pkey -pubin -inform DER -in FILE -pubout writes a public key as PEM"
    )]
    Der,
    /// Bytes of whatever kind, or several words or lines.
    #[error(
        "neither PEM nor JWK nor a secret, which is one line of printable ASCII without white space: make one with openssl rand -base64 48"
    )]
    NotOneLine,
    /// One that could be guessed.
    #[error("a secret shorter than 32 bytes: make one with openssl rand -base64 48")]
    Short,
}

/// The secret that a file holds: one line of printable ASCII without white space.
///
/// # Errors
/// [`NoSecret`], where it looks like anything else.
pub(in crate::access) fn secret(file: &[u8]) -> Result<&[u8], NoSecret> {
    if [&b"\xef\xbb\xbf"[..], b"\xff\xfe", b"\xfe\xff"]
        .iter()
        .any(|mark| file.starts_with(mark))
    {
        return Err(NoSecret::ByteOrderMark);
    }
    let text = file.strip_suffix(b"\n").unwrap_or(file);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let begins = |prefixes: &[&str]| {
        let bare = text.trim_ascii_start();
        prefixes.iter().any(|one| bare.starts_with(one.as_bytes()))
    };
    if begins(&["[", "{", "<", "\""]) {
        return Err(NoSecret::Structured);
    }
    if begins(&["ssh-", "ecdsa-", "sk-"]) {
        return Err(NoSecret::OpenSsh);
    }
    // Lines of base64 are what stands between the lines of a PEM file.
    let packed: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    if is_key(text) || decoded(&packed).is_some_and(|bytes| is_key(&bytes)) {
        return Err(NoSecret::Der);
    }
    if !text.iter().all(u8::is_ascii_graphic) {
        return Err(NoSecret::NotOneLine);
    }
    if text.len() < LEAST {
        return Err(NoSecret::Short);
    }
    Ok(text)
}

/// What a text of base64 or base64url stands for, padded or not.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    [STANDARD, URL_SAFE]
        .iter()
        .find_map(|alphabet| GeneralPurpose::new(alphabet, config).decode(text).ok())
}

/// Whether bytes are one DER SEQUENCE (X.690), as keys and certificates are, or a key as SSH has it
/// (RFC 4253, section 6.6), which begins with the length of its name.
fn is_key(bytes: &[u8]) -> bool {
    let [first, second, rest @ ..] = bytes else {
        return false;
    };
    if let ([0, 0], [0, 1..=64, ..]) = ([*first, *second], rest) {
        return true;
    }
    let length = match usize::from(*second) {
        short @ 0..0x80 => Some((short, rest.len())),
        long => rest
            .split_at_checked(long - 0x80)
            .filter(|(size, _)| (1..=size_of::<usize>()).contains(&size.len()))
            .map(|(size, rest)| {
                let size = size
                    .iter()
                    .fold(0, |all, byte| all << 8 | usize::from(*byte));
                (size, rest.len())
            }),
    };
    *first == 0x30 && length.is_some_and(|(said, there)| said == there)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

    const PEMS: [&str; 4] = [
        include_str!("../tests/ed.pub.pem"),
        include_str!("../tests/p256.pub.pem"),
        include_str!("../tests/rsa.pub.pem"),
        include_str!("../tests/ed.pem"),
    ];

    fn body(pem: &str) -> String {
        pem.lines().filter(|line| !line.contains('-')).collect()
    }

    #[test]
    fn one_line_of_printable_ascii_is_a_secret() {
        for good in [
            "0123456789abcdef0123456789abcdef",
            // As `openssl rand` makes them, in base64 and in hexadecimal.
            "wNtzyqNNj2vDYnPMDhNYCdCMqoJLhvDgMXW4UJLK5MkgAHlq3Jn4YxGXq2KvLXr1",
            "3017cc2e0aa7fdfd1b9b8bdb9d0c4d4fa7d6b4cbbf9f5c8af98b1a33b9b9d8a0",
            "MIIB-this-only-begins-like-a-key-in-base64",
            "~!@#$%^&*()_+|}{:?><,./;'=-`0123456789",
        ] {
            for end in ["", "\n", "\r\n"] {
                let file = format!("{good}{end}");
                assert_eq!(secret(file.as_bytes()), Ok(good.as_bytes()));
            }
        }
    }

    #[test]
    fn a_key_without_its_pem_lines_is_no_secret() {
        for pem in PEMS {
            let der = STANDARD.decode(body(pem)).expect("base64");
            let inner: Vec<&str> = pem.lines().filter(|line| !line.contains('-')).collect();
            for form in [
                der.clone(),
                STANDARD.encode(&der).into_bytes(),
                STANDARD_NO_PAD.encode(&der).into_bytes(),
                URL_SAFE.encode(&der).into_bytes(),
                URL_SAFE_NO_PAD.encode(&der).into_bytes(),
                inner.join("\n").into_bytes(),
                inner.join("\r\n").into_bytes(),
            ] {
                assert_eq!(secret(&form), Err(NoSecret::Der), "{pem}");
                let line = [&form[..], b"\n"].concat();
                assert!(secret(&line).is_err(), "{pem}");
            }
        }
    }

    #[test]
    fn keys_of_openssh_json_utf_16_and_the_like_are_no_secrets() {
        let ed = "AAAAC3NzaC1lZDI1NTE5AAAAIIrsDIKGkHqQvJ2Fk0gzCMqmT1Kz1dYkCwSP7CLQhYSg";
        for name in [
            "ssh-ed25519",
            "ssh-rsa",
            "ecdsa-sha2-nistp256",
            "sk-ssh-ed25519@openssh.com",
        ] {
            let line = format!("{name} {ed} kim@school\n");
            assert_eq!(secret(line.as_bytes()), Err(NoSecret::OpenSsh), "{name}");
        }
        assert_eq!(secret(ed.as_bytes()), Err(NoSecret::Der));
        let jwk =
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        for structured in [
            format!("[{jwk}]"),
            format!(" [{jwk}]\n"),
            "<RSAKeyValue><Modulus>AAAA</Modulus></RSAKeyValue>".into(),
            format!("{:?}", body(PEMS[0])),
        ] {
            let refused = secret(structured.as_bytes());
            assert_eq!(refused, Err(NoSecret::Structured), "{structured}");
        }
        for text in [jwk, PEMS[0], PEMS[2]] {
            let marked = format!("\u{feff}{text}");
            assert_eq!(secret(marked.as_bytes()), Err(NoSecret::ByteOrderMark));
            let wide = |mark: &str, bytes: fn(u16) -> [u8; 2]| {
                let units = format!("{mark}{text}");
                units.encode_utf16().flat_map(bytes).collect::<Vec<_>>()
            };
            for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
                let marked = secret(&wide("\u{feff}", bytes)).err();
                assert_eq!(marked, Some(NoSecret::ByteOrderMark));
                let unmarked = secret(&wide("", bytes)).err();
                assert!(unmarked.is_some(), "{text}");
            }
        }
        for odd in [
            "two words that are long enough together",
            "one line that is long\nand another\n",
            " 0123456789abcdef0123456789abcdef",
            "0123456789abcdef0123456789abcdef\n\n",
            "0123456789abcdef\u{0}0123456789abcdef",
            "0123456789abcdef0123456789abcdeü",
        ] {
            let refused = secret(odd.as_bytes());
            assert_eq!(refused, Err(NoSecret::NotOneLine), "{odd:?}");
        }
        assert_eq!(secret(b"hunter2\n"), Err(NoSecret::Short));
        assert_eq!(secret(b""), Err(NoSecret::Short));
    }
}
