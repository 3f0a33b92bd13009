//! Closed tables of words: reasons, refusals, events, bounds, invariants. Documents have all of them, and no others.

use std::collections::BTreeSet;

use switchboard::config::fixed;
use switchboard::http::problem::SLUGS;
use switchboard::proto::Reason;

use super::markdown::{self, codes_of, root};
use crate::harness::TestServer;

#[test]
fn the_table_of_ends_has_every_reason_and_what_to_do() {
    let ends = markdown::read("docs/protocol.md").section("## Ends");
    let mut told = BTreeSet::new();
    for row in &ends.tables()[0].rows {
        let [reason] = codes_of(&row[0])[..] else {
            panic!("one reason a row: {row:?}");
        };
        let known = Reason::ALL
            .into_iter()
            .find(|known| known.as_str() == reason);
        let known = known.unwrap_or_else(|| panic!("there is no {reason}"));
        // A session has no reader that could do anything.
        let retry = if known == Reason::Hangup {
            ""
        } else {
            known.retry().as_str()
        };
        assert_eq!(row[2].trim_matches('|').trim(), retry, "{reason}");
        told.insert(reason.to_owned());
    }
    assert_eq!(told.len(), Reason::ALL.len(), "{told:?}");
}

#[test]
fn the_table_of_refusals_has_every_one_with_its_status() {
    let refusals = markdown::read("docs/protocol.md").section("## Refusals");
    let rows = &refusals.tables()[0].rows;
    let told: Vec<(String, String)> = rows
        .iter()
        .map(|row| (row[0].clone(), codes_of(&row[1]).concat()))
        .collect();
    let all: Vec<_> = SLUGS
        .iter()
        .map(|slug| (slug.status.to_string(), slug.name.to_owned()))
        .collect();
    assert_eq!(told, all);
}

#[test]
fn every_refusal_that_a_document_names_is_there_with_that_status() {
    let mut named = 0;
    for document in markdown::all() {
        for code in document.codes() {
            let Some((status, name)) = code.split_once(' ') else {
                continue;
            };
            let is_status = status.len() == 3 && status.bytes().all(|b| b.is_ascii_digit());
            let is_name = name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            if !is_status || !is_name {
                continue;
            }
            let known = SLUGS
                .iter()
                .any(|slug| slug.name == name && slug.status.to_string() == status);
            assert!(known, "{} names {code}", document.path);
            named += 1;
        }
    }
    assert!(named > 50, "{named}");
}

#[tokio::test]
async fn the_table_of_events_has_every_one() {
    let server = TestServer::start().await;
    let document = server.get("/openapi.json").await.json;
    let schemas = document["components"]["schemas"]["Event"]["oneOf"]
        .as_array()
        .expect("events");
    let known: BTreeSet<_> = schemas
        .iter()
        .map(|one| one["title"].as_str().expect("a name").to_owned())
        .collect();
    let events = markdown::read("docs/protocol.md").section("### Events");
    let tables = events.tables();
    let rows = tables[0].rows.iter();
    let told: BTreeSet<_> = rows
        .flat_map(|row| codes_of(&row[0]))
        .map(str::to_owned)
        .collect();
    assert_eq!(told, known);
}

#[test]
fn the_bounds_of_the_wire_are_the_true_ones() {
    let bounds = markdown::read("docs/protocol.md")
        .section("### Bounds")
        .text;
    let kib = |bytes: usize| format!("{} KiB", bytes / 1024);
    let pairs = [
        format!("| {}, 32 characters |", fixed::ID_CHARACTERS),
        format!("| {}, {} |", kib(fixed::DATA_BYTES), kib(fixed::META_BYTES)),
        format!(
            "| {}, {} |",
            kib(fixed::REQUEST_BYTES),
            kib(fixed::JOIN_BYTES)
        ),
        format!("| {} |", fixed::ARRAY_LENGTH),
        format!("| 1,000 events, about {} |", kib(fixed::POLL_BYTES)),
        format!(
            "| {}, {} header fields |",
            kib(fixed::HEAD_BYTES),
            fixed::HEAD_FIELDS
        ),
    ];
    assert_eq!(fixed::POLL_EVENTS, 1000);
    for row in pairs {
        assert!(bounds.contains(&row), "docs/protocol.md has not {row}");
    }
}

#[test]
fn the_invariants_stand_in_the_architecture_as_in_the_crate() {
    let source = std::fs::read_to_string(root().join("src/lib.rs")).expect("the crate");
    let comments: String = source
        .lines()
        .filter_map(|line| line.strip_prefix("//!"))
        .map(|line| format!("{}\n", line.trim()))
        .collect();
    let (_, own) = comments.split_once("# Invariants").expect("its invariants");
    let section = markdown::read("docs/architecture.md").section("## Invariants");
    let (own, copied) = (numbered(own), numbered(&section.text));
    assert_eq!(copied, own);
    assert!(own.len() >= 10, "{own:?}");
}

/// The sentences of a numbered list, each on one line.
fn numbered(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for line in text.lines().map(str::trim) {
        let number = line
            .split_once(". ")
            .filter(|(n, _)| n.bytes().all(|b| b.is_ascii_digit()) && !n.is_empty());
        if let Some((_, sentence)) = number {
            all.push(sentence.to_owned());
        } else if let Some(last) = all.last_mut().filter(|_| !line.is_empty()) {
            last.push(' ');
            last.push_str(line);
        }
    }
    all
}
