//! Peers that join, send, read, leave and let time pass, in any order. An operation is a letter with
//! what it needs behind it, each a byte; white space stands between them where somebody reads it.
//! What was answered with 202 must come, once and in order, or its loss be told.
#![no_main]

use actix_web::http::{Method, Uri};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::{Value, json};
use switchboard_fuzz::mail::Mail;
use switchboard_fuzz::site::{Answer, Site, run};

/// Two rooms: the first four peers are in one, the others in the other.
const PEERS: [(&str, &str); 6] = [
    ("r", "a"),
    ("r", "b"),
    ("r", "c"),
    ("r", "d"),
    ("q", "e"),
    ("q", "f"),
];
const TIMES: [u64; 7] = [100, 1_000, 2_500, 16_000, 31_000, 181_000, 601_000];
const TYPES: [&str; 5] = ["offer", "answer", "candidate", "bye", "note"];
const MOST: usize = 200;
/// Nobody's grace can have run out before.
const SHORTEST_GRACE: u64 = 30_000;

fuzz_target!(|input: &[u8]| -> Corpus {
    let input: Vec<u8> = input
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    if input.is_empty() || input.len() > 4096 {
        return Corpus::Reject;
    }
    run(async |site| {
        let mut house = House::new(site);
        let mut bytes = input.iter().copied();
        for _ in 0..MOST {
            let Some(operation) = bytes.next() else { break };
            house.operate(operation, &mut bytes).await;
        }
        // In the end everybody reads what is left.
        for peer in 0..PEERS.len() {
            house.poll(peer, 0, 1000, false).await;
        }
    });
    Corpus::Keep
});

/// An incarnation.
struct Member {
    token: String,
    epoch: String,
    mail: Mail,
    joined: u64,
    /// Somebody has ended it, or may have.
    ended: bool,
}

struct House<'a> {
    site: &'a Site,
    members: [Option<Member>; 6],
    now: u64,
    sent: u64,
}

impl<'a> House<'a> {
    fn new(site: &'a Site) -> Self {
        Self {
            site,
            members: Default::default(),
            now: 0,
            sent: 0,
        }
    }

    async fn operate(&mut self, operation: u8, bytes: &mut impl Iterator<Item = u8>) {
        let mut next = |among: usize| usize::from(bytes.next().unwrap_or_default()) % among;
        match operation {
            b'j' => self.join(next(6), false).await,
            b'f' => self.join(next(6), true).await,
            b's' => self.send(next(6), next(6), next(5), next(4), 1, None).await,
            b'm' => {
                self.send(next(6), next(6), next(5), next(4), 2 + next(40), None)
                    .await
            }
            b'b' => self.send(next(6), 6, 2, 3, 1, None).await,
            b'i' => self.send(next(6), next(6), 4, 3, 1, Some(next(3))).await,
            b'p' => {
                self.poll(next(6), 0, [1, 2, 100, 1000][next(4)], false)
                    .await
            }
            b'P' => {
                self.poll(next(6), 0, [1, 2, 100, 1000][next(4)], true)
                    .await
            }
            b'o' => self.poll(next(6), 1 + next(8), 1000, false).await,
            b'e' => self.events(next(6), 1 + next(6)).await,
            b'n' => drop(
                self.ask(next(6), Method::GET, "/notices?wait=0", &[], b"")
                    .await,
            ),
            b'a' => drop(self.ask(next(6), Method::POST, "/alive", &[], b"").await),
            b'u' => drop(
                self.ask(next(6), Method::POST, "/meta", &[], br#"{"name":"Ada"}"#)
                    .await,
            ),
            b'g' => drop(self.ask(next(6), Method::GET, "/sessions", &[], b"").await),
            b'l' => self.leave(next(6), false).await,
            b'w' => self.leave(next(6), true).await,
            b'k' => self.kick(next(6)).await,
            b'c' => self.close(next(6)).await,
            b't' => {
                let millis = TIMES[next(TIMES.len())];
                self.now += millis;
                self.site.pass(millis);
            }
            other => {
                let millis = u64::from(other);
                self.now += millis;
                self.site.pass(millis);
            }
        }
    }

    /// A request of a member's, where there is one.
    async fn ask(
        &mut self,
        peer: usize,
        method: Method,
        tail: &str,
        headers: &[(&str, &[u8])],
        body: &[u8],
    ) -> Option<Answer> {
        let member = self.members[peer].as_ref()?;
        let bearer = format!("Bearer {}", member.token);
        let mut all = vec![("authorization", bearer.as_bytes())];
        all.extend(headers);
        let (room, name) = PEERS[peer];
        let path = path(&format!("/rooms/{room}/peers/{name}{tail}"));
        let answer = self.site.ask(method, &path, &all, body, 99).await;
        if answer.status == 410 && answer.json()["type"] == "/problems/ended" {
            assert!(self.may_be_over(member), "{}", answer.json());
            self.members[peer] = None;
            return None;
        }
        Some(answer)
    }

    fn may_be_over(&self, member: &Member) -> bool {
        member.ended || self.now - member.joined >= SHORTEST_GRACE
    }

    async fn join(&mut self, peer: usize, fresh: bool) {
        let (room, name) = PEERS[peer];
        let held = self.members[peer]
            .as_ref()
            .map(|member| member.token.clone());
        let body = json!({"peer": name, "token": held, "fresh": fresh}).to_string();
        let path = path(&format!("/rooms/{room}/peers"));
        let answer = self
            .site
            .ask(Method::POST, &path, &[], body.as_bytes(), 99)
            .await;
        if answer.status == 409 {
            assert!(held.is_none(), "who holds the token is let in");
            return;
        }
        assert!(matches!(answer.status, 200 | 201), "{}", answer.status);
        let joined = answer.json();
        let text = |field: &str| joined[field].as_str().expect("a text").to_owned();
        let cursor = text("cursor");
        let epoch = cursor.split('-').next().expect("an epoch").to_owned();
        let same = self.members[peer]
            .as_ref()
            .filter(|member| member.epoch == epoch);
        if let Some(member) = &self.members[peer] {
            assert!(
                same.is_some() || fresh || self.may_be_over(member),
                "it went on without cause"
            );
        }
        assert_eq!(same.is_some(), answer.status == 200);
        if let Some(member) = &mut self.members[peer]
            && member.epoch == epoch
        {
            member.token = text("token");
            return;
        }
        self.members[peer] = Some(Member {
            token: text("token"),
            epoch,
            mail: Mail::new(&cursor),
            joined: self.now,
            ended: false,
        });
    }

    async fn send(
        &mut self,
        from: usize,
        to: usize,
        kind: usize,
        session: usize,
        count: usize,
        id: Option<usize>,
    ) {
        let Some((_, to_name)) = PEERS.get(to).or(Some(&("", ""))).copied() else {
            return;
        };
        let mut signals = Vec::new();
        for _ in 0..count {
            let mut signal = json!({"type": TYPES[kind], "data": self.sent});
            if let Some(id) = id {
                signal["id"] = json!(format!("i{id}"));
                signal["data"] = json!(format!("of {id} to {to}"));
            } else {
                self.sent += 1;
            }
            if !to_name.is_empty() {
                signal["to"] = json!(to_name);
            }
            if session < 3 {
                signal["session"] = json!(format!("s{session}"));
            }
            signals.push(signal);
        }
        let body = if count == 1 {
            signals[0].to_string()
        } else {
            json!(signals).to_string()
        };
        let Some(answer) = self
            .ask(from, Method::POST, "/signals", &[], body.as_bytes())
            .await
        else {
            return;
        };
        if answer.status != 202 {
            assert!(
                matches!(answer.status, 404 | 409 | 410 | 422 | 429),
                "{}",
                answer.status
            );
            return;
        }
        let told = answer.json();
        let results = told["results"].as_array().expect("results");
        assert!(results.len() == count || told["refused"]["index"] == results.len());
        for (signal, result) in signals.iter().zip(results) {
            // A bye comes as the end of its session.
            if result["duplicate"] == true || signal["type"] == "bye" {
                continue;
            }
            for recipient in result["to"].as_array().expect("recipients") {
                let room = PEERS[from].0;
                let is =
                    |(in_room, name): &(&str, &str)| *in_room == room && recipient["peer"] == *name;
                let index = PEERS.iter().position(is).expect("a peer of the room");
                if let Some(member) = &mut self.members[index]
                    && recipient.get("refused").is_none()
                {
                    member.mail.promise(signal["data"].to_string());
                }
            }
        }
    }

    async fn poll(&mut self, peer: usize, back: usize, max: usize, posted: bool) {
        let Some(member) = &self.members[peer] else {
            return;
        };
        let (cursor, at) = member.mail.cursor(back);
        let answer = if posted {
            let body = json!({"cursor": cursor, "wait": 0, "max": max}).to_string();
            self.ask(peer, Method::POST, "/poll", &[], body.as_bytes())
                .await
        } else {
            let tail = format!("/poll?wait=0&max={max}&cursor={cursor}");
            self.ask(peer, Method::GET, &tail, &[], b"").await
        };
        let Some(answer) = answer else { return };
        let told = answer.json();
        assert_eq!(answer.status, 200, "{told}");
        let events = told["events"].as_array().expect("events");
        assert!(
            events.len() <= max + 1,
            "at most what was asked for, and the end"
        );
        let over = events.iter().any(|event| event["event"] == "end");
        let all = told["more"] == false && !over && told.get("superseded").is_none();
        let gap = told.get("gap").is_some();
        if let Some(member) = &mut self.members[peer] {
            member
                .mail
                .got(at, gap, events, told["cursor"].as_str(), all);
        }
    }

    async fn events(&mut self, peer: usize, pieces: usize) {
        let Some(member) = &self.members[peer] else {
            return;
        };
        let (cursor, at) = member.mail.cursor(0);
        let bearer = format!("Bearer {}", member.token);
        let headers = [
            ("authorization", bearer.as_bytes()),
            ("last-event-id", cursor.as_bytes()),
        ];
        let (room, name) = PEERS[peer];
        let path = path(&format!("/rooms/{room}/peers/{name}/events"));
        let answer = self
            .site
            .ask(Method::GET, &path, &headers, b"", pieces)
            .await;
        if matches!(answer.status, 204 | 410) {
            assert!(self.may_be_over(member));
            self.members[peer] = None;
            return;
        }
        assert_eq!(answer.status, 200);
        let text = String::from_utf8_lossy(&answer.body);
        let whole = text.rfind("\n\n").map_or("", |end| &text[..end + 2]);
        let mut events: Vec<Value> = Vec::new();
        let mut gap = false;
        for block in whole.split("\n\n") {
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
            let Some(data) = field("data: ") else {
                continue;
            };
            let data: Value = serde_json::from_str(data).expect("JSON");
            let event = field("event: ").unwrap_or_default();
            gap |= event == "ready" && data.get("gap").is_some();
            events.push(json!({"id": field("id: "), "event": event, "data": data}));
        }
        if let Some(member) = &mut self.members[peer] {
            member.mail.got(at, gap, &events, None, false);
        }
    }

    async fn leave(&mut self, peer: usize, by_beacon: bool) {
        let Some(member) = &mut self.members[peer] else {
            return;
        };
        member.ended = true;
        let token = member.token.clone();
        let answer = if by_beacon {
            self.ask(peer, Method::POST, "/leave", &[], token.as_bytes())
                .await
        } else {
            self.ask(peer, Method::DELETE, "", &[], b"").await
        };
        assert!(answer.is_none_or(|answer| answer.status == 204));
    }

    async fn kick(&mut self, peer: usize) {
        let (room, name) = PEERS[peer];
        if let Some(member) = &mut self.members[peer] {
            member.ended = true;
        }
        self.operator(&format!("/rooms/{room}/peers/{name}?detail=go"))
            .await;
    }

    async fn close(&mut self, peer: usize) {
        let room = PEERS[peer].0;
        for (member, (in_room, _)) in self.members.iter_mut().zip(PEERS) {
            if let Some(member) = member.as_mut().filter(|_| in_room == room) {
                member.ended = true;
            }
        }
        self.operator(&format!("/rooms/{room}")).await;
    }

    async fn operator(&self, target: &str) {
        let headers = [("authorization", &b"Bearer operator"[..])];
        let answer = self
            .site
            .ask(Method::DELETE, &path(target), &headers, b"", 1)
            .await;
        assert!(matches!(answer.status, 204 | 404), "{}", answer.status);
    }
}

fn path(text: &str) -> Uri {
    text.parse().expect("a path")
}
