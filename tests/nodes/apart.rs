//! A network of the test's own: all its traffic stays there, and one of its nodes can be cut off.

use std::process::{Child, Command, Stdio};

/// Set where the test runs within a network of its own already.
const WITHIN: &str = "NODES_APART";

/// Runs the test of this name once more, within a network of its own, where that is permitted: whether
/// it passed there. None: it is to be run here.
pub fn run(test: &str) -> Option<bool> {
    if is_within() {
        return None;
    }
    let may = |flags: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(flags).arg("true").stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let as_root: &[&str] = &["--mount", "--net"];
    let as_user: &[&str] = &["--map-root-user", "--mount", "--net"];
    let flags = [as_root, as_user].into_iter().find(|flags| may(flags))?;
    // `ip netns` keeps its names in /run.
    let enter = r#"ip link set lo up && mount -t tmpfs run /run && exec "$@""#;
    let program = std::env::current_exe().expect("the test's own file");
    let child = Command::new("unshare")
        .args(flags)
        .args(["sh", "-c", enter, "sh"])
        .arg(program)
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(WITHIN, "yes")
        .spawn();
    let mut child = Ended(child.expect("unshare is there"));
    let status = child.0.wait().expect("a process of ours");
    Some(status.success())
}

/// Whether this is a network of the test's own.
pub fn is_within() -> bool {
    std::env::var_os(WITHIN).is_some()
}

/// A process that ends with this.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A machine of its own within that network: one cable for whoever asks it, one to the store.
pub struct Machine {
    name: String,
}

impl Machine {
    /// Where the machine is.
    pub const ADDRESS: &str = "10.214.1.2";
    /// Where the store is for it.
    pub const STORE: &str = "10.214.2.1";

    pub fn new() -> Self {
        let name = format!("switchboard-{}", std::process::id());
        ip(&["netns", "add", &name]);
        let machine = Self { name };
        machine.cable("front", "10.214.1.1/24", "10.214.1.2/24");
        machine.cable("store", "10.214.2.1/24", "10.214.2.2/24");
        ip(&["-n", &machine.name, "link", "set", "lo", "up"]);
        machine
    }

    fn cable(&self, end: &str, here: &str, there: &str) {
        let far = format!("{end}-far");
        let peer = ["type", "veth", "peer", "name", &far, "netns", &self.name];
        ip(&[&["link", "add", end][..], &peer].concat());
        ip(&["addr", "add", here, "dev", end]);
        ip(&["link", "set", end, "up"]);
        ip(&["-n", &self.name, "addr", "add", there, "dev", &far]);
        ip(&["-n", &self.name, "link", "set", &far, "up"]);
    }

    /// A command that runs a program there.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Pulls the cable to the store, or plugs it in again: what is sent meanwhile is lost in silence.
    pub fn plug(&self, plugged: bool) {
        ip(&["link", "set", "store", if plugged { "up" } else { "down" }]);
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = Command::new("ip")
            .args(["netns", "del", &self.name])
            .status();
    }
}

fn ip(words: &[&str]) {
    let status = Command::new("ip").args(words).status();
    let status = status.expect("install iproute2 (Debian: apt-get install iproute2)");
    assert!(status.success(), "ip {}", words.join(" "));
}
