use super::*;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn the_oldest_is_forgotten_past_the_bound() {
    let mut seen = Remembered::new(2, MINUTE);
    for (n, key) in ["a", "b", "c"].into_iter().enumerate() {
        seen.insert(key, n, Time(n as u64));
    }
    assert_eq!(seen.get("a", Time(3)), None);
    assert_eq!(seen.get("b", Time(3)), Some((&1, Time(1))));
    assert_eq!(seen.len(), 2);
}

#[test]
fn what_weighs_more_drives_out_more() {
    let mut seen = Remembered::new(4, MINUTE);
    for (n, key) in ["a", "b", "c", "d"].into_iter().enumerate() {
        seen.insert(key, n, Time(n as u64));
    }
    seen.insert_weighing(3, "e", 4, Time(4));
    assert_eq!(seen.len(), 2);
    assert_eq!(seen.get("d", Time(5)), Some((&3, Time(3))));
    seen.insert_weighing(9, "f", 5, Time(5));
    assert_eq!(seen.get("f", Time(5)), Some((&5, Time(5))));
    assert_eq!(seen.len(), 1);
    seen.insert("f", 6, Time(6));
    seen.insert("g", 7, Time(6));
    assert_eq!(seen.len(), 2);
    seen.forget(Time(70_000));
    assert_eq!((seen.len(), seen.all.is_none()), (0, true));
}

#[test]
fn what_is_too_old_is_gone_and_gives_its_memory_back() {
    let mut seen = Remembered::new(0, MINUTE);
    seen.insert("a", 1, Time(0));
    assert_eq!(seen.get("a", Time(59_999)), Some((&1, Time(0))));
    assert_eq!(seen.get("a", Time(60_000)), None);
    assert_eq!(seen.deadline(), Some(Time(60_000)));
    seen.forget(Time(60_000));
    assert!(seen.is_empty());
    assert_eq!(seen.deadline(), None);
}

#[test]
fn a_key_seen_again_and_again_takes_one_place() {
    let mut seen = Remembered::new(2, MINUTE);
    for n in 0..1_000 {
        seen.insert("a", n, Time(n));
    }
    assert!(seen.all.as_ref().is_some_and(|all| all.entries.len() < 40));
    assert_eq!(seen.get("a", Time(1_000)), Some((&999, Time(999))));
}

#[test]
fn what_is_kept_in_a_file_is_what_was_remembered() {
    let mut seen = Remembered::new(40, MINUTE);
    // Places that wrap around, keys that come again, and more than there is room for.
    seen.insert(0, 0, Time(0));
    seen.all.as_mut().expect("one").first = u32::MAX - 20;
    seen.all.as_mut().expect("one").places.clear();
    seen.all.as_mut().expect("one").close_up(0);
    for n in 0..100 {
        seen.insert_weighing(1 + n % 3, n % 37, n, Time(n as u64));
        let newest: Vec<_> = seen
            .iter(Time(100))
            .map(|(k, v, at)| (*k, *v, at))
            .collect();
        assert!(newest.is_sorted_by_key(|(_, _, at)| *at));
        assert_eq!(newest.last(), Some(&(n % 37, n, Time(n as u64))));
        for (key, value, at) in &newest {
            assert_eq!(seen.get(key, Time(100)), Some((value, *at)));
        }
        assert_eq!(newest.len(), seen.len());
        let text = serde_json::to_string(&seen).expect("a text");
        let read: Remembered<usize, usize> = serde_json::from_str(&text).expect("a memory");
        let known: Vec<_> = read
            .iter(Time(100))
            .map(|(k, v, at)| (*k, *v, at))
            .collect();
        assert_eq!(known, newest);
        let weight = |seen: &Remembered<usize, usize>| seen.all.as_ref().map(|all| all.weight);
        assert_eq!(weight(&read), weight(&seen));
        assert!(weight(&seen) <= Some(40));
    }
}

#[test]
fn a_key_seen_again_lives_from_then_on() {
    let mut seen = Remembered::new(2, MINUTE);
    seen.insert("a", 1, Time(0));
    seen.insert("a", 2, Time(30_000));
    seen.forget(Time(60_000));
    assert_eq!(seen.get("a", Time(60_000)), Some((&2, Time(30_000))));
}
