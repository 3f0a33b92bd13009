//! Names of hosts: that one is not known here is told as what it is, and no fault of the path.

use std::error::Error;
use std::io;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// How all that is said of such a name begins.
const UNKNOWN: &str = "no address is known here of the name";

/// What is then likely, and what helps.
const ADVICE: &str = "it may be misspelt, or names cannot be looked up here: a network like that has an HTTP proxy, to be named with --proxy or HTTPS_PROXY";

/// Asks the system, and says of which name it knows no address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names;

#[derive(Debug, thiserror::Error)]
#[error("{UNKNOWN} {name} ({source})")]
struct Unresolved {
    name: String,
    source: io::Error,
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found = found.map(Vec::from_iter).map_err(|source| Unresolved {
                name: name.as_str().to_owned(),
                source,
            })?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Of which name no address is known, where that is what a request failed for.
pub(super) fn unresolved(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(unresolved) = error.downcast_ref::<Unresolved>() {
            return Some(unresolved.to_string());
        }
        next = error.source();
    }
    None
}

/// What to do about what was said of a name; nothing where that is not what was said.
pub(crate) fn advice(why: &str) -> Option<&'static str> {
    why.starts_with(UNKNOWN).then_some(ADVICE)
}

/// Whether that was said of this very name.
pub(crate) fn is_of(why: &str, name: &str) -> bool {
    let rest = why.strip_prefix(UNKNOWN);
    rest.is_some_and(|rest| rest.trim_start().starts_with(&format!("{name} ")))
}
