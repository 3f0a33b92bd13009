//! Ports for programs that cannot tell which one they were given.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::{Mutex, PoisonError};

/// Those from which ports are taken: as Linux is set up, the kernel gives none of them away by itself.
const RANGE: std::ops::Range<u16> = 12_000..32_000;

/// A port of 127.0.0.1 that nobody listens on, and that no other test on this machine is given while
/// this process lives. Between being chosen and being listened on nobody holds it; some programs share
/// a port with whoever else does, and tests would talk to each other's servers.
pub fn free_port() -> u16 {
    // Names in the kernel, which go with their process.
    static CLAIMS: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());
    let mut claims = CLAIMS.lock().unwrap_or_else(PoisonError::into_inner);
    let size = RANGE.len();
    let first = std::process::id() as usize * 41 % size;
    for step in 0..size {
        let port = RANGE.start + ((first + step) % size) as u16;
        let name = SocketAddr::from_abstract_name(format!("switchboard-test-port-{port}"));
        let claim = UnixListener::bind_addr(&name.expect("a name"));
        if let Ok(claim) = claim {
            claims.push(claim);
            if TcpListener::bind(("127.0.0.1", port)).is_ok() {
                return port;
            }
        }
    }
    panic!("no port is free");
}
