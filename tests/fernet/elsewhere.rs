//! Tests the recipes of `docs/elsewhere.md` that need no database. Their commands run exactly as documented.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use diesel_encrypted::Keyring;
use serde_json::Value;

use crate::support::recordings::{Recording, Set};

/// No program is replaced.
const NONE: (&str, &str) = ("no_program", ":");

/// Returns the code blocks in a section of the document, as (language, code).
fn pieces(section: &str) -> Vec<(&'static str, &'static str)> {
    let document = include_str!("../../docs/elsewhere.md");
    let (_, rest) = document.split_once(&format!("\n## {section}\n")).expect("the section");
    let section = rest.split("\n## ").next().unwrap();
    let fences: Vec<_> = section.split("\n```").collect();
    fences.iter().skip(1).step_by(2).map(|fence| fence.split_once('\n').unwrap()).collect()
}

/// Returns `DB_ENCRYPTION_KEYS` as a shell has it after the commands of a section. The documented `keys.py` and this
/// `settings.py` are in its folder, and `program` replaces the program of that name.
fn documented_keys(section: &str, settings: &str, stdin: &str, (program, body): (&str, &str)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let piece = |language| pieces(section).into_iter().find(|piece| piece.0 == language).expect("the piece").1;
    fs::write(folder.path().join("keys.py"), piece("python")).unwrap();
    fs::write(folder.path().join("settings.py"), settings).unwrap();
    let python = std::env::var("PYTHON_WITH_CRYPTOGRAPHY").expect("use bin/with-servers");
    let commands = [
        &format!("python3() {{ command '{python}' \"$@\"; }}"),
        &format!("{program}() {{ {body}; }}"),
        piece("sh"),
        "printf %s \"$DB_ENCRYPTION_KEYS\"",
    ];
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", &commands.join("\n")]).current_dir(&folder).env_remove("DB_ENCRYPTION_KEYS");
    let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // An error means that the commands do not read their input.
    let _ = shell.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = shell.wait_with_output().unwrap();
    assert!(output.status.success(), "the commands of {section:?} failed, see above");
    String::from_utf8(output.stdout).unwrap()
}

/// Returns Django's settings as a Python module.
fn settings_py(set: &Set) -> String {
    let line = |(name, value): (&String, &Value)| match value {
        Value::Bool(true) => format!("{name} = True\n"),
        Value::Bool(false) => format!("{name} = False\n"),
        value => format!("{name} = {value}\n"), // JSON that is valid Python, too.
    };
    set.settings.iter().map(line).collect()
}

#[test]
fn keys_from_the_settings_of_django() {
    for original in ["django-fernet-fields", "django-fernet-encrypted-fields"] {
        let sets = Recording::of(original).sets;
        assert!(sets.len() > 1);
        for set in sets {
            assert_eq!(documented_keys(original, &settings_py(&set), "", NONE), set.keyring(), "{original}");
        }
    }
}

#[test]
fn keys_from_the_key_of_sqlalchemy_utils() {
    for set in Recording::of("sqlalchemy-utils").sets {
        let typed = format!("{}\n", set.settings["key"].as_str().unwrap());
        assert_eq!(documented_keys("SQLAlchemy-Utils", "", &typed, NONE), set.keyring());
    }
}

#[test]
fn keys_from_the_configuration_of_airflow() {
    let set = &Recording::of("apache-airflow").sets[0];
    let configured = set.settings["fernet_key"].as_str().unwrap();
    // Airflow's own program prints a line break at the end, and `Fernet` accepts keys in other spellings.
    for spelling in [configured.to_owned(), format!(" {} ", configured.replace(',', " , "))] {
        let airflow = format!("[ \"$*\" = 'config get-value core fernet_key' ] && echo '{spelling}'");
        assert_eq!(documented_keys("Apache Airflow", "", "", ("airflow", &airflow)), set.keyring());
    }
}

#[test]
fn keys_from_the_configuration_of_barbican() {
    let set = &Recording::of("openstack-barbican").sets[0];
    let keys = set.keys.iter().map(|key| format!("kek = {key}\n")).collect::<String>();
    let quoted = set.keys.iter().map(|key| format!("  kek=\"{key}\"\n#kek = old\n")).collect::<String>();
    for keks in [keys, quoted] {
        let file = format!("[p11_crypto_plugin]\nkek_label = 'x'\n[simple_crypto_plugin]\n{keks}plugin_name = y\n");
        let cat = format!("[ \"$*\" = /etc/barbican/barbican.conf ] && printf %s '{}'", file.replace('\'', r"'\''"));
        assert_eq!(documented_keys("OpenStack Barbican", "", "", ("cat", &cat)), set.keyring());
    }
}

/// The JSON contains tokens; it is not encrypted as a whole.
#[test]
fn json_of_django_fernet_encrypted_fields_is_read_leaf_by_leaf() {
    fn open(value: &mut Value, keyring: &Keyring) {
        match value {
            Value::String(token) => *token = String::from_utf8(keyring.decrypt(token.as_bytes()).unwrap()).unwrap(),
            Value::Array(values) => values.iter_mut().for_each(|value| open(value, keyring)),
            Value::Object(values) => values.values_mut().for_each(|value| open(value, keyring)),
            other => panic!("{other} is not encrypted"),
        }
    }

    let Recording { sets, foreign, .. } = Recording::of("django-fernet-encrypted-fields");
    let keyring = Keyring::parse(&sets.last().unwrap().keyring()).unwrap();
    let stored = foreign[0].stored["options"].text();
    assert!(keyring.decrypt(stored.as_bytes()).unwrap_err().is_decrypt());
    let mut options: Value = serde_json::from_str(stored).unwrap();
    open(&mut options, &keyring);
    assert_eq!(options, foreign[0].read["options"]);
}

#[test]
fn the_document_lists_what_only_python_reads() {
    let opened = |original: &str| -> Vec<Option<String>> {
        let Recording { sets, foreign, .. } = Recording::of(original);
        let keyring = Keyring::parse(&sets[0].keyring()).unwrap();
        let cells = foreign.iter().flat_map(|row| &row.stored).filter(|(name, _)| *name != "id");
        let open = |token: &str| keyring.decrypt(token.as_bytes()).ok().map(|text| String::from_utf8(text).unwrap());
        cells.map(|(_, cell)| open(cell.text())).collect()
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(opened("pinakes"), [text(r#"{"ratio": NaN}"#)]);
    let of_python = [text(r"b'\x00\xff'"), text("Decimal('1.50')"), None, text("{'proxy': None}")];
    assert_eq!(opened("sqlalchemy-utils"), of_python);
}
