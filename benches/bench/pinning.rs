//! Server and generator each on a CPU of its own, so that neither is in the other's way.

use std::process::{Command, Stdio};

use crate::proc;

/// The CPUs for server and generator, or why there are none.
pub(crate) fn pin() -> Result<[usize; 2], &'static str> {
    let cpus = proc::cpus();
    let [server, generator, ..] = cpus[..] else {
        return Err("there is one CPU only");
    };
    let mut command = Command::new("taskset");
    command.args([
        "-c",
        "-p",
        &generator.to_string(),
        &std::process::id().to_string(),
    ]);
    let done = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match done {
        Ok(status) if status.success() => Ok([server, generator]),
        Ok(_) => Err("taskset may not"),
        Err(_) => Err("there is no taskset (util-linux)"),
    }
}
