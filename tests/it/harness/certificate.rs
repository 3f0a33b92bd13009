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
        let words = [
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
        ];
        let ran = Command::new("openssl").args(words).output();
        let ran = ran.expect("please install openssl");
        assert!(
            ran.status.success(),
            "{}",
            String::from_utf8_lossy(&ran.stderr)
        );
        made
    }

    pub fn chain(&self) -> String {
        text(&self.0.join("cert.pem"))
    }

    pub fn key(&self) -> String {
        text(&self.0.join("key.pem"))
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("text").to_owned()
}

impl Drop for Certificate {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
