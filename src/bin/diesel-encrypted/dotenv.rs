//! The file `.env`, as `diesel` finds it: in this folder, or else in the nearest folder above.
//!
//! It may name the keys and the database. So a file that somebody else could have written is refused, unless it sets
//! nothing that matters. Other programs use the file, too: a line that this one does not understand is ignored, unless
//! it matters.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::exit::Failure;

/// The settings of this program and of the client libraries begin like this.
const SETTINGS: [&str; 9] = ["DATABASE_URL", "DB_", "PINAKES_", "PG", "MYSQL", "MARIADB", "SSL", "LD_", "RUST_LOG"];
/// The most bytes to read.
const LARGEST: u64 = 1 << 20;
/// The most lines of a value.
const LONGEST_VALUE: usize = 200;

/// Reads the file, if there is one. It does not override variables that are set to something.
pub(crate) fn load() -> Result<(), Failure> {
    let Some(path) = find()? else { return Ok(()) };
    let mut file = File::open(&path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    Read::by_ref(&mut file).take(LARGEST).read_to_end(&mut bytes).map_err(unreadable)?;
    let text = text(&bytes);
    let entries = entries(&text);
    if let Some(reason) = untrusted(&path, &file) {
        let names = entries.iter().filter(|entry| entry.matters());
        let names: Vec<String> = names.map(Entry::what).collect();
        return match names.as_slice() {
            [] => Ok(()),
            names => Err(Failure::usage(format!(
                "the file {} sets {}, but {reason}. Only you and root may be able to write the file and its folder. \
                 Correct that, or set the variables yourself.",
                shown(&path),
                names.join(", ")
            ))),
        };
    }
    for entry in &entries {
        match &entry.name {
            _ if entry.is_key() => return Err(entry.misunderstood(&path)),
            Some(name) if is_unset(name) => {
                // The line was parsed before, so it cannot fail.
                let _ = dotenvy::from_read_override(entry.text.as_bytes());
            }
            None if entry.matters() => return Err(entry.misunderstood(&path)),
            _ => {}
        }
    }
    Ok(())
}

/// A setting in the file, or a line that is not one.
struct Entry {
    /// The number of its first line.
    line: usize,
    text: String,
    /// `None` if it is not `NAME=value`.
    name: Option<String>,
}

impl Entry {
    /// Whether it is a setting that is not set otherwise, or a line that may hold a key.
    fn matters(&self) -> bool {
        self.is_key() || is_setting(self.name()) && is_unset(self.name())
    }

    /// The name, or the word that stands where the name should be.
    fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| first_word(&self.text))
    }

    /// Whether a key stands where the name should be.
    fn is_key(&self) -> bool {
        let word = self.text.split_whitespace().next().unwrap_or_default();
        let has = |is: fn(&char) -> bool| word.chars().any(|character| is(&character));
        let is_mixed = has(char::is_ascii_lowercase) && has(char::is_ascii_uppercase);
        let is_base64 = |character: char| character.is_ascii_alphanumeric() || "+/-_".contains(character);
        let bare = word.trim_end_matches('=');
        bare.len() == 43 && is_mixed && bare.chars().all(is_base64)
    }

    /// What the line is about, for messages.
    fn what(&self) -> String {
        if self.is_key() { "what looks like a key".into() } else { self.name().escape_debug().to_string() }
    }

    /// The line may hold a key, so it is not shown.
    fn misunderstood(&self, path: &Path) -> Failure {
        let (line, path) = (self.line, shown(path));
        let what = self.what();
        Failure::usage(format!(
            "line {line} of the file {path} holds {what}, but not in the form NAME=value. Put a value with blanks in \
             quotes, and close them. The line is not shown, because it may hold a key."
        ))
    }
}

fn is_setting(name: &str) -> bool {
    SETTINGS.iter().any(|setting| name.starts_with(setting))
}

/// Whether a variable is missing, or set to nothing.
fn is_unset(name: &str) -> bool {
    std::env::var_os(name).is_none_or(|value| value.is_empty())
}

fn first_word(line: &str) -> &str {
    let line = line.trim_start();
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    let end = line.find(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    &line[..end.unwrap_or(line.len())]
}

/// The text of the file: UTF-8, or UTF-16 with a byte order mark, as PowerShell writes it.
fn text(bytes: &[u8]) -> String {
    let units = |of: fn([u8; 2]) -> u16| -> Vec<u16> {
        bytes[2..].chunks_exact(2).map(|pair| of([pair[0], pair[1]])).collect()
    };
    let text = match bytes {
        [0xff, 0xfe, ..] => String::from_utf16_lossy(&units(u16::from_le_bytes)),
        [0xfe, 0xff, ..] => String::from_utf16_lossy(&units(u16::from_be_bytes)),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    };
    text.trim_start_matches('\u{feff}').to_owned()
}

/// The settings and the lines that are none. Empty lines and comments are left out.
fn entries(text: &str) -> Vec<Entry> {
    let lines: Vec<&str> = text.lines().collect();
    let mut entries = Vec::new();
    let mut index = 0;
    while index < lines.len() {
        let (count, name) = match parse(lines[index]) {
            None => several(&lines[index..]).map_or((1, Some(None)), |(count, name)| (count, Some(Some(name)))),
            Some(name) => (1, name.map(Some)),
        };
        if let Some(name) = name {
            entries.push(Entry { line: index + 1, text: lines[index..index + count].join("\n"), name });
        }
        index += count;
    }
    entries
}

/// The name that a line sets, or `None` for a line that sets none. The outer `None` means that it is not understood.
fn parse(text: &str) -> Option<Option<String>> {
    // Bytes that are no text have become this character.
    if text.contains('\u{fffd}') {
        return None;
    }
    let mut parsed = dotenvy::from_read_iter(text.as_bytes());
    match (parsed.next(), parsed.next()) {
        (None, _) => Some(None),
        (Some(Ok((name, _))), None) => Some(Some(name)),
        _ => None,
    }
}

/// A value in quotes that goes over several lines: their number, and the name. It never swallows another setting.
fn several(lines: &[&str]) -> Option<(usize, String)> {
    let (_, value) = lines[0].split_once('=')?;
    let quote = value.trim_start().chars().next().filter(|quote| ['"', '\''].contains(quote))?;
    let mut text = lines[0].to_owned();
    for (index, line) in lines.iter().enumerate().take(LONGEST_VALUE).skip(1) {
        if line.contains('=') && is_setting(first_word(line)) {
            return None;
        }
        text.push('\n');
        text.push_str(line);
        let name = if line.contains(quote) { parse(&text).flatten() } else { None };
        if let Some(name) = name {
            return Some((index + 1, name));
        }
    }
    None
}

fn find() -> Result<Option<PathBuf>, Failure> {
    let here = std::env::current_dir().map_err(unreadable)?;
    for path in here.ancestors().map(|folder| folder.join(".env")) {
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => return Ok(Some(path)),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(unreadable(error)),
            _ => {}
        }
    }
    Ok(None)
}

/// Why somebody else could have written the file, if that is so.
#[cfg(unix)]
fn untrusted(path: &Path, file: &File) -> Option<String> {
    use std::os::unix::fs::MetadataExt;

    let me = rustix::process::geteuid().as_raw();
    let judge = |what: &Path, metadata: std::io::Result<fs::Metadata>| {
        let Ok(metadata) = metadata else { return Some(format!("{} cannot be examined", shown(what))) };
        let (owner, group, mode) = (metadata.uid(), metadata.gid(), metadata.mode());
        // A group with the number of its user is that user's own, as most systems create it.
        let by_group = mode & 0o020 != 0 && group != owner;
        if owner != me && owner != 0 {
            Some(format!("{} belongs to another user", shown(what)))
        } else if !metadata.is_symlink() && (by_group || mode & 0o002 != 0) {
            Some(format!("others can write to {}", shown(what)))
        } else {
            None
        }
    };
    let folder = |path: &Path| path.parent().and_then(|folder| judge(folder, fs::metadata(folder)));
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    judge(path, file.metadata())
        .or_else(|| judge(path, fs::symlink_metadata(path)))
        .or_else(|| folder(path))
        .or_else(|| folder(&real))
}

#[cfg(not(unix))]
fn untrusted(_path: &Path, _file: &File) -> Option<String> {
    None
}

fn shown(path: &Path) -> String {
    path.display().to_string().escape_debug().to_string()
}

fn unreadable(error: std::io::Error) -> Failure {
    Failure::usage(format!("the file .env cannot be read: {error}"))
}
