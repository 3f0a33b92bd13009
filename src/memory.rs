//! The allocator: one that gives back what a storm of connections took.

use tikv_jemalloc_ctl::{Access as _, AsName as _, background_thread};
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// How long freed memory is kept for use again before the system has it back, in milliseconds.
const KEPT_MS: isize = 1000;

/// Has freed memory go back to the system while nothing happens too. To be called before there are
/// other threads; where it fails, memory is only given back later.
pub fn give_back() {
    for decay in [&b"arenas.dirty_decay_ms\0"[..], b"arena.0.dirty_decay_ms\0"] {
        let _ = decay.name().write(KEPT_MS);
    }
    for decay in [&b"arenas.muzzy_decay_ms\0"[..], b"arena.0.muzzy_decay_ms\0"] {
        let _ = decay.name().write(0_isize);
    }
    let _ = background_thread::write(true);
}
