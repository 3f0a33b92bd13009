//! Ways to a server, good and bad: real programs of Debian's, and small proxies of our own.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::harness::{free_port, unique};

/// How long a program may take to start, on a machine that has much else to do.
const START: Duration = Duration::from_secs(90);

/// A directory that is gone when its test is.
pub struct Home(pub std::path::PathBuf);

impl Home {
    pub fn new() -> Self {
        let name = format!("switchboard-{}-{}", unique("check"), std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A program that listens on the loopback, and ends with its test.
pub struct Listening {
    pub port: u16,
    pub home: Home,
    _child: Child,
}

/// Starts a program of Debian's package `package`, which is up once it takes connections.
pub async fn start(
    path: &str,
    package: &str,
    home: Home,
    options: impl FnOnce(u16, &Path) -> Vec<String>,
) -> Listening {
    assert!(
        Path::new(path).exists(),
        "no {path}: apt-get install {package}"
    );
    let port = free_port();
    let child = Command::new(path)
        .args(options(port, &home.0))
        .current_dir(&home.0)
        .env("HOME", &home.0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let listens = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let up = tokio::time::timeout(START, listens).await;
    up.unwrap_or_else(|_| panic!("{path} does not listen"));
    Listening {
        port,
        home,
        _child: child,
    }
}

/// mitmproxy reads a response to its end before it hands it on, as content scanners do.
pub async fn scanner(mode: &str) -> Listening {
    let home = Home::new();
    start("/usr/bin/mitmdump", "mitmproxy", home, |port, home| {
        let confdir = format!("confdir={}", home.display());
        let port = port.to_string();
        [
            "--mode",
            mode,
            "--listen-host",
            "127.0.0.1",
            "--listen-port",
            &port,
            "--quiet",
            "--set",
            &confdir,
        ]
        .map(String::from)
        .into()
    })
    .await
}

/// coturn on the loopback, over UDP, TCP and TLS; its certificate signs itself.
pub async fn turn() -> (Listening, u16) {
    let home = Home::new();
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ])
        .args([
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(&home.0)
        .output()
        .await
        .expect("openssl is installed");
    assert!(made.status.success(), "{made:?}");
    let secure = free_port();
    let server = start("/usr/bin/turnserver", "coturn", home, |port, home| {
        let file = |name: &str| home.join(name).display().to_string();
        let (port, secure) = (port.to_string(), secure.to_string());
        let (cert, key, pid, db) = (file("cert.pem"), file("key.pem"), file("pid"), file("db"));
        [
            "-n",
            "--listening-ip",
            "127.0.0.1",
            "--relay-ip",
            "127.0.0.1",
            "--listening-port",
            &port,
            "--tls-listening-port",
            &secure,
            "--cert",
            &cert,
            "--pkey",
            &key,
            "--no-dtls",
            "--no-cli",
            "--lt-cred-mech",
            "--user",
            "ada:s3cret-word",
            "--realm",
            "check.example",
            "--pidfile",
            &pid,
            "--userdb",
            &db,
            "--log-file",
            "stdout",
        ]
        .map(String::from)
        .into()
    })
    .await;
    (server, secure)
}

/// A way that cuts whatever was silent for so long, as NATs and firewalls do.
pub async fn cutter(target: SocketAddr, after: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(async move {
                let Ok(far) = TcpStream::connect(target).await else {
                    return;
                };
                let (mut near, mut far) = (near, far);
                let (mut up, mut down) = ([0; 4096], [0; 4096]);
                loop {
                    let (wrote, length) = tokio::select! {
                        read = near.read(&mut up) => match read {
                            Ok(length) if length > 0 => (far.write_all(&up[..length]).await, length),
                            _ => return,
                        },
                        read = far.read(&mut down) => match read {
                            Ok(length) if length > 0 => (near.write_all(&down[..length]).await, length),
                            _ => return,
                        },
                        () = tokio::time::sleep(after) => return,
                    };
                    if wrote.is_err() || length == 0 {
                        return;
                    }
                }
            });
        }
    });
    addr
}

/// Listens, and hands each connection on.
async fn each<F>(carry: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(carry(near));
        }
    });
    addr
}

/// The head of a request.
async fn head(near: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(near.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// A way that compresses streams for who takes it, write by write, as mod_deflate does.
pub async fn compressor(target: SocketAddr) -> SocketAddr {
    each(move |mut near| async move {
        let head = head(&mut near).await?;
        let mut far = TcpStream::connect(target).await?;
        let compresses = head.starts_with("GET /probe") && head.contains("gzip");
        if !compresses {
            // One request to a connection: what follows need not be looked at.
            let closing = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
            far.write_all(closing.as_bytes()).await?;
            tokio::io::copy_bidirectional(&mut near, &mut far).await?;
            return Ok(());
        }
        // To HTTP/1.0 there are no chunks.
        far.write_all(head.replacen("HTTP/1.1", "HTTP/1.0", 1).as_bytes())
            .await?;
        while !self::head(&mut far).await?.ends_with("\r\n\r\n") {}
        let told = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n";
        near.write_all(told.as_bytes()).await?;
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        let mut bytes = [0; 4096];
        loop {
            let length = far.read(&mut bytes).await?;
            gzip.write_all(&bytes[..length])?;
            gzip.flush()?;
            if length == 0 {
                return near.write_all(&gzip.finish()?).await;
            }
            near.write_all(&std::mem::take(gzip.get_mut())).await?;
        }
    })
    .await
}

/// A way that loses each `n`th POST to the door of the check.
pub async fn loser(target: SocketAddr, n: usize) -> SocketAddr {
    let count = Arc::new(AtomicUsize::new(0));
    each(move |mut near| {
        let count = count.clone();
        async move {
            let head = head(&mut near).await?;
            let counted = head.starts_with("POST /check/request");
            if counted && count.fetch_add(1, Ordering::Relaxed) % n == n - 1 {
                return Ok(());
            }
            let mut far = TcpStream::connect(target).await?;
            let closing = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
            far.write_all(closing.as_bytes()).await?;
            tokio::io::copy_bidirectional(&mut near, &mut far).await?;
            Ok(())
        }
    })
    .await
}

/// A way on which the answer to the `n`th request for signals gets lost.
pub async fn forgetter(target: SocketAddr, n: usize) -> SocketAddr {
    let count = Arc::new(AtomicUsize::new(0));
    each(move |mut near| {
        let count = count.clone();
        async move {
            let head = head(&mut near).await?;
            let counted = head.starts_with("POST ") && head.contains("/signals ");
            let mut far = TcpStream::connect(target).await?;
            let closing = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
            far.write_all(closing.as_bytes()).await?;
            if counted && count.fetch_add(1, Ordering::Relaxed) == n - 1 {
                // The whole of the request arrives, and nothing comes back.
                let (mut up, _) = near.split();
                let (mut down, mut there) = far.split();
                let mut answer = Vec::new();
                tokio::select! {
                    _ = tokio::io::copy(&mut up, &mut there) => {}
                    _ = down.read_to_end(&mut answer) => {}
                }
                return Ok(());
            }
            tokio::io::copy_bidirectional(&mut near, &mut far).await?;
            Ok(())
        }
    })
    .await
}

/// A way that sends everybody on to somewhere else.
pub async fn redirector(there: &'static str) -> SocketAddr {
    each(move |mut near| async move {
        let head = head(&mut near).await?;
        let path = head.split(' ').nth(1).unwrap_or_default();
        let told = format!("HTTP/1.1 301 Moved\r\nLocation: {there}{path}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        near.write_all(told.as_bytes()).await
    })
    .await
}
