use super::*;
use crate::proto::{PeerId, Reason};

fn room(name: &str) -> RoomId {
    RoomId::parse(name).expect("an id")
}

/// A history of `most` lines in which so many peers have left, in turn from two rooms.
fn history(most: usize, left: usize) -> History {
    let history = History::new(Epoch(7), most, |_| "slug");
    for n in 0..left {
        let peer = PeerId::parse(&format!("p{n}")).expect("an id");
        let happening = Happening::Left {
            peer: &peer,
            reason: Reason::Hangup,
        };
        let room = room(if n % 2 == 0 { "even" } else { "odd" });
        history.saw(&room, &happening, Whose::Theirs, 1_795_960_700_000);
    }
    history
}

fn seqs(page: &Page) -> Vec<u64> {
    page.lines.iter().map(|(at, _)| at.seq).collect()
}

#[test]
fn lines_are_read_on_from_where_one_stood() {
    let history = history(10, 4);
    let page = history.read(history.oldest(), |_| true);
    assert_eq!(seqs(&page), [1, 2, 3, 4]);
    assert!(!page.more && !page.gap);
    let (name, data) = (page.lines[0].1.name(), page.lines[0].1.data());
    assert_eq!(name, b"left");
    let data: serde_json::Value = serde_json::from_slice(data).expect("JSON");
    assert_eq!(data["peer"], "p0");
    assert_eq!(data["reason"], "hangup");
    assert_eq!(data["at"], 1_795_960_700_000_u64);
    let second = page.lines[1].0;
    assert_eq!(seqs(&history.read(second, |_| true)), [3, 4]);
    assert_eq!(seqs(&history.read(page.cursor, |_| true)), [0; 0]);
}

#[test]
fn of_a_room_its_own_lines_are_told_and_the_cursor_moves_on_over_the_others() {
    let history = history(10, 5);
    let odd = room("odd");
    let page = history.read(history.oldest(), |room| *room == odd);
    assert_eq!((seqs(&page), page.cursor.seq), (vec![2, 4], 5));
}

#[test]
fn past_its_bound_the_oldest_go_and_who_missed_them_is_told() {
    let history = history(3, 5);
    assert_eq!(history.oldest().seq, 2);
    let first = Cursor {
        epoch: Epoch(7),
        seq: 1,
    };
    let page = history.read(first, |_| true);
    assert!(page.gap);
    assert_eq!(seqs(&page), [3, 4, 5]);
    assert!(!history.read(history.oldest(), |_| true).gap);
}

#[test]
fn much_is_read_in_pages() {
    let history = history(AT_A_TIME + 5, AT_A_TIME + 5);
    let page = history.read(history.oldest(), |_| true);
    assert!(page.more && page.lines.len() == AT_A_TIME);
    let rest = history.read(page.cursor, |_| true);
    assert!(!rest.more && rest.lines.len() == 5);
}

#[test]
fn a_cursor_of_another_server_is_not_known_nor_one_ahead() {
    let history = history(3, 2);
    let at = |epoch, seq| Cursor {
        epoch: Epoch(epoch),
        seq,
    };
    assert!(history.knows(at(7, 0)) && history.knows(at(7, 2)));
    assert!(!history.knows(at(8, 1)) && !history.knows(at(7, 3)));
}

#[test]
fn none_are_kept_where_none_are_to_be() {
    let history = history(0, 3);
    assert!(history.read(history.oldest(), |_| true).lines.is_empty());
}
