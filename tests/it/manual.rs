//! What shells and readers of manuals get, by the programs that they read it with.

use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::harness::command::{bare, said};
use crate::harness::unique;

/// What a program says of a text, which it is given as its input.
async fn told(program: &str, args: &[&str], text: &str) -> (i32, String) {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|_| panic!("please install {program}"));
    let mut input = child.stdin.take().expect("its input");
    input.write_all(text.as_bytes()).await.expect("given");
    drop(input);
    let output = child.wait_with_output().await.expect("an end");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code().expect("a code"),
        String::from_utf8(said).expect("text"),
    )
}

/// What mandoc finds fault with.
async fn faults(page: &str) -> String {
    told("mandoc", &["-T", "lint", "-W", "warning"], page)
        .await
        .1
}

#[tokio::test]
async fn the_page_has_all_subcommands_and_no_fault() {
    let (code, page, errors) = said(&["man"]).await;
    assert_eq!(code, 0, "{errors}");
    assert_eq!(faults(&page).await, "");
    let (_, text) = told("mandoc", &["-T", "ascii"], &page).await;
    // Bold is a letter over itself.
    let mut plain = String::new();
    for c in text.chars() {
        if c == '\u{8}' {
            plain.pop();
        } else {
            plain.push(c);
        }
    }
    for part in [
        "SWITCHBOARD LISTEN",
        "SWITCHBOARD SEND",
        "SWITCHBOARD BENCH",
        "SWITCHBOARD CHECK",
        "SWITCHBOARD TOKEN",
        "--until",
        "--mailbox-events",
        "the server cannot be reached",
    ] {
        assert!(plain.contains(part), "no {part} in {plain}");
    }
}

#[tokio::test]
async fn each_subcommand_has_a_page_of_its_own_where_a_folder_is_named() {
    let folder =
        std::env::temp_dir().join(unique(&format!("switchboard-man-{}", std::process::id())));
    let path = folder.to_str().expect("a path");
    let (code, out, errors) = said(&["man", "--dir", path]).await;
    assert_eq!((code, out.as_str()), (0, ""), "{errors}");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        names.push(
            path.file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned(),
        );
        let page = std::fs::read_to_string(&path).expect("a page");
        assert_eq!(faults(&page).await, "", "{}", path.display());
    }
    for name in [
        "switchboard.1",
        "switchboard-listen.1",
        "switchboard-token.1",
    ] {
        assert!(
            names.iter().any(|known| known == name),
            "no {name} among {names:?}"
        );
    }
    let _ = std::fs::remove_dir_all(&folder);
}

#[tokio::test]
async fn secrets_of_the_environment_stand_in_no_page_and_no_script() {
    for args in [&["man"][..], &["completions", "bash"]] {
        let mut command = bare(args);
        command
            .env("SWITCHBOARD_SECRET", "a word of the tests")
            .env("SWITCHBOARD_LISTEN", "127.0.0.9:9");
        let output = command.output().await.expect("it ran");
        let text = String::from_utf8(output.stdout).expect("text");
        assert!(text.contains("listen") && !text.contains("a word of the tests"));
        assert!(!text.contains("127.0.0.9"));
    }
}

#[tokio::test]
async fn bash_completes_subcommands_and_their_options() {
    let (code, script, errors) = said(&["completions", "bash"]).await;
    assert_eq!(code, 0, "{errors}");
    let asked = format!(
        "{script}\nCOMP_WORDS=(switchboard li); COMP_CWORD=1; _switchboard switchboard li switchboard; echo \"${{COMPREPLY[@]}}\"\n\
         COMP_WORDS=(switchboard listen --unt); COMP_CWORD=2; _switchboard switchboard --unt listen; echo \"${{COMPREPLY[@]}}\"\n"
    );
    let (code, said_there) = told("bash", &["--norc"], &asked).await;
    assert_eq!((code, said_there.as_str()), (0, "listen\n--until\n"));
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        let (code, script, errors) = said(&["completions", shell]).await;
        assert!(code == 0 && script.contains("listen"), "{shell}: {errors}");
    }
    assert_eq!(said(&["completions", "tcsh"]).await.0, 2);
}
