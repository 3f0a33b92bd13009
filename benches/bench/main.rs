//! Measures `switchboard` beside a reference: `cargo bench`, or `cargo bench -- --help`.
//!
//! Both servers are started on free loopback ports, fresh for every run, and play every scenario in
//! turn: reference, switchboard, reference, …. What is printed are medians over the rounds. The
//! *reference* ([`reference`]) does the least that gets an event from a POST to an open stream: no
//! checks, no queues, no memory. It is about what the machine can do at all, so the **ratio** to it
//! says what switchboard's promises cost, and moves far less from machine to machine, and with what
//! else a machine does, than the figures do.
//!
//! | scenario | what happens | what is read off |
//! |---|---|---|
//! | `idle` | N peers join, two to a room, and open their streams; then nothing but heartbeats for 15 s | memory (PSS of the process tree) and CPU of a stream; what is left 5 s after all have closed, when the peers themselves are still in their grace |
//! | `idle-notices` | the same with readers of `/notices` | the same |
//! | `idle-polls` | the same with held long-polls, begun one after the other; for 25 s, in which each is answered and asked again | the same |
//! | `relay` | 64 pairs, each with one message of 0.5 KB under way; then 1,000 messages a second in all, whatever becomes of those before | CPU of a message at full speed and at the steady pace; microseconds from when a message was due to its event |
//! | `media` | the same steady pace beside the server's own relay (TURN): idle in one column, at its limit in the other, by 200 relays flooded with packets of 1,000 bytes | microseconds from when a message was due to its event |
//! | `call` | 16 calls at a time: two joins, two streams, offer (2.5 KB), answer, 10 candidates each way, bye, two leaves; 4 connections a call | CPU of a call |
//! | `room` | 20 broadcasts a second in a room of 100 | CPU of a delivery; time to the last receiver |
//! | `storm` | N peers join and open as fast as they can, 256 at a time, each on one connection | CPU of one of them |
//! | `resume` | N streams are cut at once, each peer is sent something, and all come back with their cursors, 256 at a time | CPU of one of them; time until all are back and have what they missed |
//!
//! The reference knows no joins, no leaves and no past: there a storm is of opens alone, and those
//! who come back have missed nothing. Its held polls are answered with nothing after 25 s.
//!
//! CPU is that of the server's whole process tree, as the scheduler counts it; on the loopback it
//! holds much of the kernel's work for both ends. The server has one CPU and the generator another,
//! where there are two and `taskset`; *generator busy* near 100 % means that "per second" is bounded
//! by the generator, CPU of one of them is not. *Others busy* is what else the machine did;
//! figures with `~` beside them were taken while that was over a tenth of a CPU.
//!
//! Each message is numbered: what is lost, comes twice or out of order is printed with `!!!`, as is
//! a run that fails, and the exit status is 1. No figure, however bad, changes the exit status.

mod answer;
mod clock;
mod contender;
mod events;
mod flood;
mod meter;
mod net;
mod numbers;
mod options;
mod peers;
mod pinning;
mod proc;
mod reference;
mod report;
mod scenario;
mod server;
mod stage;
mod tally;
mod wire;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser as _, ValueEnum as _};
use contender::Contender;
use options::{Name, Options};
use report::Report;
use serde_json::json;
use stage::{Outcome, Size};

/// Files that the generator needs beside one for each peer.
const SPARE_FILES: u64 = 512;

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match (options.reference, &options.flood) {
        (Some(heartbeat), _) => reference::run(Duration::from_millis(heartbeat)).map(|()| true),
        (None, Some(relay)) => flood::run(relay, options.flood_clients).map(|()| true),
        (None, None) => run(&options),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Plays all scenarios; whether all was well.
fn run(options: &Options) -> anyhow::Result<bool> {
    let mut out = std::io::stdout();
    let mut size = Size::of(options);
    server::end_at_signals()?;
    let files = rlimit::increase_nofile_limit(u64::MAX)?;
    let most = files.saturating_sub(SPARE_FILES) as usize / 2 * 2;
    anyhow::ensure!(most >= 2, "a limit of {files} open files is too low");
    if size.peers > most {
        writeln!(
            out,
            "only {most} peers, not {}: there may be {files} open files",
            size.peers
        )?;
        size.peers = most;
    }
    let rounds = if options.smoke { 1 } else { options.rounds };
    let pinned = pinning::pin();
    let contenders = Contender::all(options, size)?;
    let relays = Contender::relays(options, size);
    let placed = match pinned {
        Ok([server, generator]) => format!("server on CPU {server}, generator on CPU {generator}"),
        Err(why) => format!("not on CPUs of their own: {why}"),
    };
    writeln!(
        out,
        "{} on {}, {}",
        rounds_text(rounds),
        proc::processor().trim(),
        placed
    )?;
    if options.url.is_some() {
        writeln!(
            out,
            "the running server keeps its CPUs, bounds and heartbeat, and the peers of one run into the next, for their grace"
        )?;
    }
    let cpu = pinned.ok().map(|[server, _]| server);
    let names = if options.scenarios.is_empty() {
        Name::value_variants()
    } else {
        &options.scenarios
    };
    let mut reports = Vec::new();
    for &name in names {
        let contenders = if name == Name::Media {
            &relays
        } else {
            &contenders
        };
        if contenders.is_empty() {
            writeln!(out, "\n{}: only of servers that are started", name.text())?;
            continue;
        }
        let report = compare(name, contenders, rounds, size, cpu);
        report.write(&mut out)?;
        reports.push(report);
    }
    let is_good = reports.iter().all(Report::is_good);
    if let Some(path) = &options.json {
        let all = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "processor": proc::processor().trim(),
            "cpus": proc::cpus().len(),
            "pinned": pinned.is_ok(),
            "rounds": rounds,
            "seconds": size.span.as_secs_f64(),
            "peers": size.peers,
            "smoke": options.smoke,
            "good": is_good,
            "scenarios": reports.iter().map(Report::json).collect::<Vec<_>>(),
        });
        let text = serde_json::to_string_pretty(&all)? + "\n";
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if !is_good {
        writeln!(out, "\n!!! not all was well: see above")?;
    }
    Ok(is_good)
}

/// Plays one scenario to all servers in turn.
fn compare(
    name: Name,
    contenders: &[Contender],
    rounds: u32,
    size: Size,
    cpu: Option<usize>,
) -> Report {
    let columns = contenders.iter().map(|contender| contender.name.clone());
    let mut report = Report::new(name.text(), columns.collect());
    for round in 1..=rounds {
        for (column, contender) in contenders.iter().enumerate() {
            eprintln!(
                "{}, round {round} of {rounds}: {}",
                name.text(),
                contender.name
            );
            match play(name, contender, size, cpu) {
                Ok(outcome) => report.outcomes[column].push(outcome),
                Err(error) => report
                    .errors
                    .push(format!("{}, round {round}: {error:#}", contender.name)),
            }
        }
    }
    report
}

fn play(
    name: Name,
    contender: &Contender,
    size: Size,
    cpu: Option<usize>,
) -> anyhow::Result<Outcome> {
    let (mut stage, _server) = contender.stage(size, cpu)?;
    scenario::play(name, &mut stage)
}

fn rounds_text(rounds: u32) -> String {
    if rounds == 1 {
        "1 round".to_owned()
    } else {
        format!("{rounds} rounds")
    }
}
