//! What may stand in no log: what looks like a credential, SDP or a candidate, and each secret that a
//! test has given to a server or got from it, known by its value.

use std::collections::BTreeSet;
use std::path::Path;

use aho_corasick::AhoCorasick;
use parking_lot::Mutex;
use serde_json::Value;

/// One look a line; the same for all suites.
const LOOKS: &str = include_str!("../../secrets.txt");

/// Less than this could stand in a log by chance.
const LEAST: usize = 8;

/// Options whose value is a secret, and those whose value is a file with one.
const SECRETS: [&str; 3] = ["--secret", "--operator-token", "--turn-secret"];
const FILES: [&str; 2] = ["--access-key", "--tls-key"];

/// What the requests and answers of the tests name that is a secret.
const MEMBERS: [&str; 4] = ["token", "ticket", "key", "password"];

/// The values that are known to this process.
static KNOWN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Remembers a secret, and each part of it.
pub fn hide(secret: &str) {
    let parts = secret.split(['.', '\n', '"']).map(str::trim);
    let whole = std::iter::once(secret.trim());
    let long = whole.chain(parts).filter(|part| part.len() >= LEAST);
    KNOWN.lock().extend(long.map(str::to_owned));
}

/// Remembers the secrets among the options that a server is started with.
pub fn hide_options(options: &[&str]) {
    for pair in options.windows(2) {
        if SECRETS.contains(&pair[0]) {
            hide(pair[1]);
        } else if FILES.contains(&pair[0])
            && let Ok(keys) = std::fs::read_to_string(Path::new(pair[1]))
        {
            hide(&keys);
        }
    }
}

/// Remembers the secrets of a request's or an answer's JSON.
pub fn hide_members(json: &Value) {
    for name in MEMBERS {
        if let Some(secret) = json[name].as_str() {
            hide(secret);
        }
    }
}

/// The same of a body, if it is JSON.
pub fn hide_members_of(body: &str) {
    if let Ok(json) = serde_json::from_str(body) {
        hide_members(&json);
    }
}

/// The first line of a log that holds what it may not.
pub fn search(log: &str) -> Option<&str> {
    let known = KNOWN.lock();
    let looks = LOOKS.lines().filter(|look| !look.starts_with('#'));
    let all = looks.chain(known.iter().map(String::as_str));
    // All of them at once: thousands are looked for in millions of lines.
    let all = AhoCorasick::new(all).expect("texts to look for");
    let at = all.find(log)?.start();
    let from = log[..at].rfind('\n').map_or(0, |end| end + 1);
    log[from..].lines().next()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{hide, hide_members, hide_options, search};

    const CLEAN: &str = "2026-01-01T00:00:00Z  INFO switchboard: listening on http://127.0.0.1:8080\n\
        2026-01-01T00:00:01Z TRACE switchboard::hub: a room has ended\n\
        2026-01-01T00:00:02Z  INFO switchboard: going away\n";

    fn planted(secret: &str) -> String {
        CLEAN.replace("a room", &format!("a room of {secret}, which"))
    }

    #[test]
    fn a_log_without_secrets_passes() {
        assert_eq!(search(CLEAN), None);
    }

    #[test]
    fn each_sort_of_secret_is_found_by_its_looks() {
        for secret in [
            "sp1.AAECAwQFBgcICQ.c2lnbmF0dXJl",
            "st1.AAECAwQFBgcICQ.c2lnbmF0dXJl",
            "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl",
            "Authorization",
            "authorization: Basic b3A6b3A=",
            "Bearer anything",
            "/rooms/demo/peers/bob/events?ticket=anything",
            r#""sdp":"v=0\r\n"#,
            "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
            "c=IN IP4 203.0.113.77",
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
            "a=ice-ufrag:Zq3k",
            "a=fingerprint:sha-256 6B:8B",
            "a=setup:actpass",
            "a=mid:0",
            "candidate:842163049 1 udp 1677729535 203.0.113.77 46154 typ srflx",
            "203.0.113.77 46154 typ relay",
            "fd00:dead:beef::77 9 typ host",
            "-----BEGIN PRIVATE KEY-----",
        ] {
            let log = planted(secret);
            let found = search(&log);
            assert!(found.is_some_and(|line| line.contains(secret)), "{secret}");
        }
    }

    #[test]
    fn each_sort_of_secret_is_found_by_its_value() {
        let file = std::env::temp_dir().join(format!("planted-key-{}", std::process::id()));
        std::fs::write(&file, "planted words of a key file, 32 bytes\n").expect("written");
        hide_options(&[
            "--secret",
            "planted-signing-secret",
            "--operator-token",
            "planted-operator-token",
            "--access-key",
            file.to_str().expect("text"),
            "--origin",
            "https://page.example",
        ]);
        std::fs::remove_file(&file).expect("a file of ours");
        hide_members(&json!({
            "peer": "planted-peer", "key": "planted-join-key", "token": "sp1.planted0.signed01",
        }));
        hide_members(&json!({"ticket": "st1.planted2.signed03"}));
        hide("planted-meta");
        for secret in [
            "planted-signing-secret",
            "planted-operator-token",
            "planted words of a key file, 32 bytes",
            "planted-join-key",
            "planted0",
            "signed01",
            "planted2",
            "signed03",
            "planted-meta",
        ] {
            let log = planted(secret);
            let found = search(&log);
            assert!(found.is_some_and(|line| line.contains(secret)), "{secret}");
        }
        for open in ["https://page.example", "planted-peer"] {
            assert_eq!(search(&planted(open)), None, "{open}");
        }
    }
}
