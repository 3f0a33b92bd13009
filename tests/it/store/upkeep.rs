//! Who may join, what is kept for how long, and what it costs to be there.

use std::sync::Arc;
use std::time::Duration;

use switchboard::backplane::redis::{OpenError, Redis};
use switchboard::backplane::store::{News, Standing, Store, TOMBSTONE};
use tokio::time::{Instant, sleep};

use super::engine::Server;
use super::port::free_port;
use super::world::{Node, World, entry, key, options, room, texts};

#[tokio::test]
async fn rooms_go_in_time() {
    let world = World::redis();
    let node = world.node().await;
    let options = world.options();
    let (lives, empties) = (room("lives"), room("empties"));
    let ttl = |of: &str, what: &str| -> i64 {
        let key = key(&options, of, &format!("r:{of}:{what}"));
        world.server().ask(&["TTL", &key])
    };
    for to in [&lives, &empties] {
        node.seat(to, "ann", 1).await;
        let at = node.say(to, "x").await;
        let kept = node.store.compact(to, at, "all".into()).await;
        kept.expect("done");
    }
    let day = 24 * 3600;
    for what in ["log", "meta", "where", "snap"] {
        assert!((day - 60..=day).contains(&ttl("lives", what)), "{what}");
    }
    let head = node.fetch(&empties, 0).await.head;
    node.store.census(&empties, head, 0).await.expect("done");
    let soon = i64::try_from(TOMBSTONE.as_secs()).expect("small");
    for what in ["log", "meta", "where", "snap"] {
        assert!((soon - 60..=soon).contains(&ttl("empties", what)), "{what}");
    }
    // Whoever comes back finds the room as it was, and it lives on.
    node.say(&empties, "again").await;
    assert!(ttl("empties", "snap") > day - 60);
    // One with members does as long as these are counted.
    for what in ["log", "meta", "where", "snap"] {
        let key = key(&options, "empties", &format!("r:empties:{what}"));
        let () = world.server().ask(&["EXPIRE", &key, "100"]);
    }
    let head = node.fetch(&empties, 0).await.head;
    node.store.census(&empties, head, 2).await.expect("done");
    assert!(ttl("empties", "log") > day - 60);
    node.store.census(&empties, head, 0).await.expect("done");
    // A room that went by itself leaves the census when that is read.
    node.store
        .census(&lives, node.say(&lives, "y").await, 3)
        .await
        .expect("done");
    let meta = key(&options, "lives", "r:lives:meta");
    let () = world.server().ask(&["DEL", &meta]);
    assert_eq!(node.store.rooms(0).await, Ok((None, Vec::new())));
    let rooms = key(&options, "lives", "rooms");
    let left: u64 = world.server().ask(&["EXISTS", &rooms]);
    assert_eq!(left, 0);
    // And what is left of it does not come back in another's name.
    node.say(&lives, "anew").await;
    assert_eq!(texts(&node.fetch(&lives, 0).await), ["anew"]);
}

#[tokio::test]
async fn all_connections_end_with_the_handle() {
    let world = World::redis();
    let count = || -> usize {
        let list: String = world.server().ask(&["CLIENT", "LIST"]);
        list.lines().count()
    };
    let before = count();
    let node = world.node().await;
    node.say(&room("drop"), "x").await;
    assert!(count() > before);
    drop(node);
    let deadline = Instant::now() + Duration::from_secs(10);
    while count() > before {
        assert!(Instant::now() < deadline, "connections stay");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn keys_of_another_layout_are_refused() {
    let world = World::redis();
    let options = world.options();
    let config = format!("{}:{{cfg}}", options.prefix);
    let () = world
        .server()
        .ask(&["HSET", &config, "partitions", "32", "format", "1"]);
    let refused = Redis::open(options).await.err().expect("refused");
    assert!(matches!(refused, OpenError::Format { .. }), "{refused}");
    assert!(refused.to_string().contains("32 partitions"), "{refused}");
}

#[tokio::test]
async fn passwords_are_used_and_never_told() {
    let server = Server::redis(&["--requirepass", "open-sesame"]);
    let url = format!("redis://:open-sesame@127.0.0.1:{}", server.port);
    let node = Node::open(options(&url)).await;
    node.say(&room("locked"), "x").await;
    let wrong = url.replace("open", "shut");
    let nobody = url.replace(&server.port.to_string(), &free_port().to_string());
    let no_tls = url.replace("redis:", "rediss:");
    for url in [wrong, nobody, no_tls] {
        let refused = Redis::open(options(&url)).await.err().expect("refused");
        assert!(matches!(refused, OpenError::Unreachable(..)), "{refused}");
        assert!(!refused.to_string().contains("sesame"), "{refused}");
    }
}

#[tokio::test]
async fn a_user_who_may_not_ring_is_refused() {
    let world = World::redis();
    let rights = ["on", ">word", "~*", "+@all"];
    let cases = [
        ("deaf", ["resetchannels", "+info"]),
        ("good", ["&test-*", "+info"]),
        ("quiet", ["&test-*", "-info"]),
    ];
    for (user, more) in cases {
        let words = ["ACL", "SETUSER", user].into_iter().chain(rights);
        let words: Vec<_> = words.chain(["resetchannels"]).chain(more).collect();
        let () = world.server().ask(&words);
        let url = format!("redis://{user}:word@127.0.0.1:{}", world.server().port);
        let opened = Redis::open(options(&url)).await;
        assert_eq!(opened.is_ok(), user != "deaf", "{user}");
        if let Ok((node, _news)) = opened {
            let appended = node.append(&room(user), entry("hello")).await;
            assert!(appended.is_ok(), "{user}: {appended:?}");
        }
    }
}

#[tokio::test]
async fn an_idle_node_asks_no_more_where_it_has_more_rooms() {
    let world = World::redis();
    let node = world.node().await;
    let commands = || -> u64 {
        let info: String = world.server().ask(&["INFO", "stats"]);
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("total_commands_processed:"));
        line.and_then(|count| count.trim().parse().ok())
            .expect("a count")
    };
    for n in 0..500 {
        let to = room(&format!("room-{n}"));
        node.seat(&to, "ann", n).await;
        node.keep(&to).await;
    }
    let before = commands();
    sleep(Duration::from_secs(3)).await;
    let asked = commands() - before;
    // A comparison of the bells of each partition may fall into it, a renewal, a probe.
    assert!(asked < 64 + 20, "{asked} commands");
}

#[tokio::test]
async fn a_socket_in_the_file_system_does_as_well() {
    let dir = std::env::temp_dir().join(format!("switchboard-store-unix-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory");
    let socket = dir.join("socket");
    let path = socket.to_str().expect("text");
    let server = Server::redis(&["--unixsocket", path]);
    let (node, mut other) = (
        Node::open(options(&format!("unix://{path}"))).await,
        World::at(&server.url()).node().await,
    );
    node.say(&room("unix"), "x").await;
    assert!(other.news.try_recv().is_err() || other.next().await != News::Standing(Standing::Cut));
    let store: Arc<dyn Store> = Arc::clone(&node.store);
    assert_eq!(store.heads(vec![room("none")]).await, Ok(vec![0]));
    let _ = std::fs::remove_dir_all(&dir);
}
