//! What a STUN or (behind a first `t`) TURN server answers the check, one message after the other.
#![no_main]

use std::pin::pin;
use std::task::{Context, Waker};

use libfuzzer_sys::fuzz_target;
use switchboard::check::fuzz::stun;

fuzz_target!(|input: &[u8]| {
    let Some((first, answers)) = input.split_first() else {
        return;
    };
    let mut asking = pin!(stun(*first == b't', answers));
    // The other side never makes it wait.
    assert!(
        asking
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    );
});
