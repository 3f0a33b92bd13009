use super::numbers::{median, percentile, text};

#[test]
fn a_median_is_the_middle() {
    assert_eq!(median(&[]), None);
    assert_eq!(median(&[7.0]), Some(7.0));
    assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
    assert_eq!(median(&[9.0, 1.0, 5.0, 6.0]), Some(5.5));
}

#[test]
fn a_percentile_is_one_of_the_values() {
    let mut values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
    assert_eq!(percentile(&mut values, 0.5), Some(100.0));
    assert_eq!(percentile(&mut values, 0.99), Some(198.0));
    assert_eq!(percentile(&mut values, 1.0), Some(200.0));
    assert_eq!(percentile(&mut values, 0.0), Some(1.0));
    assert_eq!(percentile(&mut [3.0], 0.99), Some(3.0));
    assert_eq!(percentile(&mut [], 0.5), None);
}

#[test]
fn a_number_has_as_many_digits_as_it_needs() {
    let numbers = [
        (0.0, "0.00"),
        (0.0123, "0.012"),
        (1.234, "1.23"),
        (9.999, "10.0"),
        (12.34, "12.3"),
        (99.96, "100"),
        (1234.5, "1,234"),
        (1_234_567.0, "1,234,567"),
        (-123_456.0, "-123,456"),
        (-1.5, "-1.50"),
    ];
    for (number, expected) in numbers {
        assert_eq!(text(number), expected);
    }
}
