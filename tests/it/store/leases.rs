//! What any engine does when nodes come and go.

use switchboard::backplane::store::{Append, StoreError};

use super::world::{World, entry, room};

pub async fn a_dead_nodes_rooms_are_told_of_until_they_are_swept(world: &World) {
    let (dies, mut one, mut other) = (
        world.brief_node().await,
        world.brief_node().await,
        world.brief_node().await,
    );
    let (here, there) = (room("here"), room("there"));
    dies.keep(&here).await;
    dies.keep(&there).await;
    one.keep(&here).await;
    let dead = dies.id();
    drop(dies);
    // Whichever of the two sweeps: the other hears nothing of it while that one lives.
    let (sweeper, first) = tokio::select! {
        lost = one.lost() => (&mut one, lost),
        lost = other.lost() => (&mut other, lost),
    };
    let mut rooms = vec![first, sweeper.lost().await];
    rooms.sort();
    assert_eq!(rooms, [(here.clone(), dead), (there.clone(), dead)]);
    sweeper.store.swept(&here, dead).await.expect("done");
    // Those told of before that may be under way still.
    while sweeper.lost().await != (there.clone(), dead) {}
    assert_eq!(sweeper.lost().await, (there.clone(), dead));
    sweeper.store.swept(&there, dead).await.expect("done");
    // Nobody sweeps the living.
    assert_ne!(sweeper.id(), dead);
    sweeper.say(&here, "still here").await;
}

pub async fn a_node_that_resigns_is_swept_at_once(world: &World) {
    let (goes, mut stays) = (world.node().await, world.node().await);
    let to = room("resigned");
    goes.keep(&to).await;
    let gone = goes.id();
    goes.store.resign().await.expect("done");
    let append = goes.try_append(&to, entry("too late")).await;
    assert_eq!(append, Err(StoreError::Fenced));
    assert_eq!(stays.lost().await, (to.clone(), gone));
    stays.store.swept(&to, gone).await.expect("done");
    assert_eq!(stays.fetch(&to, 0).await.entries.len(), 1);
}

pub async fn what_was_released_is_not_swept(world: &World) {
    let (goes, mut stays) = (world.node().await, world.node().await);
    let (kept, released, moved_on) = (room("kept"), room("released"), room("moved-on"));
    goes.keep(&kept).await;
    let at = goes.keep(&released).await;
    goes.store.release(&released, at).await.expect("done");
    let at = goes.keep(&moved_on).await;
    let append = Append {
        known: at,
        ..entry("meanwhile")
    };
    stays.append(&moved_on, append).await;
    goes.store.release(&moved_on, at).await.expect("done");
    let gone = goes.id();
    goes.store.resign().await.expect("done");
    let mut lost = vec![stays.lost().await, stays.lost().await];
    lost.sort();
    assert_eq!(lost, [(kept.clone(), gone), (moved_on.clone(), gone)]);
    stays.store.swept(&kept, gone).await.expect("done");
    stays.store.swept(&moved_on, gone).await.expect("done");
}
