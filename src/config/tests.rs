use super::*;

fn parse(args: &[&str]) -> Result<Config, clap::Error> {
    let args = ["switchboard"].iter().chain(args);
    Cli::try_parse_from(args).map(Cli::into_config)
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn the_defaults_are_those_of_the_protocol() {
    let config = Config::standard();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.heartbeat, Duration::from_secs(15));
    assert_eq!(config.resume_window, Duration::from_secs(180));
    assert_eq!(config.bounds.mailbox_bytes, 512 * 1024);
    assert_eq!(config.bounds.max_peers_per_room, 64);
    assert!(config.check().is_ok());
}

#[test]
fn short_secrets_are_named() {
    let guessable = |args: &[&str]| parse(args).expect("good options").guessable();
    let long = "0123456789abcdef";
    assert!(guessable(&["--secret", long, "--operator-token", long]).is_empty());
    let short = ["--secret", long, "--secret", "short"];
    assert_eq!(guessable(&short), ["--secret"]);
    assert_eq!(guessable(&["--operator-token", "x"]), ["--operator-token"]);
}

#[test]
fn options_are_taken_with_and_without_the_subcommand() {
    for args in [&["--grace", "3s"][..], &["serve", "--grace", "3s"]] {
        assert_eq!(
            parse(args).expect("good options").grace,
            Duration::from_secs(3)
        );
    }
}

#[test]
fn unknown_names_and_bad_values_are_refused() {
    for args in [
        &["--nonsense"][..],
        &["--grace", "soon"],
        &["--mailbox-bytes", "much"],
        &["--listen", "8080"],
        &["--ice-server", "http://example.org"],
        &["--turn-ports", "9-1"],
        &["--turn-host", "turn.example:3478"],
        &["--tls-cert", "cert.pem"],
    ] {
        assert!(parse(args).is_err(), "{args:?}");
    }
    let variables = |name: &str| check_variables([name.to_owned()].into_iter());
    assert!(variables("SWITCHBOARD_GRACE").is_ok());
    assert!(variables("SWITCHBOARD_CREDENTIAL").is_ok());
    assert!(variables("SWITCHBOARD_NOT_BEFORE").is_ok());
    assert!(variables("HOME").is_ok());
    assert!(matches!(
        variables("SWITCHBOARD_GRAECE"),
        Err(BadConfig::UnknownVariable(_))
    ));
}

#[test]
fn every_option_is_an_environment_variable_under_its_own_name() {
    let whole = Cli::command();
    // Of all subcommands, also of those that are yet to come.
    let below = whole.get_subcommands();
    let below = below.flat_map(|command| command.get_arguments());
    for arg in whole.get_arguments().chain(below) {
        let Some(long) = arg
            .get_long()
            .filter(|long| !["help", "version"].contains(long))
        else {
            continue;
        };
        let name = format!("SWITCHBOARD_{}", long.to_uppercase().replace('-', "_"));
        assert_eq!(
            arg.get_env().and_then(|env| env.to_str()),
            Some(name.as_str()),
            "--{long}"
        );
    }
}

#[test]
fn a_resume_window_that_clients_cannot_meet_is_refused() {
    let config = parse(&["--resume-window", "100s"]).expect("good options");
    assert!(matches!(
        config.check(),
        Err(BadConfig::ShortResumeWindow(..))
    ));
}

#[test]
fn what_tokens_must_say_is_refused_where_no_token_is_asked_for() {
    for flag in ["--access-audience", "--access-issuer"] {
        let refused = parse(&[flag, "school"]).expect("good options").check();
        let refused = refused.expect_err("an open server").to_string();
        assert!(refused.starts_with(flag), "{refused}");
        let keyed = ["--access-key", "key.pem", flag, "school"];
        assert!(parse(&keyed).expect("good options").check().is_ok());
    }
}

#[test]
fn origins_are_taken_as_browsers_write_them_and_in_no_other_way() {
    for good in [
        "https://example.org",
        "http://localhost:3000",
        "http://[::1]:8080",
        "https://xn--bcher-kva.example",
        "capacitor://localhost",
        "chrome-extension://abcdefghijklmnop",
    ] {
        let config = parse(&["--origin", good]).expect(good);
        assert_eq!(config.origins, [good]);
    }
    for (bad, told) in [
        (
            "https://example.org/",
            "browsers write that origin https://example.org\n",
        ),
        (
            "https://example.org/demo?x#y",
            "origin https://example.org\n",
        ),
        ("https://example.org:443", "origin https://example.org\n"),
        ("HTTPS://Example.org", "origin https://example.org\n"),
        ("https://kim:pw@example.org", "origin https://example.org\n"),
        (
            "https://bücher.example",
            "origin https://xn--bcher-kva.example\n",
        ),
        ("*", "leave --origin out"),
        ("https://*.example.org", "leave --origin out"),
        ("null", "written like https://example.org"),
        ("example.org", "written like https://example.org"),
        ("localhost:3000", "written like https://example.org"),
        ("//example.org", "written like https://example.org"),
        ("https://", "written like https://example.org"),
        ("file:///home", "written like https://example.org"),
        ("", "written like https://example.org"),
    ] {
        let refused = parse(&["--origin", bad]).expect_err(bad).to_string();
        assert!(refused.contains(told), "{bad}: {refused}");
    }
    assert!(parse(&["--origin", "https://a.example,https://b.example/"]).is_err());
}

#[test]
fn an_operator_token_that_could_never_work_is_refused() {
    let check = |token: &str| {
        let config = parse(&["--operator-token", token]).expect("good options");
        config.check()
    };
    for good in [
        "an operator's long secret",
        "wNtzyqNNj2vDYnPM",
        "sp2.x",
        "a.b.c",
    ] {
        assert!(check(good).is_ok(), "{good}");
    }
    for bad in [
        "sp1.anything",
        "st1.anything",
        "eyJhbGciOiJIUzI1NiJ9.eyJyb29tIjoiKiJ9.c2lnbmF0dXJl",
        " leading",
        "trailing\n",
        "schlüssel",
        "nul\u{0}",
    ] {
        let refused = check(bad).expect_err(bad);
        assert!(matches!(refused, BadConfig::MistakenOperator), "{bad}");
        assert!(
            !refused.to_string().contains(bad),
            "a secret is not repeated"
        );
    }
}

#[test]
fn ipv4_networks_within_ipv6_are_those_of_ipv4() {
    for (written, meant) in [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:10.1.2.3", "10.1.2.3/32"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("fd00::/8", "fd00::/8"),
        ("::/0", "::/0"),
    ] {
        let config = parse(&["--trusted-proxy", written]).expect(written);
        let meant: IpNet = meant.parse().expect("a network");
        assert_eq!(config.trusted_proxies, [meant], "{written}");
    }
    for bad in ["::ffff:10.0.0.0/90", "10.0.0.0/33", "proxy.example", ""] {
        assert!(parse(&["--trusted-proxy", bad]).is_err(), "{bad}");
    }
}

#[test]
fn ice_servers_have_to_make_sense_together() {
    let turn = ["--ice-server", "turn:turn.example"];
    let secret = ["--turn-secret", "0123456789abcdef"];
    let listen = ["--turn-listen", "192.0.2.1:3478"];
    let all = ["--turn-listen", "0.0.0.0:3478"];
    let outside = ["--turn-external-ip", "192.0.2.1"];
    let room = ["--relay-room", "private-*"];
    let check = |parts: &[&[&str]]| parse(&parts.concat()).expect("flags").check().is_ok();
    for good in [
        &[&turn[..], &secret][..],
        &[&listen[..]],
        &[&all[..], &outside],
        &[&listen[..], &room, &secret],
    ] {
        assert!(check(good), "{good:?}");
    }
    for bad in [
        &[&turn[..]][..],
        &[&secret[..]],
        &[&room[..]],
        &[&all[..]],
        &[&listen[..], &["--turn-ttl", "5s"]],
        &[&turn[..], &["--turn-secret", ""]],
        &[&listen[..], &["--turn-external-ip", "::"]],
        &[&["--ice-server", "stun:a,stun:b,stun:c,stun:d,stun:e"][..]],
    ] {
        assert!(!check(bad), "{bad:?}");
    }
}
