//! coturn's client against the relay.

use std::process::Command;

use super::client::SECRET;
use super::{options, start};

/// Runs the client; what it says. Each of its clients talks to another through two relays.
fn run(port: u16, more: &[&str]) -> String {
    let port = port.to_string();
    let mut command = Command::new("turnutils_uclient");
    command.args(["-y", "-c", "-W", SECRET, "-u", "p1", "-p", &port]);
    let output = command.args(more).arg("127.0.0.1").output();
    let output = output.expect("please install turnutils_uclient (Debian: coturn)");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn coturns_client_loses_nothing_by_udp_and_tcp() {
    let (relay, addr) = start(options());
    for way in [&[][..], &["-t"], &["-s"], &["-t", "-s"]] {
        let mut more = vec!["-m", "4", "-n", "50", "-l", "171", "-z", "5"];
        more.extend(way);
        let said = run(addr.port(), &more);
        assert!(
            said.contains("Total lost packets 0 (0.000000%)"),
            "{way:?}: {said}"
        );
    }
    let counts = relay.counts();
    assert!(counts.packets_to_peers >= 4 * 4 * 50, "{counts:?}");
}
