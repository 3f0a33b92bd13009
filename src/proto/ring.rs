//! Queues that stay as full as their bound lets them for a long time.

use std::collections::VecDeque;

/// Adds to a queue that seldom holds more than `most`; 0 is no bound.
///
/// Up to there it grows as others do, and then to one place more. So one is put in beside the place
/// where the oldest is taken out, and there is no memory between the two ends that waits unused.
pub(super) fn push_back<T>(queue: &mut VecDeque<T>, most: usize, item: T) {
    let held = queue.capacity();
    if queue.len() == held {
        let mut next = (2 * held).max(1);
        if held <= most {
            next = next.min(most.saturating_add(1));
        }
        queue.reserve_exact(next - held);
    }
    queue.push_back(item);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_has_one_place_more_than_its_bound() {
        for most in [1, 5, 64, 100, 256] {
            let mut queue = VecDeque::new();
            for n in 0..3 * most {
                push_back(&mut queue, most, n);
                if queue.len() > most {
                    queue.pop_front();
                }
                assert!(
                    queue.capacity() <= most + 1,
                    "{} of {most}",
                    queue.capacity()
                );
            }
            assert_eq!(queue.capacity(), most + 1);
            assert!(queue.iter().copied().eq(2 * most..3 * most));
        }
    }

    #[test]
    fn past_its_bound_it_grows_on() {
        let mut queue = VecDeque::new();
        (0..100).for_each(|n| push_back(&mut queue, 10, n));
        assert!(queue.len() == 100 && queue.capacity() < 200);
        let mut unbound = VecDeque::new();
        (0..100).for_each(|n| push_back(&mut unbound, 0, n));
        assert!(unbound.len() == 100 && unbound.capacity() < 200);
    }
}
