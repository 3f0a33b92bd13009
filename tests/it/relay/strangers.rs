//! Those who ask without a credential.

use std::net::{IpAddr, UdpSocket};
use std::process::Command;

use turn_types::attribute::RequestedTransport;
use turn_types::message::ALLOCATE;

use super::client::{Client, credential};
use super::{counted, flagged, start};
use crate::harness::PATIENCE;

#[test]
fn a_stranger_is_answered_so_often_in_a_second() {
    let (relay, addr) = start(flagged(&[("--stun-per-second", "5")]));
    let mut stranger = Client::udp(addr, credential("p1"));
    let request = stranger.request(ALLOCATE, &|_| vec![Box::new(RequestedTransport::new(17))]);
    for _ in 0..100 {
        stranger.send_raw(&request);
    }
    let counts = counted(&relay, |it| it.suppressed + it.refused(401) == 100);
    assert!((5..50).contains(&counts.refused(401)), "{counts:?}");
}

/// How many strangers there are, each at an address of its own.
const STRANGERS: u32 = 100_000;

/// What they may cost, in KiB: the table of all of them, and what the system's threads touch first.
const MOST: u64 = 4 * 1024;

#[test]
fn a_hundred_thousand_strangers_cost_no_memory() {
    let itself = std::env::current_exe().expect("this program");
    let alone = "relay::strangers::measured_alone";
    let mut command = Command::new(itself);
    command.args([alone, "--exact", "--ignored", "--nocapture"]);
    let output = command.output().expect("this program");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let figure = said.lines().find(|line| line.contains("KiB"));
    eprintln!("{}", figure.expect("a figure"));
}

#[test]
#[ignore = "measures its process, so it runs alone"]
fn measured_alone() {
    let (relay, addr) = start(flagged(&[("--stun-per-second", "50")]));
    let request = Client::udp(addr, credential("p1"))
        .request(ALLOCATE, &|_| vec![Box::new(RequestedTransport::new(17))]);
    let ask = |numbers: std::ops::Range<u32>| {
        let sockets = numbers.map(|n| {
            let [_, a, b, c] = (n + 256).to_be_bytes();
            let socket = UdpSocket::bind((IpAddr::from([127, a, b, c]), 0)).expect("an address");
            socket.send_to(&request, addr).expect("sent");
            socket
        });
        for socket in sockets.collect::<Vec<_>>() {
            socket.set_read_timeout(Some(PATIENCE)).expect("a time");
            socket.recv(&mut [0; 256]).expect("an answer");
        }
    };
    ask(0..1000);
    let before = resident();
    for n in (1000..STRANGERS).step_by(50) {
        ask(n..n + 50);
    }
    let more = resident().saturating_sub(before);
    let counts = relay.counts();
    assert_eq!(counts.refused(401), u64::from(STRANGERS), "{counts:?}");
    eprintln!("{STRANGERS} strangers cost {more} KiB");
    assert!(more < MOST, "{more} KiB");
}

/// The memory of this process, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a system");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let figure = line.and_then(|line| line.split_whitespace().next());
    figure.and_then(|text| text.parse().ok()).expect("a figure")
}
