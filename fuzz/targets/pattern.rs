//! Patterns of access tokens (the first line), against a slow and simple reading of what they mean.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard::access::Pattern;

fn matches(pattern: &[char], name: &[char]) -> bool {
    // Whether the pattern so far stands for each beginning of the name.
    let mut row = vec![false; name.len() + 1];
    row[0] = true;
    for p in pattern {
        let mut next = vec![false; name.len() + 1];
        next[0] = *p == '*' && row[0];
        for (n, c) in name.iter().enumerate() {
            next[n + 1] = if *p == '*' {
                row[n + 1] || next[n]
            } else {
                row[n] && p == c
            };
        }
        row = next;
    }
    row[name.len()]
}

fuzz_target!(|text: &str| {
    let (pattern, name) = text.split_once('\n').unwrap_or((text, ""));
    if pattern.len() * name.len() > 1 << 16 {
        return;
    }
    let slow = matches(
        &pattern.chars().collect::<Vec<_>>(),
        &name.chars().collect::<Vec<_>>(),
    );
    assert_eq!(Pattern::new(pattern).matches(name), slow);
});
