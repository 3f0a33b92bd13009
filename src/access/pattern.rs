//! Names with wildcards, as access tokens have them.

use serde::{Deserialize, Serialize};

/// A name in which `*` stands for any run of characters, none too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pattern(String);

impl Pattern {
    /// Takes a pattern as it is written.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether it stands for `name`.
    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = name.strip_prefix(first) else {
            return false;
        };
        let Some(last) = parts.next_back() else {
            return rest.is_empty();
        };
        // The earliest place of each part leaves the most for those behind it.
        for part in parts {
            let Some((_, behind)) = rest.split_once(part) else {
                return false;
            };
            rest = behind;
        }
        rest.ends_with(last)
    }

    /// Whether it stands for every name.
    pub fn is_any(&self) -> bool {
        !self.0.is_empty() && self.0.bytes().all(|b| b == b'*')
    }

    /// The only name that it stands for, where there is one.
    pub fn only(&self) -> Option<&str> {
        (!self.0.contains('*')).then_some(self.0.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (pattern, yes, no) in [
            ("demo", &["demo"][..], &["", "dem", "demos", "a-demo"][..]),
            ("*", &["", "a", "any.room"], &[]),
            ("class-*", &["class-", "class-7a"], &["class", "my-class-7"]),
            ("*-eu", &["a-eu", "-eu"], &["a-eu-1", "eu"]),
            (
                "a*b*c",
                &["abc", "a--b--c", "abbcc", "abcbc"],
                &["acb", "ab", "abcd"],
            ),
            ("a*a", &["aa", "aba"], &["a", "ab"]),
            ("**", &["", "x"], &[]),
            ("", &[""], &["a"]),
        ] {
            let pattern = Pattern::new(pattern);
            for name in yes {
                assert!(pattern.matches(name), "{pattern:?} {name}");
            }
            for name in no {
                assert!(!pattern.matches(name), "{pattern:?} {name}");
            }
        }
    }

    #[test]
    fn only_a_plain_name_stands_for_one() {
        assert_eq!(Pattern::new("alice").only(), Some("alice"));
        assert_eq!(Pattern::new("al*").only(), None);
    }
}
