//! Ids of rooms, peers, sessions and signals, and epochs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use switchboard::proto::{Epoch, PeerId, RoomId, SessionId, SignalId};

fuzz_target!(|text: &str| {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._~-".contains(&b);
    let fits = (1..=64).contains(&text.len()) && text.bytes().all(plain);
    let fits = fits && text != "." && text != "..";
    assert_eq!(RoomId::parse(text).is_ok(), fits);
    assert_eq!(PeerId::parse(text).is_ok(), fits);
    assert_eq!(SessionId::parse(text).is_ok(), fits);
    assert_eq!(SignalId::parse(text).is_ok(), fits);
    if let Some(epoch) = Epoch::parse(text) {
        assert_eq!(epoch.to_string(), text);
    }
});
