//! Maps of what one room or one peer has.

use std::collections::HashMap;

/// A map whose keys are hashed fast. They come from clients, who could choose such as collide if they
/// saw the hashes: so it is for what has a bound of its own, like the peers of a room. The table of
/// all rooms has none, and is hashed as the standard library does it.
pub type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;
