//! Every command of the curl help, run verbatim in two real shells, does what it says.

use crate::harness::{Terminal, TestServer};

/// The commands of the page, by the heading that they stand under.
fn commands(page: &str) -> Vec<(String, Vec<String>)> {
    let mut parts: Vec<(String, Vec<String>)> = Vec::new();
    for line in page.lines() {
        if line.starts_with("TERMINAL ") || line == "THE REST" {
            parts.push((line.to_owned(), Vec::new()));
        } else if line.starts_with("curl ") || line.contains("=$(curl ") {
            parts.last_mut().expect("a heading").1.push(line.to_owned());
        }
    }
    parts
}

#[tokio::test]
async fn every_command_of_the_curl_help_does_what_it_says() {
    let server = TestServer::with(&["--ice-server", "stun:stun.example.org:3478"]).await;
    let page = server.get("/").await.text;
    let parts = commands(&page);
    let headings: Vec<_> = parts
        .iter()
        .map(|(heading, _)| &heading[..10.min(heading.len())])
        .collect();
    assert_eq!(
        headings,
        [
            "TERMINAL 1",
            "TERMINAL 2",
            "TERMINAL 1",
            "TERMINAL 2",
            "THE REST"
        ]
    );
    let [joins, calls, answers, ends, rest] = [0, 1, 2, 3, 4].map(|n: usize| &parts[n].1);
    let mut all = 0;
    let mut check = |line: &str, said: &str, wanted: &[&str]| {
        all += 1;
        for part in wanted {
            assert!(said.contains(part), "{line}\nsaid {said}\nnot {part}");
        }
    };
    let (mut one, mut two) = (Terminal::open(), Terminal::open());

    check(&joins[0], &one.run(&joins[0]).await, &["done 0"]);
    one.type_line(&joins[1]).await;
    check(
        &joins[1],
        &one.read_until("event: ping").await,
        &["event: ready", "\"peer\":\"bob\""],
    );

    let wanted: [&[&str]; 6] = [
        &["done 0"],
        &[
            r#""peer":"bob","meta":{"name":"Bob"},"state":"live""#,
            r#""peer":"alice""#,
        ],
        &[r#""results":[{"session":"s1","to":[{"peer":"bob","state":"live"}]}]"#],
        &[
            r#""results":[{"#,
            r#"}]},{"to":[{"peer":"bob","state":"live"}]}]"#,
        ],
        &[r#"{"session":"s1","peer":"bob","state":"offered"}"#],
        &["done 0"],
    ];
    assert_eq!(calls.len(), wanted.len());
    for (line, wanted) in calls.iter().zip(wanted) {
        check(line, &two.run(line).await, wanted);
    }
    let seen = one.read_until("event: peer-updated").await;
    for part in [
        "event: peer-joined",
        r#""type":"offer","session":"s1","data":{"sdp":"v=0"}"#,
        r#""data":{"candidate":"a"}"#,
        r#""data":"to everybody""#,
    ] {
        assert!(seen.contains(part), "{seen}");
    }
    one.interrupt().await;
    one.run("true").await;

    check(
        &answers[0],
        &one.run(&answers[0]).await,
        &[r#""peer":"alice""#, "done 0"],
    );
    check(
        &answers[1],
        &one.run(&answers[1]).await,
        &[r#""more":true"#, r#""event":"signal""#],
    );
    one.type_line(&answers[2]).await;
    let notices = one.read_until(r#"{"event":"wake""#).await;
    check(&answers[2], &notices, &[r#""event":"ready""#]);
    assert_eq!(answers.len(), 3);

    let wanted: [&[&str]; 4] = [
        &[r#""type":"answer","session":"s1""#],
        &[r#""results":[{"session":"s1""#],
        &["done 0"],
        &["/problems/ended", r#""reason":"left""#],
    ];
    assert_eq!(ends.len(), wanted.len());
    for (line, wanted) in ends.iter().zip(wanted) {
        check(line, &two.run(line).await, wanted);
    }
    let mut seen = one.read_until(r#"{"id""#).await;
    while !seen.contains("peer-left") {
        seen.push_str(&one.read_until(r#"{"id""#).await);
    }
    assert!(
        seen.contains(r#""reason":"hangup","data":"see you""#),
        "{seen}"
    );
    one.interrupt().await;
    one.run("true").await;

    let wanted: [&[&str]; 8] = [
        &[r#"{"iceServers":[{"urls":["stun:stun.example.org:3478"]}],"ttl":3600}"#],
        &[r#"{"ticket":"st1."#],
        &["done 0"],
        &["event: tick", r#""n":7"#],
        &[r#""method":"GET","version":"HTTP/1.1""#],
        &["ok"],
        &["ok"],
        &["done 0"],
    ];
    assert_eq!(rest.len(), wanted.len());
    for (line, wanted) in rest.iter().zip(wanted) {
        check(line, &one.run(line).await, wanted);
    }
    assert_eq!(
        all,
        parts.iter().map(|(_, lines)| lines.len()).sum::<usize>(),
        "all were run"
    );
    assert!(server.get("/rooms").await.status == 404 && server.hub.rooms().is_empty());
}

#[tokio::test]
async fn the_call_in_the_readme_goes_as_it_says() {
    let server = TestServer::start().await;
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(readme).expect("a README");
    let (_, call) = readme.split_once("## Call with curl").expect("the call");
    let (call, _) = call.split_once("## Integrate").expect("what follows it");
    let lines: Vec<_> = call
        .lines()
        .filter(|line| line.starts_with("curl ") || line.contains("=$(curl "))
        .map(|line| line.replace("http://127.0.0.1:8080", &server.base))
        .collect();
    assert_eq!(lines.len(), 6);
    let (mut one, mut two) = (Terminal::open(), Terminal::open());
    one.run(&lines[0]).await;
    one.type_line(&lines[1]).await;
    one.read_until("event: ping").await;
    for line in &lines[2..] {
        assert!(two.run(line).await.contains("done 0"));
    }
    let seen = one
        .read_until(r#"data: {"peer":"alice","reason":"left"}"#)
        .await;
    let (_, shown) = call.split_once("Terminal 1 shows:").expect("what is seen");
    let shown = shown.split("```").nth(1).expect("a block");
    for line in shown.lines().filter(|line| !line.is_empty()) {
        assert!(seen.contains(line), "not {line:?} in {seen}");
    }
}
