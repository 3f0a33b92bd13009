//! Bodies of every door that takes one; the first byte says which.
#![no_main]

use actix_web::http::{Method, Uri};
use libfuzzer_sys::fuzz_target;
use switchboard_fuzz::site::run;

const DOORS: [&str; 7] = [
    "/meta", "/poll", "/tickets", "/leave", "/signals", "/alive", "",
];

fuzz_target!(|input: &[u8]| {
    run(async |site| {
        let Some((first, body)) = input.split_first() else {
            return;
        };
        let join = Uri::from_static("/rooms/demo/peers");
        let joined = site
            .ask(Method::POST, &join, &[], br#"{"peer":"alice"}"#, 99)
            .await
            .json();
        let token = joined["token"].as_str().expect("a token");
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_bytes())];
        let door = DOORS[usize::from(*first) % DOORS.len()];
        // The beacon's credential is its body, a join's may stand in it.
        let body = match std::str::from_utf8(body) {
            Ok(text) => text.replace("$T", token).into_bytes(),
            Err(_) => body.to_vec(),
        };
        let (path, headers) = match door {
            "" => (join, &[][..]),
            _ => (
                format!("/rooms/demo/peers/alice{door}")
                    .parse()
                    .expect("a path"),
                &headers[..],
            ),
        };
        let answer = site.ask(Method::POST, &path, headers, &body, 99).await;
        assert!(
            matches!(answer.status, 200..=204 | 400..=429),
            "{}",
            answer.status
        );
    });
});
