//! The log of all servers of this process, at the most talkative level: what they may not say is
//! searched for at the end of each.

use std::io::Write;
use std::sync::Once;

use parking_lot::Mutex;

use super::secrets;

static SAID: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Said;

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        SAID.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Has everything written down from now on.
pub fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let log = switchboard::log::subscriber("trace", false, || Said);
        tracing::subscriber::set_global_default(log).expect("no other log");
    });
}

/// Checks that nothing secret was said so far.
pub fn search() {
    let said = String::from_utf8_lossy(&SAID.lock()).into_owned();
    if let Some(line) = secrets::search(&said) {
        panic!("this stands in the log: {line}");
    }
}
