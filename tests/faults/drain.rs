//! A server that goes away tells each of its readers, and spreads their return.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::peer::{Kind, Peer};
use crate::program::{Program, signal};
use crate::report;
use crate::storm::insist;

const READERS: usize = 5000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes long; tests/run runs it"]
async fn each_of_5000_readers_is_told_of_a_drain_and_their_return_is_spread() {
    rlimit::increase_nofile_limit(u64::MAX).expect("a limit");
    let mut program = Program::start(&[]);
    let addr = program.addr;
    let (open, mut opened) = tokio::sync::mpsc::unbounded_channel();
    let mut readers = JoinSet::new();
    for index in 0..READERS {
        let open = open.clone();
        readers.spawn(async move {
            let (room, name) = (format!("room-{}", index / 10), format!("p{}", index % 10));
            let peer = insist(|| Peer::join(addr, &room, &name)).await;
            let mut events = insist(async || {
                let opened = peer.events(Kind::Sse, &peer.cursor).await?;
                opened.map_err(|answer| std::io::Error::other(format!("{answer:?}")))
            })
            .await;
            let _ = open.send(());
            loop {
                match events.next().await {
                    Ok(Some(event)) if event.name == "end" => {
                        assert_eq!(event.data["reason"], "drain", "{event:?}");
                        assert_eq!(event.data["retry"], "now", "{event:?}");
                        let told = Instant::now();
                        assert!(
                            events.next().await.is_ok_and(|event| event.is_none()),
                            "it is the last"
                        );
                        return (told, told + events.retry);
                    }
                    Ok(Some(_)) => {}
                    other => panic!("a reader that was not told: {other:?}"),
                }
            }
        });
    }
    for _ in 0..READERS {
        opened.recv().await.expect("a reader");
    }
    let asked = Instant::now();
    signal(program.id(), "TERM");
    let all = readers.join_all().await;
    let status = program.gone().await;
    let stopped = asked.elapsed();
    let since = |at: Instant| at.duration_since(asked);
    let told: Vec<Duration> = all.iter().map(|(told, _)| since(*told)).collect();
    let back: Vec<Duration> = all.iter().map(|(_, back)| since(*back)).collect();
    report::histogram(
        "5,000 readers, SIGTERM (drain 10 s): told end{drain} after",
        &told,
    );
    let most = report::histogram("and so back, elsewhere, after", &back);
    println!("stopped after {}, {status}", report::seconds(stopped));
    assert!(status.success(), "{}", program.said());
    assert_eq!(all.len(), READERS);
    assert!(
        stopped < Duration::from_secs(20),
        "it stops with the window"
    );
    assert!(
        most < READERS / 5,
        "at most a fifth come back in one second"
    );
}
