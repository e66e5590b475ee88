//! The help, the completions and the manual pages, and the options of every command.

use super::A;
use crate::support::runner::Program;

const COMMANDS: [&str; 15] = [
    "keygen",
    "keys",
    "status",
    "reencrypt",
    "encrypt",
    "decrypt",
    "retire",
    "discover",
    "problems",
    "pause",
    "resume",
    "stop",
    "migration",
    "completions",
    "man",
];

#[test]
fn every_command_has_a_help_that_fits_a_terminal() {
    for command in COMMANDS {
        let run = Program::new([command, "--help"]).exits_with(0);
        let longest = run.stdout.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(longest <= 100, "{command}: {longest}");
        assert!(run.stdout.contains("--color <WHEN>") && run.stdout.contains("--quiet"), "{command}: {}", run.stdout);
    }
}

/// Each option is under the heading that says what it is for.
#[test]
fn options_are_grouped() {
    let run = Program::new(["encrypt", "-h"]).exits_with(0);
    let group = |option: &str| {
        let lines: Vec<&str> = run.stdout.lines().collect();
        let line = lines.iter().position(|line| line.contains(option)).unwrap_or_else(|| panic!("no {option}"));
        let heading = lines[..line].iter().rev().find(|line| line.ends_with(':') && !line.starts_with(' '));
        heading.unwrap().trim_end_matches(':').to_owned()
    };
    for (option, heading) in [
        ("--accept-tokens ", "Options"),
        ("--dry-run", "Options"),
        ("--stateless", "Options"),
        ("--database-url", "Database"),
        ("--column", "Columns"),
        ("--schema", "Columns"),
        ("--token-like-plaintext", "Columns"),
        ("--fence-timeout", "Proof"),
        ("--node", "Proof"),
        ("--workers", "Limiting the load"),
        ("--max-runtime", "Limiting the load"),
        ("--json", "Output"),
        ("--metrics-file", "Output"),
        ("--quiet", "Output"),
    ] {
        assert_eq!(group(option), heading, "{option}");
    }
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let run =
            Program::new(["completions", shell]).set("DATABASE_URL", "postgres://scott:tiger@db/app").exits_with(0);
        assert_eq!(run.stderr, "");
        for command in COMMANDS {
            assert!(run.stdout.contains(command), "{shell}: {command}");
        }
    }
    Program::new(["completions", "tcsh"]).exits_with(2);
}

#[test]
fn manual_pages() {
    let run = Program::new(["man"]).exits_with(0);
    assert!(run.stdout.contains(".TH diesel-encrypted 1") && run.stdout.contains("Exit codes"), "{}", run.stdout);
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("pages");
    let run = Program::new(["man", "--dir"]).arg(&pages).exits_with(0);
    for line in run.stdout.lines() {
        assert!(std::fs::read_to_string(line).unwrap().contains(".SH NAME"), "{line}");
    }
    for page in ["diesel-encrypted.1", "diesel-encrypted-status.1", "diesel-encrypted-migration-guard.1"] {
        assert!(pages.join(page).is_file(), "{page} is not among {}", run.stdout);
    }
}

/// Without a terminal there are no colors, unless somebody asks for them.
#[test]
fn colors_on_request() {
    let color = |when: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_diesel-encrypted"))
            .args(when)
            .arg("--no-such-option")
            .env_remove("NO_COLOR")
            .output()
            .unwrap();
        String::from_utf8(output.stderr).unwrap().contains('\u{1b}')
    };
    assert!(!color(&[]));
    assert!(!color(&["--color", "never"]));
    assert!(!color(&["--color=auto"]));
    assert!(color(&["--color", "always"]));
    assert!(color(&["--color=always"]));
}

#[test]
fn quiet_still_says_what_is_wrong() {
    let run = Program::new(["-q", "status", "--column", "t.x"]).keys(&[A]).exits_with(2);
    assert!(run.stderr.starts_with("diesel-encrypted: no database is named."), "{run:?}");
    let run = Program::new(["keys", "--quiet"]).keys(&[A]).exits_with(0);
    assert!(run.stdout.starts_with("position"), "{run:?}");
}
