//! The way to an engine over TLS, with a root that only the program's environment names.

use std::path::Path;
use std::process::Command;

use switchboard::backplane::redis::{OpenError, Redis};

use super::engine::{Server, scratch};
use super::port::free_port;
use super::world::{Node, options, room};

/// Where the test that runs in a process of its own finds the server.
const URL: &str = "SWITCHBOARD_TEST_ENGINE";

#[tokio::test]
async fn an_engine_is_reached_over_tls_where_its_root_is_trusted() {
    let dir = scratch();
    certify(&dir);
    let port = free_port().to_string();
    let file = |name: &str| dir.join(name).to_str().expect("text").to_owned();
    let (cert, key, root) = (file("cert.pem"), file("key.pem"), file("root.pem"));
    let _server = Server::redis(&[
        "--tls-port",
        &port,
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &root,
        "--tls-auth-clients",
        "no",
    ]);
    let url = format!("rediss://localhost:{port}");
    let refused = Redis::open(options(&url)).await.err().expect("refused");
    assert!(matches!(refused, OpenError::Unreachable(..)), "{refused}");
    // Roots are read from the environment, which cannot change within a process.
    let own = std::env::current_exe().expect("a path");
    let ran = Command::new(own)
        .args(["--exact", "store::tls::with_the_root", "--ignored"])
        .envs([("SSL_CERT_FILE", root.as_str()), (URL, &url)])
        .output();
    let ran = ran.expect("the same program");
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stdout)
    );
    let _ = std::fs::remove_dir_all(dir);
}

#[tokio::test]
#[ignore = "the test above runs it in a process of its own"]
async fn with_the_root() {
    let Ok(url) = std::env::var(URL) else {
        return;
    };
    let mut node = Node::open(options(&url)).await;
    let at = node.keep(&room("tls")).await;
    assert_eq!(node.fetch(&room("tls"), 0).await.head, at);
    assert_eq!(node.store.resign().await, Ok(()));
    node.news.close();
}

/// A root, and a certificate of `localhost` that it signed.
fn certify(dir: &Path) {
    let run = |words: &[&str]| {
        let ran = Command::new("openssl")
            .args(words)
            .current_dir(dir)
            .output();
        let ran = ran.expect("install openssl (Debian: apt-get install openssl)");
        assert!(
            ran.status.success(),
            "{}",
            String::from_utf8_lossy(&ran.stderr)
        );
    };
    let curve = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ];
    let new = |words: &[&'static str]| {
        let words: Vec<_> = ["req"].iter().chain(&curve).chain(words).copied().collect();
        run(&words);
    };
    new(&[
        "-x509", "-keyout", "root.key", "-out", "root.pem", "-days", "2", "-subj", "/CN=root",
    ]);
    new(&[
        "-keyout",
        "key.pem",
        "-out",
        "csr.pem",
        "-subj",
        "/CN=localhost",
    ]);
    let san = "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n";
    std::fs::write(dir.join("san"), san).expect("a file");
    run(&[
        "x509",
        "-req",
        "-in",
        "csr.pem",
        "-CA",
        "root.pem",
        "-CAkey",
        "root.key",
        "-CAcreateserial",
        "-extfile",
        "san",
        "-days",
        "2",
        "-out",
        "cert.pem",
    ]);
}
