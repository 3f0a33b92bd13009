//! Waiting between tries, with full jitter: a crowd that lost its server together does not come back
//! together.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::answer::Trouble;
use super::failure::Failure;

const BASE: Duration = Duration::from_millis(500);
const CEILING: Duration = Duration::from_secs(15);

/// How often something has been tried.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Backoff(u32);

impl Backoff {
    /// The next wait: anywhere between nothing and a ceiling that doubles with each try. `drawn` is
    /// from 0 to 1; what the other side asked for comes below it.
    pub(crate) fn next(&mut self, drawn: f64, least: Duration) -> Duration {
        let ceiling = CEILING.min(BASE * 2_u32.pow(self.0.min(10)));
        self.0 = self.0.saturating_add(1);
        least + ceiling.mul_f64(drawn.clamp(0.0, 1.0))
    }
}

/// A number from 0 to 1.
pub(crate) fn draw() -> f64 {
    // Without chance the waits are as long as they may be.
    getrandom::u32().map_or(1.0, |drawn| f64::from(drawn) / f64::from(u32::MAX))
}

/// Repeats a request over passing faults, for as long as `patience`. Where the server was never
/// `reached` and not even the first connection comes about, there is nothing to be patient with.
///
/// # Errors
/// [`Failure`] where it is refused for good, or patience is at its end.
pub(crate) async fn persist<T>(
    patience: Duration,
    mut reached: bool,
    mut work: impl AsyncFnMut() -> Result<T, Trouble>,
) -> Result<T, Failure> {
    let (until, mut backoff) = (Instant::now() + patience, Backoff::default());
    loop {
        let (failure, least) = match work().await {
            Ok(done) => return Ok(done),
            Err(Trouble::Refused(refusal)) if refusal.is_passing() => {
                let least = refusal.retry_after.unwrap_or_default();
                (Failure::refused(refusal), least)
            }
            Err(Trouble::Refused(refusal)) => return Err(Failure::refused(refusal)),
            Err(Trouble::Unreached(why)) if !reached => return Err(Failure::Unreachable(why)),
            Err(Trouble::Unreached(why) | Trouble::Lost(why)) => {
                (Failure::Unreachable(why), Duration::ZERO)
            }
        };
        reached = true;
        let wait = backoff.next(draw(), least);
        if Instant::now() + wait > until {
            return Err(failure);
        }
        sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::answer::Refusal;

    #[test]
    fn waits_grow_to_a_ceiling_above_what_was_asked_for() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..8)
            .map(|_| backoff.next(1.0, Duration::from_secs(1)).as_millis())
            .collect();
        assert_eq!(
            waits,
            [1500, 2000, 3000, 5000, 9000, 16_000, 16_000, 16_000]
        );
        assert_eq!(
            Backoff::default()
                .next(0.0, Duration::from_secs(2))
                .as_secs(),
            2
        );
    }

    /// What comes of tries that end so, one after the other.
    async fn persisted(patience: u64, troubles: &[Trouble]) -> Result<usize, Failure> {
        let mut tries = 0;
        persist(Duration::from_secs(patience), false, async || {
            tries += 1;
            match troubles.get(tries - 1) {
                Some(trouble) => Err(trouble.clone()),
                None => Ok(tries),
            }
        })
        .await
    }

    #[tokio::test]
    async fn passing_faults_are_tried_again_and_others_are_not() {
        let lost = Trouble::Lost("cut".into());
        let refused = |status, slug| Trouble::Refused(Refusal::of(status, slug));
        assert_eq!(
            persisted(60, std::slice::from_ref(&lost)).await.ok(),
            Some(2)
        );
        assert_eq!(
            persisted(60, &[refused(503, "draining")]).await.ok(),
            Some(2)
        );
        for (patience, trouble, code) in [
            (60, refused(409, "peer-exists"), 1),
            (60, Trouble::Unreached("nobody".into()), 3),
            (0, lost, 3),
            (0, refused(503, "draining"), 1),
        ] {
            let failure = persisted(patience, &[trouble])
                .await
                .expect_err("a failure");
            assert_eq!(failure.exit() as u8, code);
        }
    }
}
