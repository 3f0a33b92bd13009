//! Requests to the whole surface, as text: a line with method and target, lines with headers, an
//! empty line, the body; the next one behind a line `---`. `$T`, `$K` and `$C` stand for alice's
//! token, a ticket and her cursor, `$B` for bob's token.
#![no_main]

use actix_web::http::{Method, Uri};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::Value;
use switchboard_fuzz::line;
use switchboard_fuzz::site::{Site, run};

const MOST: usize = 8;

fuzz_target!(|input: &[u8]| -> Corpus {
    if input.len() > 64 * 1024 {
        return Corpus::Reject;
    }
    run(|site| serve(site, input));
    Corpus::Keep
});

async fn serve(site: &Site, input: &[u8]) {
    let join = Uri::from_static("/rooms/demo/peers");
    let mut names: Vec<(&str, String)> = Vec::new();
    for (peer, token) in [("alice", "$T"), ("bob", "$B")] {
        let body = format!(r#"{{"peer":"{peer}"}}"#);
        let joined = site
            .ask(Method::POST, &join, &[], body.as_bytes(), 99)
            .await
            .json();
        let text = |field: &str| joined[field].as_str().map(str::to_owned).expect("a text");
        names.push((token, text("token")));
        if peer == "alice" {
            names.extend([("$K", text("ticket")), ("$C", text("cursor"))]);
        }
    }
    let mut rest = input;
    for _ in 0..MOST {
        if rest.is_empty() {
            break;
        }
        let end = rest.windows(5).position(|part| part == b"\n---\n");
        let (one, others) = end.map_or((rest, &[][..]), |at| (&rest[..at], &rest[at + 5..]));
        rest = others;
        let one = fill(one, &names);
        request(site, &one).await;
    }
    // Whatever was asked, the others are served as ever.
    let list = site.ask(Method::GET, &join, &[], &[], 99).await;
    assert_eq!(list.status, 200);
    assert!(matches!(list.json()["peers"], Value::Array(_)));
}

async fn request(site: &Site, text: &[u8]) {
    let (first, mut rest) = line(text);
    let mut words = first.splitn(2, |byte| *byte == b' ');
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let (Ok(method), Ok(target)) = (Method::from_bytes(method), Uri::try_from(target)) else {
        return;
    };
    let mut headers = Vec::new();
    while !rest.is_empty() {
        let (header, behind) = line(rest);
        rest = behind;
        if header.is_empty() {
            break;
        }
        let at = header.iter().position(|byte| *byte == b':');
        let (name, value) = header.split_at(at.unwrap_or(header.len()));
        if let Ok(name) = std::str::from_utf8(name) {
            headers.push((name, value.get(1..).unwrap_or_default().trim_ascii()));
        }
    }
    site.ask(method, &target, &headers, rest, 8).await;
}

fn fill(text: &[u8], names: &[(&str, String)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        let name = names
            .iter()
            .find(|(name, _)| rest.starts_with(name.as_bytes()));
        match name {
            Some((name, value)) => {
                out.extend_from_slice(value.as_bytes());
                rest = &rest[name.len()..];
            }
            None => {
                out.push(*first);
                rest = behind;
            }
        }
    }
    out
}
