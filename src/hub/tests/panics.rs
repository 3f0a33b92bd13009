//! A panic over one room is not the end of what is due in others.

use super::*;
use crate::backplane::{Appending, Log};

/// Panics when somebody of that name is to be away.
struct Fragile(&'static str);

impl Backplane for Fragile {
    fn append(&self, log: &dyn Log, entry: Entry) -> Appending {
        let panics = matches!(&entry, Entry::Away { peer, .. } if peer.as_str() == self.0);
        assert!(!panics, "on purpose");
        Memory.append(log, entry)
    }
}

#[test]
fn a_panic_over_one_room_leaves_that_and_the_others_their_time() {
    let mut world = World::on(Fragile("broken"), Duration::ZERO);
    let members = ["broken", "whole"].map(|name| world.join_in(name, name));
    for member in &members {
        drop(world.open(member, Door::Events));
    }
    let states = |world: &World| {
        let state = |member: &Caller| {
            let peers = world.hub.peers(&member.room);
            peers.first().map(|peer| peer.state)
        };
        members.each_ref().map(state)
    };
    world.pass(2_020);
    assert_eq!(
        states(&world),
        [Some(Presence::Queued), Some(Presence::Away)]
    );
    world.pass(30_000);
    assert_eq!(states(&world), [None; 2], "both are looked at again");
    assert!(world.is_forgotten());
}
