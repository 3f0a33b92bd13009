//! What a peer was promised and what it got: each signal that was answered with 202 comes once and
//! in order, or its loss is told before the next.

use serde_json::Value;

/// One incarnation's mail, by the `data` of its signals.
pub struct Mail {
    promised: Vec<String>,
    /// The cursors that were given out, each with how many signals had come by then.
    cursors: Vec<(String, usize)>,
}

impl Mail {
    /// From the cursor of a join.
    pub fn new(cursor: &str) -> Self {
        Self {
            promised: Vec::new(),
            cursors: vec![(cursor.to_owned(), 0)],
        }
    }

    /// A sender was told 202.
    pub fn promise(&mut self, data: String) {
        self.promised.push(data);
    }

    /// The last cursor, or one that was given out before it, and how many signals are behind it.
    pub fn cursor(&self, back: usize) -> (String, usize) {
        let last = self.cursors.len() - 1;
        self.cursors[last.saturating_sub(back)].clone()
    }

    /// Events came, read from behind `at` signals, up to `cursor`. Where it is known that there is
    /// no more, all must have come.
    pub fn got(
        &mut self,
        mut at: usize,
        mut gap: bool,
        events: &[Value],
        cursor: Option<&str>,
        all: bool,
    ) {
        for event in events {
            if event["event"] == "signal" {
                let data = event["data"]["data"].to_string();
                let found = self.promised[at..].iter().position(|one| *one == data);
                let skipped =
                    found.unwrap_or_else(|| panic!("{data} comes twice or was never sent"));
                assert!(skipped == 0 || gap, "{skipped} missing before {data}");
                gap = false;
                at += skipped + 1;
            }
            if let Some(id) = event["id"].as_str() {
                self.cursors.push((id.to_owned(), at));
            }
        }
        if all {
            let missing = self.promised.len() - at;
            assert!(gap || missing == 0, "{missing} missing at the end");
            at = self.promised.len();
        }
        if let Some(cursor) = cursor {
            self.cursors.push((cursor.to_owned(), at));
        }
    }
}
