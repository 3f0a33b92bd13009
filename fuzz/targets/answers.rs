//! What a server, or who poses as one, answers the check: a stream of ticks, cut into pieces after
//! every so many bytes as the first byte says, and the answer to a join.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard::check::fuzz::{joined, ticks};

fuzz_target!(|input: &[u8]| {
    assert!(joined(input).is_none_or(|count| count <= 8));
    let Some((first, stream)) = input.split_first() else {
        return;
    };
    let cut = ticks(stream.chunks(usize::from(*first).max(1)));
    assert_eq!(cut, ticks([stream].into_iter()), "wherever it was cut");
});
