//! The hub: one node over its memory, and three over the model, Redis, Valkey and a cluster, all do
//! the same to whoever calls, at whatever node each call comes in.

mod ends;
mod guest;
mod house;
mod joining;
mod notices;
mod presence;
mod reading;
mod resuming;
mod rooms;
mod sending;
mod sessions;
mod tickets;
mod words;

use crate::store::cluster::Cluster;
use house::Ground;

/// Each case of the suite, on one node's memory and on each store that nodes share.
macro_rules! on_each {
    ($($suite:ident: $($case:ident)*;)*) => {
        mod memory {
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$suite::$case(&super::house::Ground::memory()).await;
            })*)*
        }

        mod model {
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$suite::$case(&super::house::Ground::model()).await;
            })*)*
        }

        mod redis {
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$suite::$case(&super::house::Ground::redis()).await;
            })*)*
        }

        mod valkey {
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                if let Some(ground) = super::house::Ground::valkey() {
                    super::$suite::$case(&ground).await;
                }
            })*)*
        }

        /// All of them on one ground, one after the other.
        async fn all(ground: &Ground) {
            $($({
                let began = std::time::Instant::now();
                $suite::$case(ground).await;
                eprintln!("{:?} {}", began.elapsed(), stringify!($case));
            })*)*
        }
    };
}

on_each! {
    joining:
        who_joins_is_seen_at_every_hub
        a_peer_id_is_taken_at_every_hub_but_for_its_holder
        a_fresh_join_ends_the_older_incarnation_everywhere
        a_key_answers_the_same_join_at_every_hub
        a_full_room_is_full_at_every_hub
        orders_rise_wherever_peers_join;
    sending:
        signals_come_once_and_in_the_order_of_their_answers
        a_repeat_at_another_hub_is_a_duplicate_and_other_data_a_conflict
        of_repeats_at_once_one_counts
        a_broadcast_tells_of_everyone_how_it_is_reached
        an_array_is_taken_up_to_its_first_refusal
        a_full_mailbox_and_a_senders_half_of_it_are_full_at_every_hub;
    sessions:
        a_session_goes_from_offer_to_bye_over_all_hubs
        a_bye_without_a_session_ends_all_with_that_peer
        what_a_session_refuses_is_refused_at_every_hub
        the_sessions_of_a_party_that_leaves_end_once_and_before_it;
    resuming:
        a_newer_reader_elsewhere_replaces_the_older_whose_late_drop_touches_nothing
        a_reader_goes_on_elsewhere_where_it_stood
        what_is_missing_is_told_of_at_every_hub
        control_events_that_found_no_room_are_told_of_at_every_hub
        a_poll_at_the_same_cursor_tells_the_same_at_every_hub
        a_held_poll_is_answered_by_what_comes_in_elsewhere_and_by_a_newer_poll;
    tickets:
        a_ticket_is_spent_at_every_hub_once_it_has_opened_a_reader
        a_ticket_whose_reader_was_replaced_is_dead_at_every_hub;
    notices:
        whoever_reads_notices_only_is_woken_once_wherever_signals_come_in
        notices_tell_of_ends_under_the_same_ids
        a_reader_of_notices_keeps_its_peer_present
        what_an_open_reader_was_given_elsewhere_does_not_wait;
    presence:
        who_loses_its_reader_is_away_and_back_wherever_it_is_heard_of
        who_does_not_come_back_has_left_by_timeout_once
        who_never_reads_has_left_by_timeout_without_being_away
        who_said_that_it_closes_has_left
        a_new_meta_is_seen_at_every_hub
        unread_presence_comes_to_its_latest;
    ends:
        who_leaves_is_gone_at_every_hub_and_stays_so
        who_is_kicked_is_gone_at_every_hub_and_stays_so
        who_is_in_a_room_that_is_closed_is_gone_at_every_hub_and_stays_so;
    rooms:
        all_rooms_are_listed_at_every_hub
        a_hub_that_comes_later_has_all_of_a_room;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_does_all_that_memory_does() {
    let cluster = Cluster::start().await;
    all(&Ground::at(&cluster.url())).await;
}
