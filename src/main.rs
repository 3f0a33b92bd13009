//! `switchboard`: parses the command line, starts tracing, runs until SIGINT or SIGTERM. No logic.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser as _;
use switchboard::access::{Access, mint};
use switchboard::client::Failure;
use switchboard::config::{self, Cli, Command};
use switchboard::exit::Exit;
use switchboard::server::Certificate;
use switchboard::terminal::{listen, send};
use switchboard::{Config, Server, bench, check, health, log, manual, memory};
use tokio::signal::unix::{Signal, SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Some(Command::Check(options)) => return checked(check::run(options).await),
        Some(Command::Health(options)) => return looked(health::run(options).await),
        Some(Command::Token(options)) => return minted(mint::run(options)),
        Some(Command::Listen(options)) => return ended(listen::run(options).await),
        Some(Command::Send(options)) => return ended(send::run(options).await),
        Some(Command::Bench(options)) => return told(bench::run(options).await),
        Some(Command::Completions(options)) => {
            return ended(printed(&manual::completions(options)));
        }
        Some(Command::Man(options)) => {
            return ended(manual::pages(options).and_then(|page| printed(&page)));
        }
        Some(Command::Serve(_)) | None => serve(&cli.into_config()).await,
    };
    log::finish();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error, Exit::Failed),
    }
}

/// A check that could not be made is the fault of its command line.
fn checked(done: Result<Exit, check::CheckError>) -> ExitCode {
    match done {
        Ok(exit) => exit.into(),
        Err(error) => failed(&error.into(), Exit::Usage),
    }
}

fn looked(done: Result<(), health::Unwell>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(unwell) => {
            let exit = unwell.exit();
            failed(&unwell.into(), exit)
        }
    }
}

fn minted(done: Result<String, mint::MintError>) -> ExitCode {
    match done {
        Ok(token) => ended(printed(format!("{token}\n").as_bytes())),
        Err(error) => failed(&error.into(), Exit::Usage),
    }
}

fn printed(text: &[u8]) -> Result<(), Failure> {
    Ok(std::io::stdout().lock().write_all(text)?)
}

fn ended(done: Result<(), Failure>) -> ExitCode {
    told(done.map(|()| Exit::Done))
}

/// Whoever has closed the pipe has seen enough.
fn told(done: Result<Exit, Failure>) -> ExitCode {
    match done {
        Ok(exit) => exit.into(),
        Err(failure) if failure.is_closed_pipe() => Exit::Done.into(),
        Err(failure) => {
            let exit = failure.exit();
            failed(&failure.into(), exit)
        }
    }
}

fn failed(error: &anyhow::Error, exit: Exit) -> ExitCode {
    eprintln!("switchboard: {error:#}");
    exit.into()
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    config::check_variables(names)?;
    config.check()?;
    memory::give_back();
    log::start(config.log_format);
    // Each stream is an open file; the first limit is often 1,024.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    // Before anybody can know the process: whoever reloads a service must not end it. A terminal that
    // closes may.
    let keyed = !config.access_keys.is_empty() || config.tls_cert.is_some();
    let hangup = if keyed || !std::io::stdin().is_terminal() {
        Some(signal(SignalKind::hangup())?)
    } else {
        None
    };
    let server = Server::open(config)
        .await
        .with_context(|| format!("cannot serve on {}", config.listen))?;
    let scheme = server.certificate().map_or("http", |_| "https");
    eprintln!("listening on {scheme}://{}", server.addr());
    if let Some(relay) = server.relay_addr() {
        eprintln!("relaying on {relay}");
    }
    if let Some(admin) = server.admin_addr() {
        eprintln!("admin on http://{admin}");
    }
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let (again_interrupt, again_terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    if let Some(hangup) = hangup {
        rotate(hangup, server.access(), server.certificate());
    }
    let stop = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    let at_once = second(again_interrupt, again_terminate);
    server.run(stop, at_once).await.context("serving failed")
}

/// Resolves at the second signal.
async fn second(mut interrupt: Signal, mut terminate: Signal) {
    for _ in 0..2 {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

/// Reads the keys of access tokens and the certificate again at each SIGHUP: on a thread of its own,
/// since a file may keep its reader waiting.
fn rotate(mut hangup: Signal, access: Arc<Access>, certificate: Option<Arc<Certificate>>) {
    let (wish, wishes) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for () in wishes {
            if let Some(certificate) = &certificate {
                match certificate.reload() {
                    Ok(()) => tracing::info!("read the certificate again"),
                    Err(error) => tracing::error!(%error, "the certificate stays as it was"),
                }
            }
            match access.reload() {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "read the keys of access tokens again"),
                Err(error) => {
                    tracing::error!(%error, "the keys of access tokens stay as they were");
                }
            }
        }
    });
    tokio::spawn(async move { while hangup.recv().await.is_some() && wish.send(()).is_ok() {} });
}
