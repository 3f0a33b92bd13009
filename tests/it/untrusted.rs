//! Servers whose certificate is not trusted: each command says so, why, and what helps.

use serde_json::Value;

use crate::harness::TestServer;
use crate::harness::certificate::Certificate;
use crate::harness::command::{bare, run};

/// A server that shows this certificate.
async fn showing(certificate: &Certificate) -> TestServer {
    let (chain, key) = (certificate.chain(), certificate.key());
    TestServer::with(&["--tls-cert", &chain, "--tls-key", &key]).await
}

/// A command that trusts this one alone.
async fn trusting(certificate: &Certificate, args: &[&str]) -> (i32, String, String) {
    let mut command = bare(args);
    command.env("SSL_CERT_FILE", certificate.chain());
    let (code, output) = run(command).await;
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (code, text(output.stdout), text(output.stderr))
}

/// The verdict of a check.
async fn judged(trusted: &Certificate, base: &str) -> (i32, Value) {
    let (code, out, errors) = trusting(trusted, &["check", base, "--quick", "--json"]).await;
    let mut said: Value = serde_json::from_str(&out).expect(&errors);
    (code, said["verdict"].take())
}

#[tokio::test]
async fn each_command_says_that_it_is_not_trusted_and_what_may_be_the_reason() {
    let (shown, other) = (Certificate::of("IP:127.0.0.1", 2), Certificate::make());
    let server = showing(&shown).await;
    let base = server.base.as_str();
    // One that is not of this machine, by its name.
    let elsewhere = base.replace("127.0.0.1", "0.0.0.0");
    let said = "the server's certificate is not trusted: its issuer is unknown here (UnknownIssuer); a proxy that looks into connections, ";
    for (args, exit, begins) in [
        (&["listen", base, "demo"][..], 3, said.to_owned()),
        (&["send", base, "demo", "bob"], 3, said.to_owned()),
        (&["bench", base], 3, said.to_owned()),
        (
            &["health", &elsewhere],
            1,
            format!("{elsewhere}/livez: {said}"),
        ),
    ] {
        let (code, out, errors) = trusting(&other, args).await;
        assert_eq!((code, out.as_str()), (exit, ""), "{args:?}: {errors}");
        let begins = format!("switchboard: {begins}");
        assert!(errors.starts_with(&begins), "{args:?}: {errors}");
        assert!(errors.contains("SSL_CERT_FILE"), "{args:?}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{args:?}: {errors}");
    }
    let (code, verdict) = judged(&other, base).await;
    assert_eq!((code, &verdict["usable"]), (3, &Value::from("none")));
    let word = |name: &str| verdict[name].as_str().expect("a text").to_owned();
    assert!(word("title").contains("certificate is not trusted"));
    assert!(word("reason").contains("(UnknownIssuer)") && word("reason").contains("SSL_CERT_FILE"));
    let advice = format!("Exempt {base}/ from the inspection of TLS.");
    assert_eq!(verdict["advice"], Value::from(vec![advice]));
    let (_, out, _) = trusting(&other, &["check", base, "--quick"]).await;
    assert!(out.contains(&word("reason")), "whole: {out}");

    let (code, verdict) = judged(&shown, base).await;
    assert_eq!((code, &verdict["usable"]), (0, &Value::from("sse")));
}

#[tokio::test]
async fn what_else_is_wrong_with_one_is_no_matter_for_the_network() {
    for (certificate, why) in [
        (Certificate::of("IP:127.0.0.1", -1), "it has expired"),
        (
            Certificate::of("DNS:other.example", 2),
            "it is of another name",
        ),
        (Certificate::make(), "(CaUsedAsEndEntity)"),
    ] {
        let server = showing(&certificate).await;
        let (code, verdict) = judged(&certificate, &server.base).await;
        assert_eq!(code, 3, "{verdict:#}");
        let reason = verdict["reason"].as_str().expect("a text");
        assert!(reason.contains(why), "{reason}");
        assert!(reason.contains("renew or replace it"), "{reason}");
        assert_eq!(verdict["advice"], Value::Array(Vec::new()));
    }
}
