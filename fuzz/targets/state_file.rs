//! State files: any bytes, and any lines with the digest that is right for them. What was read is
//! lived with: time passes, somebody joins, and it is written again.
#![no_main]

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use libfuzzer_sys::fuzz_target;
use switchboard::Config;
use switchboard::backplane::Memory;
use switchboard::hub::{Clock, Hub};
use switchboard::state_file::VERSION;
use switchboard::state_file::fuzz::{file, signed};

fuzz_target!(|input: &[u8]| {
    let _ = file(input);
    let lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    let Ok(state) = signed(&lines) else {
        return;
    };
    static CONFIG: OnceLock<Config> = OnceLock::new();
    let config = CONFIG.get_or_init(Config::standard);
    let millis = Arc::new(AtomicU64::new(state.hub.now.0));
    let clock = Clock::Manual(millis.clone());
    let hub = Hub::new(config.bounds.limits(), config.timings(), clock, Memory);
    hub.restore(state.hub);
    for room in state.rooms {
        hub.restore_room(room);
    }
    for room in hub.rooms() {
        hub.peers(&room.room);
    }
    for pass in [0, 1_000, 2_000, 60_000, 600_000] {
        millis.fetch_add(pass, Ordering::Relaxed);
        hub.tick();
    }
    let (mut lines, saved) = (Vec::new(), hub.save());
    let header = serde_json::json!({"switchboard_state": VERSION, "hub": saved});
    lines.push(serde_json::to_vec(&header).expect("JSON"));
    let written = hub.save_rooms(|room| {
        lines.push(serde_json::to_vec(room)?);
        Ok::<_, serde_json::Error>(())
    });
    written.expect("JSON");
    let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
    assert!(signed(&lines).is_ok(), "what was written can be read");
});
