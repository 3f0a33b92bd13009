//! The way of the news from a store to its node: bounded, and what does not fit is told of.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc::{self, Receiver, Sender};

use super::News;

/// News that a node has not looked at yet.
const MOST: usize = 65_536;
/// Room beside those for what must not be lost: standings, and that bells were missed.
const RESERVE: usize = 1024;

/// The store's end.
#[derive(Clone, Debug)]
pub struct Feed {
    sender: Sender<News>,
    /// Something did not fit.
    missed: Arc<AtomicBool>,
}

/// A feed, and the node's end of it.
pub fn feed() -> (Feed, Receiver<News>) {
    let (sender, receiver) = mpsc::channel(MOST + RESERVE);
    let missed = Arc::default();
    (Feed { sender, missed }, receiver)
}

impl Feed {
    /// Tells one piece of news, and whether it fits. Where an entry does not, the node is told that
    /// it missed some as soon as there is room.
    pub fn tell(&self, news: News) -> bool {
        match news {
            News::Entry { .. } => {
                let fits = self.has_room() && self.sender.try_send(news).is_ok();
                if !fits {
                    self.missed.store(true, Ordering::Relaxed);
                }
                self.own_up();
                fits
            }
            News::Lost { .. } => self.has_room() && self.sender.try_send(news).is_ok(),
            News::Missed { .. } => {
                let fits = self.has_room() && self.sender.try_send(news).is_ok();
                if !fits {
                    self.missed.store(true, Ordering::Relaxed);
                }
                fits
            }
            News::Standing(_) => self.sender.try_send(news).is_ok(),
        }
    }

    /// Tells of what did not fit before, where there is room now.
    pub fn own_up(&self) {
        if self.missed.load(Ordering::Relaxed) && self.has_room() {
            self.missed.store(false, Ordering::Relaxed);
            let all = News::Missed { partition: None };
            let _ = self.sender.try_send(all);
        }
    }

    fn has_room(&self) -> bool {
        self.sender.capacity() > RESERVE
    }
}

#[cfg(test)]
mod tests {
    use super::super::Standing;
    use super::*;
    use crate::proto::RoomId;

    fn entry(at: u64) -> News {
        News::Entry {
            room: RoomId::parse("r").expect("an id"),
            prev: at - 1,
            at,
            entry: None,
        }
    }

    #[test]
    fn what_does_not_fit_is_owned_up_to_and_a_standing_always_fits() {
        let (feed, mut news) = feed();
        let told = (1..=70_000).filter(|at| feed.tell(entry(*at))).count();
        assert_eq!(told, MOST);
        assert!(feed.tell(News::Standing(Standing::Cut)));
        for _ in 0..MOST {
            assert!(matches!(news.try_recv(), Ok(News::Entry { .. })));
        }
        assert_eq!(news.try_recv(), Ok(News::Standing(Standing::Cut)));
        feed.own_up();
        assert_eq!(news.try_recv(), Ok(News::Missed { partition: None }));
        assert!(news.try_recv().is_err());
    }
}
