//! Invalid limits: the program exits with code 2.

use super::A;
use crate::support::runner::{Program, Run};

#[test]
fn invalid_limits() {
    for (option, values, reason) in [
        ("--max-rows-per-second", &["0", "-1", "many"][..], "--max-rows-per-second"),
        ("--nice", &["-1", "1001", "NaN", "inf", "x"], "expected a number from 0 to 1000, such as 0.5"),
        ("--max-lag", &["-1", "NaN", "inf", "5s"], "expected a number of seconds, such as 5 or 0.5"),
        ("--max-runtime", &["", "1e300"], "expected a number of seconds, such as 5 or 0.5"),
        (
            "--max-lag-bytes",
            &["", "M", "1.5M", "256MB", "-1", "99999999999G", "1\u{20ac}"],
            "expected a number of bytes, such as 268435456 or 256M",
        ),
    ] {
        for value in values {
            let program = Program::new(["reencrypt".to_owned(), format!("{option}={value}")]).keys(&[A]);
            let Run { code, stdout, stderr } = program.run();
            assert_eq!((code, stdout.as_str()), (2, ""), "{option}={value}");
            assert!(stderr.contains(reason), "{option}={value}: {stderr}");
        }
    }
}

/// The help does not show values from the environment.
#[test]
fn the_help_shows_no_replica() {
    let program =
        Program::new(["reencrypt", "--help"]).set("DB_REPLICA_URLS", "postgres://scott:tiger-and-lion@db/app");
    let run = program.exits_with(0);
    assert!(run.stdout.contains("[env: DB_REPLICA_URLS]"), "{}", run.stdout);
}
