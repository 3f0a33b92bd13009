use super::tally::{Faults, Tally, number};

fn tallied(numbers: &[u32], sent: u32) -> (u64, u64, u64) {
    let mut tally = Tally::new(2);
    for &number in numbers {
        tally.got(1, number);
    }
    assert_eq!(
        tally.reached(1),
        numbers.iter().max().map_or(0, |most| most + 1)
    );
    tally.close(1, sent);
    let Faults {
        lost,
        duplicated,
        reordered,
    } = tally.faults();
    assert_eq!(tally.faults().any(), lost + duplicated + reordered > 0);
    (lost, duplicated, reordered)
}

#[test]
fn what_is_lost_comes_twice_or_late_is_counted() {
    assert_eq!(tallied(&[0, 1, 2], 3), (0, 0, 0));
    assert_eq!(tallied(&[], 3), (3, 0, 0));
    assert_eq!(tallied(&[0, 2], 4), (2, 0, 0));
    assert_eq!(tallied(&[0, 2, 1], 3), (0, 0, 1));
    assert_eq!(tallied(&[0, 1, 1, 0, 2], 3), (0, 2, 0));
    assert_eq!(tallied(&[1, 0, 0], 2), (0, 1, 1));
}

#[test]
fn the_number_of_a_message_is_found() {
    assert_eq!(
        number(br#"{"from":"a","data":{"n":42,"pad":"x"}}"#),
        Some(42)
    );
    assert_eq!(number(br#"{"n":7}"#), Some(7));
    assert_eq!(number(br#"{"n":"x"}"#), None);
    assert_eq!(number(br#"{"session":1}"#), None);
}

#[test]
fn faults_add_up() {
    let mut sum = Faults {
        lost: 1,
        duplicated: 2,
        reordered: 3,
    };
    sum.add(sum);
    assert_eq!(sum.to_string(), "2 lost, 4 duplicated, 6 reordered");
}
