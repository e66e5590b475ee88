//! `--metrics-file`: its content at the end of a run.

use std::collections::BTreeMap;
use std::path::Path;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::vault::{Row, Vault};
use crate::backend::SHARES;
use crate::support::runner::Program;

const OLD: u8 = 1;
const NEW: u8 = 2;
const UNKNOWN: u8 = 3;

fn metrics(path: &Path) -> BTreeMap<String, i64> {
    let text = std::fs::read_to_string(path).unwrap();
    let metric = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.strip_prefix("diesel_encrypted_").unwrap().to_owned(), value.parse().unwrap())
    };
    let metrics: BTreeMap<String, i64> = text.lines().filter(|line| !line.starts_with('#')).map(metric).collect();
    for name in metrics.keys() {
        let name = name.split('{').next().unwrap();
        let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
        assert_eq!(text.matches(&format!("# TYPE diesel_encrypted_{name} {kind}\n")).count(), 1, "{name} in {text}");
        assert_eq!(text.matches(&format!("# HELP diesel_encrypted_{name} ")).count(), 1, "{name} in {text}");
    }
    metrics
}

#[test]
fn the_final_numbers() {
    let vault = Vault::sealed(OLD, 1..=30);
    vault.insert(&[Row::sealed(31, UNKNOWN), Row::sealed(32, NEW)]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.prom");
    let reencrypt = |keys: &[u8]| -> Program {
        vault.program(&["reencrypt", "--json", "--batch-size=7"], keys).arg("--metrics-file").arg(&path)
    };
    let json = reencrypt(&[NEW, OLD]).exits_with(4).json();
    let moment = OffsetDateTime::parse(json["proof"]["moment"].as_str().unwrap(), &Rfc3339).unwrap();
    let name = vault.name();
    // The proof has read every row once more, and twice where an older transaction could have written in between.
    let read = if SHARES { 96 } else { 64 };
    let table_rows = format!("table_rows{{table=\"{name}\"}}");
    let expected = [
        ("running", 0),
        ("exit_code", 4),
        ("pass", 1),
        ("proving", 0),
        ("waiting", 0),
        ("rows_read_total", read),
        ("values_rewritten_total", 50),
        ("bad_values", 2),
        (&table_rows, 32),
        ("last_proof_timestamp_seconds", moment.unix_timestamp()),
    ];
    let mut found = metrics(&path);
    found.retain(|name, _| !name.starts_with("table_rows_estimated"));
    assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value)).into());

    // A run without a proof keeps the time of the last proof.
    reencrypt(&[UNKNOWN + 1]).exits_with(5);
    let found = metrics(&path);
    let numbers = ["exit_code", "rows_read_total", "last_proof_timestamp_seconds"].map(|name| found[name]);
    assert_eq!(numbers, [5, 0, moment.unix_timestamp()]);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn a_place_that_cannot_be_written() {
    let vault = Vault::sealed(OLD, 1..=3);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing/metrics.prom");
    let run = vault.program(&["reencrypt"], &[NEW, OLD]).arg("--metrics-file").arg(&path).exits_with(2);
    run.says(&format!("cannot write the metrics file {}", path.display()));
    vault.assert_readable(&[OLD], 3);
}

/// Others may write to the folder of the collector. A link there must not lead to another file.
#[test]
fn links_in_the_folder_are_not_followed() {
    let vault = Vault::sealed(OLD, 1..=3);
    let folder = tempfile::tempdir().unwrap();
    let victim = folder.path().join("victim");
    std::fs::write(&victim, "precious").unwrap();
    let path = folder.path().join("metrics.prom");
    std::os::unix::fs::symlink(&victim, &path).unwrap();
    // A name that contains the number of the process can be guessed.
    let process = std::process::id();
    for number in process..process + 3000 {
        std::os::unix::fs::symlink(&victim, folder.path().join(format!(".metrics.prom.{number}.tmp"))).unwrap();
    }
    vault.program(&["reencrypt"], &[NEW, OLD]).arg("--metrics-file").arg(&path).exits_with(0);
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    assert!(std::fs::symlink_metadata(&path).unwrap().is_file());
    assert_eq!(metrics(&path)["exit_code"], 0);

    // Reading a pipe would wait for ever.
    let pipe = folder.path().join("pipe.prom");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    vault.program(&["reencrypt"], &[NEW, OLD]).arg("--metrics-file").arg(&pipe).exits_with(0);
    assert_eq!(metrics(&pipe)["exit_code"], 0);
}
