//! What may stand in no log, known by its looks: credentials, SDP and candidates.

/// Peer tokens, tickets, JWTs and where they are shown; lines of SDP; candidates; keys.
const MARKS: &[&str] = &[
    "sp1.",
    "st1.",
    "eyJ",
    "Bearer ",
    "uthorization",
    "ticket=",
    "v=0",
    "o=-",
    "a=ice-",
    "a=fingerprint",
    "a=setup",
    "a=mid",
    "candidate:",
    "-----BEGIN",
];

/// The first line of a log that holds what it may not.
pub fn search(log: &str) -> Option<&str> {
    let tells = |line: &&str| MARKS.iter().any(|mark| line.contains(mark));
    log.lines().find(tells)
}
