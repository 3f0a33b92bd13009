//! The parts of the benchmark that read: its parsers, its tally and its statistics. A benchmark
//! has no tests of its own, so they run here.

#[path = "../../benches/bench/answer.rs"]
mod answer;
#[path = "../../benches/bench/events.rs"]
mod events;
#[path = "../../benches/bench/numbers.rs"]
mod numbers;
#[path = "../../benches/bench/tally.rs"]
mod tally;

mod answers;
mod figures;
mod streams;
mod tallies;
