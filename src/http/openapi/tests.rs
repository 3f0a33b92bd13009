//! The document against the route table and the list of problems.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

use super::{DOCUMENT, TAGS};
use crate::http::problem::SLUGS;

/// The route table itself.
const ROUTES: &str = include_str!("../../http.rs");

fn document() -> Value {
    serde_json::from_str(&DOCUMENT).expect("JSON")
}

/// The methods of each path, as the table names them for `Allow`.
fn routed() -> BTreeMap<String, BTreeSet<String>> {
    let made = ROUTES.split("resource(").skip(1);
    let texts = made.map(|made| made.split('"').skip(1).step_by(2));
    texts
        .filter_map(|mut texts| Some((texts.next()?, texts.next()?)))
        .filter(|(path, _)| path.starts_with('/'))
        .map(|(path, allow)| {
            (
                path.to_owned(),
                allow.split(", ").map(str::to_owned).collect(),
            )
        })
        .collect()
}

fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let document = document();
    let paths = document["paths"].as_object().expect("paths");
    let methods = |item: &Value| {
        let item = item.as_object().expect("a path item");
        item.keys().map(|method| method.to_uppercase()).collect()
    };
    paths
        .iter()
        .map(|(path, item)| (path.clone(), methods(item)))
        .collect()
}

fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    paths
        .iter()
        .flat_map(|(path, item)| {
            let item = item.as_object().expect("a path item");
            item.iter()
                .map(move |(method, operation)| (format!("{method} {path}"), operation))
        })
        .collect()
}

#[test]
fn every_route_is_documented_and_nothing_else_is() {
    let routed = routed();
    assert!(routed.len() > 20, "{routed:?}");
    assert_eq!(routed, documented());
}

#[test]
fn every_problem_is_documented_at_some_door_but_those_that_are_at_none() {
    let document = document();
    let mut told = BTreeSet::new();
    for (name, operation) in operations(&document) {
        for (status, response) in operation["responses"].as_object().expect("responses") {
            let schema = &response["content"]["application/problem+json"]["schema"];
            let Some(kinds) = schema["allOf"][1]["properties"]["type"]["enum"].as_array() else {
                continue;
            };
            for kind in kinds {
                let kind = kind.as_str().expect("a type");
                let slug = SLUGS
                    .iter()
                    .find(|slug| kind == format!("/problems/{}", slug.name))
                    .expect(kind);
                assert_eq!(slug.status.to_string(), *status, "{name}: {kind}");
                told.insert(slug.name);
            }
        }
    }
    let missing: Vec<_> = SLUGS
        .iter()
        .map(|slug| slug.name)
        .filter(|name| !told.contains(name))
        .collect();
    // Of a path that takes other methods, which is no operation.
    assert_eq!(missing, ["wrong-method"]);
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    let document = document();
    let mut named = BTreeSet::new();
    references(&document, &mut named);
    let schemas = document["components"]["schemas"]
        .as_object()
        .expect("schemas");
    let there: BTreeSet<_> = schemas
        .keys()
        .map(|name| format!("#/components/schemas/{name}"))
        .collect();
    assert_eq!(named, there);
}

fn references(value: &Value, named: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if let (Some(place), "$ref") = (value.as_str(), name.as_str()) {
                    named.insert(place.to_owned());
                } else {
                    references(value, named);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, named)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn operations_have_names_of_their_own_tags_and_links_that_lead_somewhere() {
    let document = document();
    let all = operations(&document);
    let id = |operation: &Value| operation["operationId"].as_str().map(str::to_owned);
    let ids: BTreeSet<_> = all
        .iter()
        .filter_map(|(_, operation)| id(operation))
        .collect();
    assert_eq!(ids.len(), all.len());
    let mut wrong = String::new();
    for (name, operation) in &all {
        let tag = operation["tags"][0].as_str().unwrap_or_default();
        if !TAGS.iter().any(|(known, _)| *known == tag) {
            let _ = writeln!(wrong, "{name} has the tag {tag:?}");
        }
        let responses = operation["responses"].as_object().expect("responses");
        let links = responses
            .values()
            .filter_map(|response| response["links"].as_object());
        for link in links.flat_map(|links| links.values()) {
            let to = link["operationId"].as_str().unwrap_or_default();
            if !ids.contains(to) {
                let _ = writeln!(wrong, "{name} leads to {to:?}");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
