//! Checks what the compiler refuses, and its messages.
//!
//! Each file in `compile_fail/` is a program with two kinds of marked lines. A line below `// refused: TEXT` must not
//! compile, and the first error about it must contain TEXT. (A line may have several such texts.) A line below `//
//! compiles` replaces it in a twin of the program. The twin compiles, so only the refused lines are wrong.
//!
//! One `cargo check` checks all programs, as one package.

#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The features that the programs need. None of these backends links a client library.
const FEATURES: &str = r#"["json", "postgres", "reencrypt", "serde"]"#;

#[test]
fn the_compiler_refuses_what_it_should() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cases = crate_folder.join("tests/compile_fail");
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_fail");
    let sources = package.join("src/bin");
    // An earlier run may have left a program whose case no longer exists.
    let _ = fs::remove_dir_all(&sources);
    fs::create_dir_all(&sources).unwrap();
    fs::copy(crate_folder.join("Cargo.lock"), package.join("Cargo.lock")).unwrap();
    fs::write(package.join("Cargo.toml"), manifest(crate_folder, &cases.join("schema.rs"))).unwrap();

    let mut programs = BTreeMap::new();
    for entry in fs::read_dir(&cases).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_string();
        if name == "schema" {
            continue;
        }
        let program = Program::parse(&fs::read_to_string(&path).unwrap());
        fs::write(sources.join(format!("{name}_refused.rs")), &program.refused).unwrap();
        fs::write(sources.join(format!("{name}_compiles.rs")), &program.compiles).unwrap();
        programs.insert(name, program);
    }
    let errors = check(&package);

    let mut failures = String::new();
    for (name, program) in &programs {
        for error in errors.get(&format!("{name}_compiles")).into_iter().flatten() {
            writeln!(failures, "{name}.rs: does not compile:\n{}", error.rendered).unwrap();
        }
        let errors = errors.get(&format!("{name}_refused")).map_or(&[][..], Vec::as_slice);
        for (line, texts) in &program.expected {
            let first = errors.iter().find(|error| error.line == Some(*line)).map(|error| error.rendered.as_str());
            for text in texts.iter().filter(|text| !first.is_some_and(|first| first.contains(*text))) {
                let first = first.unwrap_or("it compiles");
                writeln!(failures, "{name}.rs:{line}: expected \"{text}\", found:\n{first}").unwrap();
            }
        }
        let of_no_line = |error: &&Error| !error.line.is_some_and(|line| program.expected.contains_key(&line));
        for error in errors.iter().filter(of_no_line) {
            writeln!(failures, "{name}.rs: refused for another reason:\n{}", error.rendered).unwrap();
        }
    }
    assert!(!programs.is_empty());
    assert!(failures.is_empty(), "{failures}");
}

/// A program and its twin, which have the same line numbers.
struct Program {
    refused: String,
    compiles: String,
    /// The texts that the first error about a line must contain.
    expected: BTreeMap<u64, Vec<String>>,
}

impl Program {
    fn parse(source: &str) -> Self {
        let mut this = Self { refused: String::new(), compiles: String::new(), expected: BTreeMap::new() };
        let (mut texts, mut twin) = (Vec::new(), false);
        for (line, number) in source.lines().zip(1..) {
            let marker = line.trim_start();
            let (mut refused, mut compiles) = (line, line);
            if let Some(text) = marker.strip_prefix("// refused: ") {
                texts.push(text.to_string());
            } else if marker == "// compiles" {
                twin = true;
            } else if !texts.is_empty() {
                this.expected.insert(number, std::mem::take(&mut texts));
                compiles = "";
            } else if std::mem::take(&mut twin) {
                refused = "";
            }
            writeln!(this.refused, "{refused}").unwrap();
            writeln!(this.compiles, "{compiles}").unwrap();
        }
        assert!(!this.expected.is_empty(), "nothing is refused");
        this
    }
}

fn manifest(crate_folder: &Path, schema: &Path) -> String {
    format!(
        r#"
            [package]
            name = "schema"
            version = "0.0.0"
            edition = "2024"

            [lib]
            path = {schema:?}

            [dependencies]
            diesel = {{ version = "2.3", default-features = false }}
            diesel-encrypted = {{ path = {crate_folder:?}, features = {FEATURES} }}
            serde = {{ version = "1", features = ["derive"] }}

            [workspace]
        "#
    )
}

struct Error {
    line: Option<u64>,
    rendered: String,
}

/// The errors of each program, in the compiler's order.
fn check(package: &Path) -> BTreeMap<String, Vec<Error>> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(["check", "--offline", "--keep-going", "--message-format=json", "--target-dir", "target"])
        .env_remove("RUSTFLAGS")
        .current_dir(package)
        .output()
        .unwrap();
    let mut errors: BTreeMap<String, Vec<Error>> = BTreeMap::new();
    let mut got_to_the_programs = false;
    for line in output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let event: Value = serde_json::from_slice(line).unwrap();
        got_to_the_programs |= event["reason"] == "compiler-artifact" && event["target"]["name"] == "schema";
        let message = &event["message"];
        let summary = message["message"].as_str().unwrap_or_default();
        if message["level"] == "error" && !summary.starts_with("aborting due to") {
            let name = event["target"]["name"].as_str().unwrap().to_string();
            let rendered = message["rendered"].as_str().unwrap().to_string();
            errors.entry(name).or_default().push(Error { line: line_in_program(message), rendered });
        }
    }
    assert!(got_to_the_programs, "{}", String::from_utf8_lossy(&output.stderr));
    errors
}

/// Returns the line of the program that an error is about. For code that a macro generated, that is the call of the
/// macro.
fn line_in_program(message: &Value) -> Option<u64> {
    let mut span = message["spans"].as_array()?.iter().find(|span| span["is_primary"] == true)?;
    while !span["file_name"].as_str()?.starts_with("src") {
        span = &span["expansion"]["span"];
    }
    span["line_start"].as_u64()
}
