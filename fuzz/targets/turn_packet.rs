//! What clients send to the relay: as a datagram, and as a stream, torn wherever it may be.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use switchboard::ice::relay::fuzz::Server;

static SERVER: LazyLock<Server> = LazyLock::new(|| Server::new().expect("random numbers"));

fuzz_target!(|input: &[u8]| {
    if let Some(answer) = SERVER.datagram(input) {
        // Nobody gets more to send to others than what a challenge holds.
        assert!(answer.len() <= 128, "{}", answer.len());
    }
    let whole = SERVER.stream([input].into_iter());
    let Some((first, rest)) = input.split_first() else {
        return;
    };
    let (head, tail) = rest.split_at(rest.len().min(usize::from(*first)));
    let torn = SERVER.stream([&input[..1], head, tail].into_iter());
    assert_eq!(whole, torn);
});
