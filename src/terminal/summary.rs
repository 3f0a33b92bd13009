//! What data comes to in a few words: descriptions and candidates by what they offer, anything else
//! by its beginning.

use serde_json::Value;

use crate::client::shown;

/// Characters of a summary at most.
const MOST: usize = 120;
/// How deep descriptions and candidates are looked for.
const DEPTH: usize = 4;

/// The data of a signal in a few words; nothing where there is none.
pub(super) fn of(data: &Value) -> String {
    let text = match find(data, DEPTH) {
        Some(Found::Description(sdp)) => description(sdp),
        Some(Found::Candidate(candidate)) => one_candidate(candidate),
        None if data.is_null() => return String::new(),
        None => data.to_string(),
    };
    short(&text)
}

/// A text that takes no more than a line.
pub(super) fn short(text: &str) -> String {
    let mut line: String = text.chars().take(MOST).map(shown).collect();
    if line.len() < text.len() && text.chars().count() > MOST {
        line.push('…');
    }
    line
}

enum Found<'a> {
    Description(&'a str),
    Candidate(&'a str),
}

/// The first description or candidate in what applications wrap them in.
fn find(data: &Value, depth: usize) -> Option<Found<'_>> {
    match data {
        Value::String(text) if text.starts_with("v=0") => Some(Found::Description(text)),
        Value::String(text) if text.starts_with("candidate:") => Some(Found::Candidate(text)),
        Value::Object(fields) if depth > 0 => fields.values().find_map(|it| find(it, depth - 1)),
        Value::Array(items) if depth > 0 => items.iter().find_map(|it| find(it, depth - 1)),
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => None,
    }
}

/// The media that a description offers, and its size.
fn description(sdp: &str) -> String {
    let mut media: Vec<String> = Vec::new();
    for line in sdp.lines().filter_map(|line| line.strip_prefix("m=")) {
        let kind = line.split(' ').next().unwrap_or_default();
        media.push(kind.to_owned());
    }
    let media = if media.is_empty() {
        "no media".to_owned()
    } else {
        media.join(", ")
    };
    format!("SDP of {} bytes: {media}", sdp.len())
}

/// `candidate:F C PROTOCOL PRIORITY ADDRESS PORT typ TYPE …` (RFC 8839, section 5.1)
fn one_candidate(candidate: &str) -> String {
    let parts: Vec<_> = candidate.split(' ').collect();
    match parts[..] {
        [_, _, protocol, _, address, port, "typ", kind, ..] => {
            let address = if address.contains(':') {
                format!("[{address}]")
            } else {
                address.to_owned()
            };
            format!(
                "candidate {kind} {} {address}:{port}",
                protocol.to_lowercase()
            )
        }
        _ => candidate.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn descriptions_are_told_by_their_media_wherever_they_stand() {
        let sdp = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n";
        for data in [
            json!(sdp),
            json!({ "sdp": sdp }),
            json!({"description": {"type": "offer", "sdp": sdp}}),
        ] {
            assert_eq!(
                of(&data),
                format!("SDP of {} bytes: audio, application", sdp.len())
            );
        }
        assert_eq!(of(&json!({"sdp": "v=0"})), "SDP of 3 bytes: no media");
    }

    #[test]
    fn candidates_are_told_by_their_kind_and_address() {
        let text = "candidate:1 1 UDP 2122 192.0.2.7 50000 typ host generation 0";
        let data = json!({"candidate": text, "sdpMid": "0"});
        assert_eq!(of(&data), "candidate host udp 192.0.2.7:50000");
        let text = "candidate:1 1 tcp 2122 2001:db8::1 9 typ srflx raddr 0.0.0.0 rport 0";
        let data = json!([{ "candidate": { "candidate": text } }]);
        assert_eq!(of(&data), "candidate srflx tcp [2001:db8::1]:9");
        assert_eq!(of(&json!({"candidate": "candidate:odd"})), "candidate:odd");
    }

    #[test]
    fn other_data_is_shown_by_its_beginning_without_control_characters() {
        assert_eq!(of(&Value::Null), "");
        assert_eq!(of(&json!({"text": "hello"})), r#"{"text":"hello"}"#);
        let long = of(&json!("x".repeat(500)));
        assert_eq!(long.chars().count(), MOST + 1);
        assert!(long.ends_with('…'));
        assert_eq!(of(&json!("a\u{9b}2J")), "\"a\u{fffd}2J\"");
    }
}
