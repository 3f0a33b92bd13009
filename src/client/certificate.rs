//! Certificates of servers that are not trusted: what is wrong with one, and what to do about it.
//!
//! A connection that fails for that is no fault of the network: it came about, and this program
//! would not go on with it.

use std::error::Error;
use std::io;

use rustls::CertificateError;

use super::shown;

/// How all that is said of such a certificate begins.
pub(crate) const UNTRUSTED: &str = "the server's certificate is not trusted";

/// What is said of one that nobody vouches for who is trusted here.
const UNKNOWN: &str = "its issuer is unknown here";
/// What is then likely, and what helps.
const INTERCEPTED: &str = "a proxy that looks into connections, as in companies, shows certificates of an authority of its own, and a server on trial one that it signed itself: have this system trust it, or name its file in SSL_CERT_FILE";

/// What helps with any other.
const FAULTY: &str = "whoever runs the server has to renew or replace it, unless the clock or the address is wrong here";
/// How the library says that what is shown is made to sign others: what openssl makes unless it is told
/// otherwise.
const OF_AUTHORITY: &str = "CaUsedAsEndEntity";
/// The most that is told of what stands in it, in characters.
const MOST: usize = 120;

/// What is wrong with the server's certificate, where that is what a request failed for.
pub(crate) fn untrusted(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(rustls::Error::InvalidCertificate(fault)) = error.downcast_ref() {
            return Some(format!("{UNTRUSTED}: {}", told(fault)));
        }
        // What an error of the system's wraps is not its source, but the source of its source is.
        let wrapped = error.downcast_ref().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}

/// What to do about what was said of a certificate; nothing where that is not what was said.
pub(crate) fn advice(why: &str) -> Option<&'static str> {
    why.starts_with(UNTRUSTED)
        .then(|| if is_unknown(why) { INTERCEPTED } else { FAULTY })
}

/// Whether that is said of one that nobody vouches for who is trusted here.
pub(crate) fn is_unknown(why: &str) -> bool {
    why.starts_with(UNTRUSTED) && why.contains(UNKNOWN)
}

/// In words, with those of the library behind, which name what stands in the certificate.
fn told(fault: &CertificateError) -> String {
    use CertificateError as Of;
    let detail: String = fault.to_string().chars().take(MOST).map(shown).collect();
    // A bad signature is by a namesake of an authority that is trusted.
    let words = if matches!(fault, Of::UnknownIssuer | Of::BadSignature) {
        UNKNOWN
    } else if matches!(fault, Of::Expired | Of::ExpiredContext { .. }) {
        "it has expired"
    } else if matches!(fault, Of::NotValidYet | Of::NotValidYetContext { .. }) {
        "it is not valid yet"
    } else if matches!(
        fault,
        Of::NotValidForName | Of::NotValidForNameContext { .. }
    ) {
        "it is of another name"
    } else if detail == OF_AUTHORITY {
        "it is one of an authority, not of a server"
    } else {
        return detail;
    };
    format!("{words} ({detail})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told_of(fault: CertificateError) -> String {
        let inner = io::Error::new(
            io::ErrorKind::InvalidData,
            rustls::Error::InvalidCertificate(fault),
        );
        untrusted(&io::Error::other(inner)).expect("a fault")
    }

    #[test]
    fn what_is_wrong_with_a_certificate_is_found_in_what_it_is_wrapped_in_and_told_in_words() {
        for (fault, words, help) in [
            (
                CertificateError::UnknownIssuer,
                "its issuer is unknown here (UnknownIssuer)",
                "SSL_CERT_FILE",
            ),
            (
                CertificateError::BadSignature,
                "its issuer is unknown here (BadSignature)",
                "SSL_CERT_FILE",
            ),
            (CertificateError::Expired, "it has expired (", "renew"),
            (
                CertificateError::NotValidForName,
                "it is of another name (",
                "the address",
            ),
            (CertificateError::Revoked, "Revoked", "replace"),
        ] {
            let why = told_of(fault);
            assert!(why.starts_with(UNTRUSTED) && why.contains(words), "{why}");
            let advice = advice(&why).expect("advice");
            assert!(advice.contains(help), "{advice}");
        }
    }

    #[test]
    fn what_else_a_connection_fails_for_is_no_matter_of_a_certificate() {
        assert_eq!(
            untrusted(&io::Error::from(io::ErrorKind::ConnectionRefused)),
            None
        );
        assert_eq!(
            untrusted(&io::Error::other(rustls::Error::DecryptError)),
            None
        );
        assert_eq!(advice("cannot connect"), None);
    }
}
