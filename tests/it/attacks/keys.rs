//! The keys of access tokens are changed under way: SIGHUP has the running program read them again.

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;

use crate::access::{KeyFile, soon};
use crate::harness::program::Program;
use crate::harness::{Answer, client, secrets};

const OLD: &str = "the-key-that-was-of-32-bytes-or-more";
const NEW: &str = "the-key-that-comes-of-32-bytes-or-more";
const BAD: &str = "a-key-too-short";
const READ: &str = "read the keys of access tokens again";
const KEPT: &str = "the keys of access tokens stay as they were";

fn signed(secret: &str) -> String {
    let claims = json!({"room": "*", "rights": ["operate"], "exp": soon(3600)});
    let key = EncodingKey::from_secret(secret.as_bytes());
    encode(&Header::default(), &claims, &key).expect("a token")
}

async fn rooms(program: &Program, token: &str) -> Answer {
    let asked = client().get(format!("{}/rooms", program.base));
    let answer = asked.bearer_auth(token).send().await;
    Answer::of(answer.expect("an answer")).await
}

#[tokio::test]
async fn a_key_that_is_taken_out_of_its_file_opens_nothing_after_a_hangup() {
    for secret in [OLD, NEW, BAD] {
        secrets::hide(secret);
    }
    let file = KeyFile::new(OLD);
    let program = Program::start(&["--access-key", file.0.to_str().expect("text")]);
    let (old, new) = (signed(OLD), signed(NEW));
    rooms(&program, &old).await.expect_status(200);
    rooms(&program, &new).await.expect_problem(401, "bad-token");

    std::fs::write(&file.0, NEW).expect("written");
    // Until it is told, it goes by what it has read.
    rooms(&program, &old).await.expect_status(200);
    program.signal("HUP");
    program.says(READ, 1).await;
    rooms(&program, &new).await.expect_status(200);
    rooms(&program, &old).await.expect_problem(401, "bad-token");

    // A mistake in the file locks nobody out, and lets nobody in again.
    std::fs::write(&file.0, BAD).expect("written");
    program.signal("HUP");
    program.says(KEPT, 1).await;
    rooms(&program, &new).await.expect_status(200);
    rooms(&program, &old).await.expect_problem(401, "bad-token");

    let log = program.end();
    assert_eq!(log.matches(READ).count(), 1, "{log}");
    assert_eq!(secrets::search(&log), None);
}
