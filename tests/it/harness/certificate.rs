//! A certificate that nobody has signed, for names of the loopback.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::unique;

/// Two files, which are gone with this.
pub struct Certificate(PathBuf);

impl Certificate {
    pub fn make() -> Self {
        let name = unique(&format!("switchboard-certificate-{}", std::process::id()));
        let home = std::env::temp_dir().join(name);
        std::fs::create_dir(&home).expect("a folder");
        let made = Self(home);
        let (chain, key) = (made.chain(), made.key());
        openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
            "-keyout",
            &key,
            "-out",
            &chain,
        ]);
        made
    }

    /// One of a server, not of an authority, for these names and so many days, which may be over.
    pub fn of(names: &str, days: i32) -> Self {
        let made = Self::make();
        let (chain, key) = (made.chain(), made.key());
        let (asked, days) = (text(&made.0.join("asked.pem")), days.to_string());
        let names = format!("subjectAltName={names}");
        openssl(&[
            "req",
            "-new",
            "-key",
            &key,
            "-subj",
            "/CN=here",
            "-addext",
            &names,
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-out",
            &asked,
        ]);
        openssl(&[
            "x509",
            "-req",
            "-in",
            &asked,
            "-signkey",
            &key,
            "-days",
            &days,
            "-copy_extensions",
            "copyall",
            "-out",
            &chain,
        ]);
        made
    }

    pub fn chain(&self) -> String {
        text(&self.0.join("cert.pem"))
    }

    pub fn key(&self) -> String {
        text(&self.0.join("key.pem"))
    }
}

fn openssl(words: &[&str]) {
    let ran = Command::new("openssl").args(words).output();
    let ran = ran.expect("please install openssl");
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}

fn text(path: &Path) -> String {
    path.to_str().expect("text").to_owned()
}

impl Drop for Certificate {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
