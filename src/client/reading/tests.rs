use serde_json::{Value, json};

use super::*;

const EPOCH: &str = "00000000000000ab";

fn id(seq: u64) -> String {
    format!("{EPOCH}-{seq}")
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn event(id: Option<String>, name: &str, data: &Value) -> Event {
    Event::read(id, name.into(), data.to_string()).expect("JSON")
}

/// A reading from the beginning of a mailbox, whose waits are as long as they may be.
fn reading(mode: Mode) -> Reading {
    let settings = Settings {
        mode,
        cursor: Some(id(0)),
        heartbeat: Some(ms(15_000)),
        patience: ms(60_000),
        rejoins: true,
        renewable: false,
    };
    Reading::new(settings, || 1.0)
}

impl Reading {
    fn ready(&mut self, now: Duration, seq: u64) {
        let data = json!({ "cursor": id(seq), "resumed": true });
        assert!(self.event(now, &event(Some(id(seq)), "ready", &data)));
    }

    fn ping(&mut self, now: Duration) {
        self.event(now, &event(None, "ping", &json!({})));
    }

    /// Whether the signal of that number is told.
    fn signal(&mut self, now: Duration, seq: u64) -> bool {
        self.event(now, &event(Some(id(seq)), "signal", &json!({})))
    }

    fn ends(&mut self, now: Duration, reason: &str, retry: &str) {
        let data = json!({ "reason": reason, "retry": retry });
        self.event(now, &event(None, "end", &data));
    }

    /// A stream that is open and proved.
    fn proved(mode: Mode) -> Self {
        let mut reading = reading(mode);
        assert_eq!(reading.next(ms(0)), Next::Open(Transport::Stream));
        reading.ready(ms(100), 0);
        reading.ping(ms(400));
        reading
    }
}

#[test]
fn a_stream_is_proved_by_ready_and_the_ping_behind_it() {
    let mut reading = reading(Mode::Auto);
    assert_eq!(reading.next(ms(0)), Next::Open(Transport::Stream));
    assert_eq!(reading.next(ms(0)), Next::Read(PROOF));
    // A ping alone proves nothing.
    reading.ping(ms(50));
    assert_eq!(reading.next(ms(50)), Next::Read(PROOF));
    reading.ready(ms(100), 0);
    assert_eq!(reading.next(ms(100)), Next::Read(PROOF));
    reading.ping(ms(400));
    assert_eq!(reading.next(ms(400)), Next::Read(ms(400 + 37_500)));
    assert_eq!(reading.notes(), ["reading by event stream"]);
}

#[test]
fn a_stream_that_is_not_proved_in_3_s_gives_way_to_the_long_poll_for_good() {
    let mut reading = reading(Mode::Auto);
    reading.next(ms(0));
    reading.ready(ms(100), 0);
    assert!(reading.signal(ms(200), 1));
    assert_eq!(reading.next(ms(3000)), Next::Open(Transport::Poll));
    assert_eq!(reading.cursor(), Some(&*id(1)), "at the same place");
    reading.answered(ms(3100), None);
    assert!(!reading.signal(ms(3100), 1) && reading.signal(ms(3100), 2));
    reading.taken(ms(3100), &id(2), false);
    assert_eq!(reading.next(ms(3100)), Next::Open(Transport::Poll));
    reading.failed(ms(3200), Trouble::Lost("cut".into()));
    assert_eq!(reading.next(ms(3200)), Next::Wait(ms(3700)));
    assert_eq!(reading.next(ms(3700)), Next::Open(Transport::Poll));
}

#[test]
fn where_the_poll_fails_too_the_stream_is_not_to_blame() {
    let mut reading = reading(Mode::Auto);
    reading.next(ms(0));
    assert_eq!(reading.next(ms(3000)), Next::Open(Transport::Poll));
    reading.failed(ms(3100), Trouble::Unreached("nobody".into()));
    assert_eq!(reading.next(ms(3600)), Next::Open(Transport::Stream));
}

#[test]
fn streams_that_bring_nothing_twice_give_way_too() {
    let mut reading = reading(Mode::Auto);
    reading.next(ms(0));
    reading.failed(
        ms(10),
        Trouble::Lost("HTTP 502, not from this server".into()),
    );
    assert_eq!(reading.next(ms(510)), Next::Open(Transport::Stream));
    reading.closed(ms(520), "the connection was closed");
    assert_eq!(reading.next(ms(1520)), Next::Open(Transport::Poll));
}

#[test]
fn streams_that_are_cut_before_they_are_proved_give_way_too() {
    for (mode, then) in [
        (Mode::Auto, Transport::Poll),
        (Mode::Sse, Transport::Stream),
    ] {
        let mut reading = reading(mode);
        reading.next(ms(0));
        reading.ready(ms(10), 0);
        reading.closed(ms(20), "cut");
        assert_eq!(reading.next(ms(1020)), Next::Open(Transport::Stream));
        reading.ready(ms(1030), 0);
        reading.closed(ms(1040), "cut");
        assert_eq!(reading.next(ms(2040)), Next::Open(then));
    }
}

#[test]
fn a_poll_that_is_answered_at_once_and_brings_nothing_new_is_made_again_after_a_while() {
    let mut reading = reading(Mode::Poll);
    reading.next(ms(0));
    let brings = |reading: &mut Reading, now, seq| {
        reading.answered(now, None);
        reading.signal(now, seq);
        reading.taken(now, &id(seq), false);
        reading.next(now)
    };
    assert_eq!(
        brings(&mut reading, ms(10), 1),
        Next::Open(Transport::Poll),
        "it was new"
    );
    // The same again: its cursor did not arrive.
    assert_eq!(brings(&mut reading, ms(20), 1), Next::Wait(ms(1020)));
    assert_eq!(reading.next(ms(1020)), Next::Open(Transport::Poll));
    // It was held.
    assert_eq!(
        brings(&mut reading, ms(26_020), 1),
        Next::Open(Transport::Poll)
    );
}

#[test]
fn who_wants_the_stream_alone_waits_for_it() {
    let mut reading = reading(Mode::Sse);
    reading.next(ms(0));
    assert_eq!(reading.next(ms(3000)), Next::Read(ms(37_500)));
    assert_eq!(
        reading.next(ms(37_500)),
        Next::Open(Transport::Stream),
        "it was silent"
    );
}

#[test]
fn what_came_before_is_told_once() {
    let mut reading = Reading::proved(Mode::Auto);
    assert!(reading.signal(ms(500), 1) && reading.signal(ms(500), 3));
    for seq in [1, 2, 3] {
        assert!(!reading.signal(ms(500), seq), "{seq}");
    }
    reading.closed(ms(600), "cut");
    reading.next(ms(1600));
    reading.ready(ms(1700), 2);
    assert!(!reading.signal(ms(1700), 3) && reading.signal(ms(1700), 4));
    assert_eq!(reading.cursor(), Some(&*id(4)));
}

#[test]
fn a_reset_begins_the_mailbox_anew() {
    let mut reading = Reading::proved(Mode::Auto);
    assert!(reading.signal(ms(500), 7));
    let data = json!({"cursor": id(0), "resumed": false, "gap": {"reason": "reset"}});
    reading.event(ms(600), &event(Some(id(0)), "ready", &data));
    assert!(reading.signal(ms(600), 1));
    let gap = serde_json::from_value(json!({"reason": "reset"})).expect("a gap");
    reading.answered(ms(700), Some(gap));
    assert!(reading.signal(ms(700), 1));
    // What was evicted is no reason to go back.
    let gap = serde_json::from_value(json!({"reason": "evicted", "lost": 3})).expect("a gap");
    reading.answered(ms(800), Some(gap));
    assert!(!reading.signal(ms(800), 1));
}

#[test]
fn a_lost_stream_is_opened_again_after_the_wait_that_the_server_has_named() {
    let mut reading = Reading::proved(Mode::Auto);
    reading.told(ms(2345));
    reading.closed(ms(1000), "cut");
    assert_eq!(reading.next(ms(1000)), Next::Wait(ms(3345)));
    assert_eq!(reading.next(ms(3345)), Next::Open(Transport::Stream));
    reading.notes();
    reading.ready(ms(3400), 0);
    assert_eq!(reading.notes(), ["reading by event stream"]);
    // However long a wait is named, it comes to an end.
    reading.told(ms(86_400_000));
    reading.closed(ms(4000), "cut");
    assert_eq!(reading.next(ms(4000)), Next::Wait(ms(64_000)));
}

#[test]
fn an_end_is_heeded_by_its_retry() {
    let mut reading = Reading::proved(Mode::Auto);
    reading.told(ms(1500));
    reading.ends(ms(1000), "drain", "now");
    assert_eq!(reading.next(ms(1000)), Next::Wait(ms(2500)));

    let mut reading = Reading::proved(Mode::Auto);
    reading.ends(ms(1000), "busy", "later");
    assert_eq!(
        reading.next(ms(1000)),
        Next::Wait(ms(4000)),
        "2 s, and some by chance"
    );

    let mut reading = Reading::proved(Mode::Auto);
    reading.ends(ms(1000), "kicked", "never");
    let kicked = Ending::Ended {
        reason: "kicked".into(),
        detail: None,
    };
    assert_eq!(reading.next(ms(1000)), Next::Over(kicked));
}

#[test]
fn the_end_of_a_connection_behind_an_end_changes_nothing() {
    let mut reading = Reading::proved(Mode::Auto);
    reading.told(ms(2000));
    reading.ends(ms(1000), "drain", "now");
    reading.closed(ms(1001), "the connection was closed");
    assert_eq!(reading.next(ms(1001)), Next::Wait(ms(3000)));
}

#[test]
fn a_membership_that_the_server_has_forgotten_is_joined_again_if_it_was_joined_here() {
    let gone = || Refusal {
        reason: Some("unknown".into()),
        ..Refusal::of(410, "ended")
    };
    let mut reading = Reading::proved(Mode::Auto);
    reading.closed(ms(1000), "cut");
    reading.next(ms(2000));
    reading.failed(ms(2010), Trouble::Refused(gone()));
    assert_eq!(reading.next(ms(2010)), Next::Wait(ms(2510)));
    assert_eq!(reading.next(ms(2510)), Next::Rejoin);
    reading.not_joined(ms(2520), Trouble::Refused(Refusal::of(503, "draining")));
    assert_eq!(reading.next(ms(2520)), Next::Wait(ms(3520)));
    assert_eq!(reading.next(ms(3520)), Next::Rejoin);
    assert!(reading.joined(ms(3600), Some("00000000000000cd-0".into()), None));
    assert_eq!(reading.next(ms(3600)), Next::Open(Transport::Stream));
    assert_eq!(reading.cursor(), Some("00000000000000cd-0"));

    let mut foreign = Reading::proved(Mode::Auto);
    foreign.settings.rejoins = false;
    foreign.closed(ms(1000), "cut");
    foreign.next(ms(2000));
    foreign.failed(ms(2010), Trouble::Refused(gone()));
    assert!(matches!(
        foreign.next(ms(2010)),
        Next::Over(Ending::Ended { .. })
    ));
}

#[test]
fn where_each_join_is_forgotten_at_once_it_waits_longer_each_time_until_patience_ends() {
    let mut reading = Reading::proved(Mode::Auto);
    reading.closed(ms(1000), "cut");
    let mut now = ms(2000);
    let mut joins = 0;
    let ending = loop {
        match reading.next(now) {
            Next::Open(_) => {
                let gone = Refusal {
                    reason: Some("unknown".into()),
                    ..Refusal::of(410, "ended")
                };
                reading.failed(now, Trouble::Refused(gone));
            }
            Next::Wait(until) => now = until,
            Next::Rejoin => {
                joins += 1;
                let cursor = format!("{joins:016x}-0");
                assert!(reading.joined(now, Some(cursor), None), "another mailbox");
            }
            Next::Over(ending) => break ending,
            other @ (Next::Renew | Next::Read(_)) => panic!("{other:?}"),
        }
    };
    assert_eq!(ending, Ending::Unreached(FORGOTTEN.into()));
    assert!(joins < 10 && now > ms(40_000), "{joins} in {now:?}");
}

#[test]
fn access_that_has_run_out_is_renewed_and_the_mailbox_goes_on() {
    let mut reading = Reading::proved(Mode::Auto);
    assert!(reading.signal(ms(500), 5));
    reading.ends(ms(1000), "expired", "later");
    assert_eq!(reading.next(ms(1000)), Next::Renew);
    assert!(!reading.joined(ms(1100), Some(id(0)), Some(ms(15_000))));
    assert_eq!(reading.next(ms(1100)), Next::Open(Transport::Stream));
    assert_eq!(reading.cursor(), Some(&*id(5)));
    let expired = Refusal {
        reason: Some("expired".into()),
        ..Refusal::of(401, "bad-token")
    };
    reading.failed(ms(1200), Trouble::Refused(expired.clone()));
    assert_eq!(reading.next(ms(1200)), Next::Renew);
    // The same access token as before has nothing to offer, unless it is read anew.
    reading.settings.renewable = true;
    reading.not_joined(ms(1300), Trouble::Refused(expired.clone()));
    assert_eq!(reading.next(ms(1800)), Next::Renew);
    reading.settings.renewable = false;
    reading.not_joined(ms(1900), Trouble::Refused(expired.clone()));
    assert_eq!(reading.next(ms(1900)), Next::Over(Ending::Refused(expired)));
}

#[test]
fn patience_has_an_end_which_begins_anew_with_each_success() {
    let mut reading = Reading::proved(Mode::Sse);
    let mut now = ms(1000);
    let mut tries = 0;
    let ending = loop {
        match reading.next(now) {
            Next::Open(_) => {
                tries += 1;
                reading.failed(now, Trouble::Unreached("nobody".into()));
            }
            Next::Wait(until) => now = until,
            Next::Read(_) => reading.closed(now, "cut"),
            Next::Over(ending) => break ending,
            other @ (Next::Renew | Next::Rejoin) => panic!("{other:?}"),
        }
    };
    assert_eq!(ending, Ending::Unreached("nobody".into()));
    assert!(
        now > ms(40_000) && now <= ms(61_000) && tries > 5,
        "{now:?} {tries}"
    );

    let mut reading = Reading::proved(Mode::Sse);
    for round in 1..10 {
        let now = ms(50_000 * round);
        reading.closed(now, "cut");
        assert_eq!(reading.next(now + RETRY), Next::Open(Transport::Stream));
        reading.ready(now + RETRY, 0);
    }
}

#[test]
fn a_refusal_that_stays_ends_it_and_one_that_passes_is_waited_out() {
    let mut reading = reading(Mode::Poll);
    assert_eq!(reading.next(ms(0)), Next::Open(Transport::Poll));
    let busy = Refusal {
        retry_after: Some(ms(3000)),
        ..Refusal::of(503, "overloaded")
    };
    reading.failed(ms(100), Trouble::Refused(busy));
    assert_eq!(reading.next(ms(100)), Next::Wait(ms(3600)));
    reading.next(ms(3600));
    reading.failed(ms(3700), Trouble::Refused(Refusal::of(400, "bad-cursor")));
    assert_eq!(reading.next(ms(3700)), Next::Open(Transport::Poll));
    assert_eq!(reading.cursor(), None);
    let refusal = Refusal::of(401, "bad-token");
    reading.failed(ms(3800), Trouble::Refused(refusal.clone()));
    assert_eq!(reading.next(ms(3800)), Next::Over(Ending::Refused(refusal)));
}

#[test]
fn a_poll_that_its_own_stream_overtook_is_made_again_and_one_that_another_did_is_over() {
    let mut reading = reading(Mode::Auto);
    reading.next(ms(0));
    assert_eq!(reading.next(ms(3000)), Next::Open(Transport::Poll));
    reading.answered(ms(3100), None);
    reading.taken(ms(3100), &id(0), true);
    assert_eq!(reading.next(ms(4100)), Next::Open(Transport::Poll));
    reading.answered(ms(4200), None);
    reading.taken(ms(4200), &id(0), true);
    assert!(matches!(
        reading.next(ms(4200)),
        Next::Over(Ending::Ended { .. })
    ));
}
