//! What a peer was promised and what it got: each signal that was answered with 202 comes once and
//! in order, or its loss is told before the next.

use serde_json::Value;

/// Where a reader stands.
#[derive(Clone, Copy, Default)]
pub struct Place {
    /// How many signals are behind it.
    at: usize,
    /// It was told of a loss since the last of them.
    gap: bool,
}

/// One incarnation's mail, by the `data` of its signals.
pub struct Mail {
    promised: Vec<String>,
    /// The cursors that were given out, and where each stands.
    cursors: Vec<(String, Place)>,
}

impl Mail {
    /// From the cursor of a join.
    pub fn new(cursor: &str) -> Self {
        Self {
            promised: Vec::new(),
            cursors: vec![(cursor.to_owned(), Place::default())],
        }
    }

    /// A sender was told 202.
    pub fn promise(&mut self, data: String) {
        self.promised.push(data);
    }

    /// The last cursor, or one that was given out before it, and where it stands.
    pub fn cursor(&self, back: usize) -> (String, Place) {
        let last = self.cursors.len() - 1;
        self.cursors[last.saturating_sub(back)].clone()
    }

    /// Events came, read from `place`, up to `cursor`. Where it is known that there is
    /// no more, all must have come.
    pub fn got(
        &mut self,
        place: Place,
        gap: bool,
        events: &[Value],
        cursor: Option<&str>,
        all: bool,
    ) {
        let Place {
            mut at,
            gap: before,
        } = place;
        let mut gap = gap || before;
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
                self.cursors.push((id.to_owned(), Place { at, gap }));
            }
        }
        if all {
            let missing = self.promised.len() - at;
            assert!(gap || missing == 0, "{missing} missing at the end");
            at = self.promised.len();
            gap = false;
        }
        if let Some(cursor) = cursor {
            self.cursors.push((cursor.to_owned(), Place { at, gap }));
        }
    }
}
