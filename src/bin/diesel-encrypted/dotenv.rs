//! The file `.env`, as `diesel` finds it: in this folder, or else in the nearest folder above.
//!
//! It may name the keys and the database. So a file that somebody else could have written is refused, unless it sets
//! nothing that matters.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::exit::Failure;

/// The settings of this program and of the client libraries begin like this.
const SETTINGS: [&str; 9] = ["DATABASE_URL", "DB_", "PINAKES_", "PG", "MYSQL", "MARIADB", "SSL", "LD_", "RUST_LOG"];

/// Reads the file, if there is one. It does not override variables that are set.
pub(crate) fn load() -> Result<(), Failure> {
    let Some(path) = find()? else { return Ok(()) };
    let mut file = File::open(&path).map_err(unreadable)?;
    if let Some(reason) = untrusted(&path, &file) {
        return match settings(&mut file)? {
            names if names.is_empty() => Ok(()),
            names => Err(Failure::usage(format!(
                "the file {} sets {}, but {reason}. Only you and root may be able to write the file and its folder. \
                 Correct that, or set the variables yourself.",
                shown(&path),
                names.join(", ")
            ))),
        };
    }
    dotenvy::from_read(file).map_err(explained)
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

/// The settings in the file that matter and that are not set otherwise.
fn settings(file: &mut File) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for line in dotenvy::from_read_iter(&mut *file) {
        let (name, _) = line.map_err(explained)?;
        let matters = SETTINGS.iter().any(|setting| name.starts_with(setting));
        if matters && std::env::var_os(&name).is_none() {
            names.push(name.escape_debug().to_string());
        }
    }
    Ok(names)
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

fn explained(error: dotenvy::Error) -> Failure {
    match error {
        // dotenvy's own message quotes the line, which may hold a key.
        dotenvy::Error::LineParse(..) => Failure::usage(
            "the file .env has a line that is not NAME=value. The line is not shown, because it may hold a key. Correct \
             it, then run the command again.",
        ),
        error => Failure::usage(format!("the file .env cannot be read: {error}")),
    }
}
