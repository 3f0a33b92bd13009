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
        "a key or certificate without its PEM lines, or wrapped up once more: openssl pkey -pubin -inform DER -in FILE -pubout writes a public key as PEM"
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
    if holds_key(text, LAYERS) {
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

/// In how many wrappings a key is looked for, such as base64 of a whole PEM file.
const LAYERS: u32 = 4;

/// Whether this is a key in some form, or is so once it is unwrapped.
fn holds_key(bytes: &[u8], layers: u32) -> bool {
    let text = bytes.trim_ascii();
    let begins = |prefix: &&str| text.starts_with(prefix.as_bytes());
    let named = ["{", "[", "<", "ssh-", "ecdsa-", "sk-"].iter().any(begins);
    let named = named || text.windows(10).any(|part| part == b"-----BEGIN");
    let printable = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    // At the outermost layer other refusals say more; random bytes may begin like anything.
    let inside = layers < LAYERS && named && text.iter().all(printable);
    if inside || is_key(bytes) {
        return true;
    }
    layers > 0
        && unwrapped(text)
            .iter()
            .any(|inner| holds_key(inner, layers - 1))
}

/// What a text stands for where it is base64, base64url or hexadecimal, as a whole or behind a label
/// such as `data:…,` or `key=`; lines and spaces in it count for nothing.
fn unwrapped(text: &[u8]) -> Vec<Vec<u8>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let labels = text.iter().enumerate();
    let ends = labels.filter(|(_, byte)| b",:=".contains(byte));
    let starts = ends.map(|(at, _)| at + 1).take(LABELS);
    let mut found = Vec::new();
    for start in [0].into_iter().chain(starts) {
        let part = text.get(start..).unwrap_or_default();
        let packed: Vec<u8> = part
            .iter()
            .copied()
            .filter(|byte| !byte.is_ascii_whitespace() && *byte != b'"')
            .collect();
        let decode = |alphabet| GeneralPurpose::new(alphabet, config).decode(&packed).ok();
        found.extend([&STANDARD, &URL_SAFE].into_iter().find_map(decode));
        found.extend(of_hex(&packed));
    }
    found.retain(|inner| !inner.is_empty());
    found
}

/// Where a label may end, at most.
const LABELS: usize = 4;

fn of_hex(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text)
        .ok()
        .filter(|text| text.len() % 2 == 0)?;
    let pairs = (0..text.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
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
    fn a_key_that_is_wrapped_up_once_more_is_no_secret() {
        let hex = |bytes: &[u8]| -> String {
            let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
            digits.collect()
        };
        let jwk =
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let mut forms = vec![
            STANDARD.encode(jwk),
            URL_SAFE_NO_PAD.encode(jwk),
            hex(jwk.as_bytes()),
        ];
        for pem in PEMS {
            let der = STANDARD.decode(body(pem)).expect("base64");
            let text = STANDARD.encode(&der);
            forms.extend([
                STANDARD.encode(pem),
                URL_SAFE_NO_PAD.encode(pem.trim()),
                STANDARD.encode(STANDARD.encode(pem)),
                STANDARD.encode(&text),
                hex(&der),
                hex(&der).to_uppercase(),
                hex(pem.as_bytes()),
                format!(
                    "data:application/x-pem-file;base64,{}",
                    STANDARD.encode(pem)
                ),
                format!("JWT_PUBLIC_KEY={text}"),
                format!("public-key:{text}"),
            ]);
        }
        for form in forms {
            assert_eq!(secret(form.as_bytes()), Err(NoSecret::Der), "{form}");
        }
    }

    #[test]
    fn random_secrets_are_taken_whatever_they_begin_with() {
        // What stands for bytes that begin like JSON, markup, or a key's name.
        for begin in ["{", "[", "<", "ssh-", "sk-", "-----BEGIN"] {
            let random = [0x8e, 0x01, 0xf3, 0x5c, 0x99, 0xd7, 0x22, 0xb0].repeat(5);
            let bytes = [begin.as_bytes(), &random].concat();
            let text = STANDARD.encode(bytes);
            assert_eq!(secret(text.as_bytes()), Ok(text.as_bytes()), "{begin}");
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
