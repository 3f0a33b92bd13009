//! The shared store: the model in this process, Redis, Valkey and a cluster all do the same.

pub mod cluster;
pub mod engine;
mod failures;
mod follow;
mod gate;
mod leases;
pub mod port;
mod rate;
mod sentinel;
mod suite;
mod tls;
mod upkeep;
pub mod world;

/// Each case of the suite, on the model and on each engine.
macro_rules! on_each {
    ($($suite:ident: $($case:ident)*;)*) => {
        mod model {
            $($(#[tokio::test]
            async fn $case() {
                super::$suite::$case(&super::world::World::model()).await;
            })*)*
        }

        mod redis {
            $($(#[tokio::test]
            async fn $case() {
                super::$suite::$case(&super::world::World::redis()).await;
            })*)*
        }

        mod valkey {
            $($(#[tokio::test]
            async fn $case() {
                if let Some(world) = super::world::World::valkey() {
                    super::$suite::$case(&world).await;
                }
            })*)*
        }

        /// All of them on one engine, one after the other.
        async fn all(world: impl Fn() -> world::World) {
            $($({
                eprintln!("{}", stringify!($case));
                $suite::$case(&world()).await;
            })*)*
        }
    };
}

on_each! {
    suite:
        every_node_reads_the_same_order
        a_repeat_is_stored_once
        bells_reach_the_nodes_concerned_and_no_other
        large_entries_are_rung_without_their_content
        a_seat_is_left_by_its_own_reader_only
        whoever_lost_a_seat_hears_of_it
        a_snapshot_stands_for_the_entries_before_it
        a_position_that_is_none_means_that_the_log_was_set_back
        the_census_lists_rooms_with_members
        an_older_census_is_ignored
        heads_are_told_of_many_rooms
        the_time_goes_on;
    leases:
        a_dead_nodes_rooms_are_told_of_until_they_are_swept
        a_node_that_resigns_is_swept_at_once
        what_was_released_is_not_swept;
}
