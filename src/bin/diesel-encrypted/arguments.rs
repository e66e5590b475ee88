//! The arguments, read so that no message repeats a key or a password among them.

use std::process::ExitCode;

use clap::{ColorChoice, CommandFactory, FromArgMatches, ValueEnum};

use crate::cli::{Cli, When};

/// A word of base64 that is at least this long may be a key, or most of one.
const LONG: usize = 24;
const HIDDEN: &str = "(not shown: it may be a key or a password)";

/// Reads the arguments. After a mistake, or a request for help, prints the message and returns the exit code.
pub(crate) fn read() -> Result<Cli, ExitCode> {
    let color = color(std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()));
    let choice = match color {
        When::Auto => ColorChoice::Auto,
        When::Always => ColorChoice::Always,
        When::Never => ColorChoice::Never,
    };
    let matches = Cli::command().color(choice).try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    matches.map_err(|error| {
        if error.use_stderr() {
            let text = error.render();
            let text = if color.applies_to(&std::io::stderr()) { text.ansi().to_string() } else { text.to_string() };
            let arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
            eprint!("{}", without_secrets(text, arguments));
        } else {
            // Like clap itself, ignore a reader that closes the pipe early.
            let _ = error.print();
        }
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
    })
}

/// What `--color` says. The parser needs it for its own messages.
fn color(arguments: impl Iterator<Item = String>) -> When {
    let arguments: Vec<String> = arguments.collect();
    let next = arguments.iter().skip(1).map(String::as_str).chain([""]);
    let named = arguments.iter().zip(next).find_map(|(argument, next)| match argument.strip_prefix("--color") {
        Some("") => Some(next),
        Some(value) => value.strip_prefix('='),
        None => None,
    });
    named.and_then(|when| When::from_str(when, false).ok()).unwrap_or(When::Auto)
}

/// The message without the arguments, or the parts of them, that may be secret. clap repeats what it does not know.
fn without_secrets(mut message: String, arguments: impl Iterator<Item = String>) -> String {
    for argument in arguments {
        // `--name=value`
        let (_, value) = argument.split_once('=').filter(|_| argument.starts_with('-')).unwrap_or(("", &argument));
        let is_url = ["://", "@", "password"].iter().any(|part| value.contains(part));
        let parts: Vec<&str> = value.split(|character: char| !is_base64(character)).collect();
        if is_url {
            message = message.replace(value, HIDDEN);
        }
        for part in parts.into_iter().filter(|part| may_be_secret(part)) {
            message = message.replace(part, HIDDEN);
        }
    }
    message
}

/// Whether a word may be a key, or most of one.
pub(crate) fn may_be_secret(word: &str) -> bool {
    let has = |is: fn(&char) -> bool| word.chars().any(|character| is(&character));
    let is_random = has(char::is_ascii_digit) || has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase);
    word.len() >= LONG && is_random && word.chars().all(is_base64)
}

fn is_base64(character: char) -> bool {
    character.is_ascii_alphanumeric() || "+/-_=".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(argument: &str) -> String {
        without_secrets(format!("error: unexpected argument '{argument}' found"), [argument.to_owned()].into_iter())
    }

    #[test]
    fn keys_and_urls_are_not_repeated() {
        const KEY: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
        let hidden = format!("error: unexpected argument '{HIDDEN}' found");
        for argument in [KEY, &KEY[1..40], "postgres://u:secret@host/db", "host=x password=secret"] {
            assert_eq!(shown(argument), hidden);
        }
        assert_eq!(shown(&format!("--key={KEY}")), format!("error: unexpected argument '--key={HIDDEN}' found"));
        assert_eq!(shown(&format!("{KEY}:{KEY}")), format!("error: unexpected argument '{HIDDEN}:{HIDDEN}' found"));
        for argument in ["users.email", "--colum", "--token-like-plaintext-of-all", "customers.payment_instruments"] {
            assert!(shown(argument).contains(argument));
        }
    }
}
