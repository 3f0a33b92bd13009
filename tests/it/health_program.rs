//! `switchboard health`, the program itself, against servers that are well, going, gone, and none.

use std::process::{Output, Stdio};

use tokio::process::Command;

use crate::check_ways::redirector;
use crate::harness::certificate::Certificate;
use crate::harness::command::bare;
use crate::harness::{PATIENCE, TestServer, free_port, until};

async fn run(args: &[&str], environment: &[(&str, &str)]) -> (i32, String, String) {
    let mut command: Command = bare(&[&["health"], args].concat());
    command.envs(environment.iter().copied());
    let ran = tokio::time::timeout(PATIENCE, command.output()).await;
    let Output {
        status,
        stdout,
        stderr,
    } = ran.expect("an end in time").expect("it ran");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (status.code().expect("a code"), text(stdout), text(stderr))
}

#[tokio::test]
async fn a_server_that_is_up_is_told_in_one_line() {
    let server = TestServer::start().await;
    for (args, door) in [(&[][..], "livez"), (&["--ready"], "readyz")] {
        let (code, said, complained) = run(&[&[&*server.base], args].concat(), &[]).await;
        let wanted = format!("ok: {}/{door}\n", server.base);
        assert_eq!((code, &*said, &*complained), (0, &*wanted, ""));
    }
}

#[tokio::test]
async fn without_a_url_it_asks_where_the_environment_has_the_server_serve() {
    let server = TestServer::with(&["--admin-listen", "127.0.0.1:0"]).await;
    let address = server.base.trim_start_matches("http://");
    let port = address.rsplit(':').next().expect("a port");
    // A proxy is not asked.
    let proxy = ("HTTP_PROXY", "http://127.0.0.1:9");
    for listen in [address, &format!("0.0.0.0:{port}"), &format!("[::]:{port}")] {
        let (code, said, complained) = run(&[], &[("SWITCHBOARD_LISTEN", listen), proxy]).await;
        assert_eq!(code, 0, "{listen}: {said}{complained}");
    }
    let admin = server.admin.clone().expect("a second address");
    let environment = [
        ("SWITCHBOARD_LISTEN", "127.0.0.1:9"),
        (
            "SWITCHBOARD_ADMIN_LISTEN",
            admin.trim_start_matches("http://"),
        ),
    ];
    let (code, said, _) = run(&[], &environment).await;
    assert_eq!((code, said), (0, format!("ok: {admin}/livez\n")));
}

#[tokio::test]
async fn a_server_that_goes_away_is_up_but_not_ready() {
    let mut server = TestServer::with(&["--drain", "20s", "--admin-listen", "127.0.0.1:0"]).await;
    let peer = server.join("demo", "alice").await;
    let mut stream = peer.events().await;
    stream.expect("ready").await;
    server.ask_to_stop();
    let hub = server.hub.clone();
    until(async || hub.is_draining()).await;
    let admin = server.admin.clone().expect("a second address");
    assert_eq!(run(&[&admin], &[]).await.0, 0);
    let (code, said, complained) = run(&[&admin, "--ready"], &[]).await;
    let wanted = format!("switchboard: {admin}/readyz is answered with 503\n");
    assert_eq!((code, &*said, complained), (1, "", wanted));
    peer.leave().await;
}

#[tokio::test]
async fn over_tls_its_own_certificate_is_taken_on_this_machine() {
    let certificate = Certificate::make();
    let (chain, key) = (certificate.chain(), certificate.key());
    let server = TestServer::with(&["--tls-cert", &chain, "--tls-key", &key]).await;
    assert!(server.base.starts_with("https://"));
    let (code, said, complained) = run(&[&server.base], &[]).await;
    assert_eq!(code, 0, "{said}{complained}");
    let address = server.base.trim_start_matches("https://");
    let environment = [
        ("SWITCHBOARD_LISTEN", address),
        ("SWITCHBOARD_TLS_CERT", &chain),
    ];
    let (code, said, complained) = run(&[], &environment).await;
    assert_eq!(code, 0, "{said}{complained}");
    // Without TLS nothing is answered there.
    let (code, said, complained) = run(&[], &environment[..1]).await;
    assert_eq!((code, &*said), (1, ""), "{complained}");
}

#[tokio::test]
async fn what_is_no_server_or_says_nothing_is_not_well() {
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let (code, said, complained) = run(&[&nowhere], &[]).await;
    assert_eq!((code, &*said), (1, ""));
    let begin = format!("switchboard: {nowhere}/livez is not answered");
    assert!(complained.starts_with(&begin), "{complained}");
    // One that takes the connection and never speaks.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let mute = format!("http://{}", mute.local_addr().expect("an address"));
    assert_eq!(run(&[&mute], &[]).await.0, 1);
    // Another place is another server.
    let elsewhere = redirector("http://127.0.0.1:9").await;
    let (code, _, complained) = run(&[&format!("http://{elsewhere}")], &[]).await;
    assert_eq!(code, 1, "{complained}");
    assert_eq!(run(&["ftp://127.0.0.1"], &[]).await.0, 2);
}

#[tokio::test]
async fn whoever_has_closed_the_pipe_has_seen_enough() {
    let server = TestServer::start().await;
    let (read, write) = std::io::pipe().expect("a pipe");
    drop(read);
    let mut command = bare(&["health", &server.base]);
    let ran = command.stdout(write).stderr(Stdio::piped()).output();
    let ran = tokio::time::timeout(PATIENCE, ran).await;
    let ran = ran.expect("an end in time").expect("it ran");
    let complained = String::from_utf8_lossy(&ran.stderr);
    assert_eq!((ran.status.code(), &*complained), (Some(0), ""));
}
