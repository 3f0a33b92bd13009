//! Events on standard output: a line for people, or one of JSON for programs.

use std::io::{self, IsTerminal as _, Write};
use std::time::SystemTime;

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::Value;

use super::options::Format;
use super::summary;
use crate::client::event::Event;
use crate::client::{shown, tame};

/// Characters of the column of names.
const NAME: usize = 13;

const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// Writes events.
pub(crate) struct Printer<W> {
    is_pretty: bool,
    is_verbose: bool,
    out: W,
}

/// A line of JSON: the event, and when it came.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    event: &'a Event,
    at: String,
}

/// A printer to standard output.
pub(crate) type Output = Printer<Box<dyn Write>>;

impl Output {
    /// Writes to standard output; in colours where that is a terminal, unless NO_COLOR is set.
    pub(crate) fn new(format: Format, is_verbose: bool) -> Self {
        let is_pretty = match format {
            Format::Auto => io::stdout().is_terminal(),
            Format::Pretty => true,
            Format::Json => false,
        };
        let out: Box<dyn Write> = if is_pretty {
            Box::new(anstream::stdout())
        } else {
            Box::new(io::stdout())
        };
        Self {
            is_pretty,
            is_verbose,
            out,
        }
    }
}

impl<W: Write> Printer<W> {
    /// Whether lines are for people.
    pub(crate) fn is_pretty(&self) -> bool {
        self.is_pretty
    }

    /// Writes one event that came at that time. Pings only where all is to be seen.
    ///
    /// # Errors
    /// Where standard output takes nothing.
    pub(crate) fn event(&mut self, event: &Event, at: SystemTime) -> io::Result<()> {
        if event.name == "ping" && !self.is_verbose {
            return Ok(());
        }
        let at = humantime::format_rfc3339_millis(at).to_string();
        if !self.is_pretty {
            return self.json(&Line { event, at });
        }
        // The time of the day, of `2026-01-31T12:34:56.789Z`.
        let time = at.get(11..).unwrap_or_default();
        let data = event.json();
        let (who, what) = told(&event.name, &data);
        let name: String = event.name.chars().take(32).map(shown).collect();
        let style = colour(&event.name).on_default();
        writeln!(
            self.out,
            "{DIM}{time}{DIM:#}  {style}{name:NAME$}{style:#} {BOLD}{who}{BOLD:#}{}{what}",
            if who.is_empty() || what.is_empty() {
                ""
            } else {
                "  "
            },
        )?;
        if self.is_verbose && event.name != "ping" {
            self.data(&data)?;
        }
        self.out.flush()
    }

    /// Writes a line of JSON.
    ///
    /// # Errors
    /// Where standard output takes nothing.
    pub(crate) fn json(&mut self, line: &impl Serialize) -> io::Result<()> {
        // A line, also where what was sent had several.
        let line = tame(&serde_json::to_string(line)?).replace(['\n', '\r'], " ");
        writeln!(self.out, "{line}")?;
        self.out.flush()
    }

    /// Writes a line for people.
    ///
    /// # Errors
    /// Where standard output takes nothing.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        let text: String = text.chars().map(shown).collect();
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }

    /// All of the data, in lines; a text with lines of its own as such.
    fn data(&mut self, data: &Value) -> io::Result<()> {
        let text = serde_json::to_string_pretty(data)?;
        for line in text
            .replace("\\r\\n", "\\n")
            .split('\n')
            .flat_map(|line| line.split("\\n"))
        {
            let line: String = line.chars().map(shown).collect();
            writeln!(self.out, "    {DIM}{line}{DIM:#}")?;
        }
        Ok(())
    }
}

fn colour(name: &str) -> AnsiColor {
    match name {
        "signal" => AnsiColor::Cyan,
        "peer-joined" | "peer-back" | "peer-updated" => AnsiColor::Green,
        "peer-away" => AnsiColor::Yellow,
        "peer-left" | "session-ended" | "end" => AnsiColor::Red,
        "gap" => AnsiColor::BrightRed,
        _ => AnsiColor::Blue,
    }
}

/// Whom an event is about, and what it says.
fn told(name: &str, data: &Value) -> (String, String) {
    let text = |field: &str| data[field].as_str().map(summary::short).unwrap_or_default();
    let number = |field: &str| data[field].as_u64().unwrap_or_default();
    let joined = |parts: &[String]| {
        let parts: Vec<_> = parts
            .iter()
            .filter(|part| !part.is_empty())
            .map(String::as_str)
            .collect();
        parts.join("  ")
    };
    match name {
        "signal" => {
            let kind = joined(&[text("type"), text("session")]).replace("  ", " ");
            (text("from"), joined(&[kind, summary::of(&data["data"])]))
        }
        "session-ended" => {
            let what = joined(&[text("session"), text("reason")]).replace("  ", " ");
            (text("peer"), joined(&[what, summary::of(&data["data"])]))
        }
        "peer-joined" | "peer-updated" => (text("peer"), summary::of(&data["meta"])),
        "peer-away" => (
            text("peer"),
            format!("for {} s at most", number("grace_ms") / 1000),
        ),
        "peer-back" | "peer-left" => (text("peer"), text("reason")),
        "ready" => {
            let what = format!("in {}, {} to come", text("room"), number("replayed"));
            (text("peer"), what)
        }
        "gap" => {
            let lost = data["lost"].as_u64().map(|lost| format!("{lost} events"));
            let what = joined(&[text("reason"), lost.unwrap_or_default()]);
            ("events are missing".into(), what)
        }
        "end" => (
            String::new(),
            joined(&[
                text("reason"),
                format!("retry {}", text("retry")),
                text("detail"),
            ]),
        ),
        "wake" => (String::new(), format!("{} signals wait", number("pending"))),
        "ice-servers" => (String::new(), "new credentials".into()),
        "ping" => (String::new(), String::new()),
        _ => (String::new(), summary::of(data)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn printed(is_pretty: bool, is_verbose: bool, name: &str, data: &Value) -> String {
        let mut printer = Printer {
            is_pretty,
            is_verbose,
            out: anstream::StripStream::new(Vec::new()),
        };
        let event = Event::read(Some("e-1".into()), name.into(), data.to_string());
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_500);
        printer.event(&event.expect("JSON"), at).expect("written");
        String::from_utf8(printer.out.into_inner()).expect("text")
    }

    #[test]
    fn programs_get_the_event_as_it_was_sent_and_when_it_came() {
        let line = printed(
            false,
            false,
            "signal",
            &json!({"from": "bob", "data": 1.50}),
        );
        assert_eq!(
            line,
            "{\"id\":\"e-1\",\"event\":\"signal\",\"data\":{\"data\":1.5,\"from\":\"bob\"},\"at\":\"1970-01-01T00:00:01.500Z\"}\n"
        );
    }

    #[test]
    fn people_get_who_and_what_in_a_line() {
        for (name, data, wanted) in [
            (
                "signal",
                json!({"from": "bob", "type": "offer", "session": "s1", "data": {"sdp": "v=0\r\nm=video 9"}}),
                "signal        bob  offer s1  SDP of 14 bytes: video",
            ),
            (
                "peer-left",
                json!({"peer": "bob", "reason": "left"}),
                "peer-left     bob  left",
            ),
            (
                "session-ended",
                json!({"session": "s1", "peer": "bob", "reason": "hangup"}),
                "session-ended bob  s1 hangup",
            ),
            (
                "gap",
                json!({"reason": "evicted", "lost": 3}),
                "gap           events are missing  evicted  3 events",
            ),
            (
                "end",
                json!({"reason": "drain", "retry": "now"}),
                "end           drain  retry now",
            ),
        ] {
            assert_eq!(
                printed(true, false, name, &data),
                format!("00:00:01.500Z  {wanted}\n")
            );
        }
    }

    #[test]
    fn nothing_of_a_peer_s_reaches_the_terminal_as_control_characters() {
        let evil = "\u{1b}[2J\u{202e}x\r\ny";
        let data = json!({"from": evil, "type": evil, "session": evil, "data": {"a": evil}});
        for is_verbose in [false, true] {
            for name in ["signal", evil] {
                let text = printed(true, is_verbose, name, &data);
                assert!(!text.contains(['\u{1b}', '\u{202e}', '\r']), "{text:?}");
            }
        }
    }

    #[test]
    fn in_json_control_characters_are_escapes_and_each_event_is_a_line() {
        let evil = "\u{7f}\u{80}\u{9b}2J\u{9f}\u{202e}\u{a0}x\u{1b}";
        let mut printer = Printer {
            is_pretty: false,
            is_verbose: false,
            out: Vec::new(),
        };
        let raw = format!("{{\n\"from\":\r\n{}}}", Value::from(evil));
        let event = Event::read(None, "signal".into(), raw).expect("JSON");
        printer.event(&event, SystemTime::now()).expect("written");
        printer.json(&json!({ "peer": evil })).expect("written");
        let text = String::from_utf8(printer.out).expect("text");
        assert_eq!(text.lines().count(), 2, "{text:?}");
        for line in text.lines() {
            assert!(!line.contains(char::is_control), "{line:?}");
            assert!(line.contains(r"\u007f\u0080\u009b2J\u009f\u202e"), "{line}");
            let said: Value = serde_json::from_str(line).expect("JSON");
            let said = said.pointer("/data/from").or(said.get("peer"));
            assert_eq!(said, Some(&Value::from(evil)), "the same");
        }
    }

    #[test]
    fn pings_are_for_the_curious() {
        assert_eq!(printed(true, false, "ping", &json!({})), "");
        assert!(printed(true, true, "ping", &json!({})).contains("ping"));
    }
}
