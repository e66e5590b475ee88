//! A folder of keys, one a file, as OpenStack's Keystone keeps them.
//!
//! ```text
//! 0   the staged key, which will encrypt after the next rotation: decrypts
//! 1   a former key: decrypts
//! 2   the highest number, the primary key: encrypts and decrypts
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::keys::key::Key;
use crate::keys::keyring_error::{KeyringError, Source, SourceProblem};
use crate::keys::source::{read_file, unreadable};
use crate::keys::text;

/// Reads the files whose names are numbers, the highest first, and so the staged key `0` last. As in Keystone, other
/// files do not count.
pub(crate) fn keys(source: Source, folder: &Path) -> Result<Vec<Key>, KeyringError> {
    let error = |problem| KeyringError::new(source, problem);
    let shown = |path: &Path| path.display().to_string().escape_debug().to_string();
    let files = files(folder).map_err(|error| unreadable(source, folder, error))?;
    match files.as_slice() {
        [] => return Err(error(SourceProblem::NoKeyFiles { path: shown(folder) })),
        [(0, _)] => return Err(error(SourceProblem::OnlyStaged { path: shown(folder) })),
        _ => {}
    }
    let twice = files.iter().zip(files.iter().skip(1)).find(|((one, _), (other, _))| one == other);
    if let Some(((_, first), (_, second))) = twice {
        return Err(error(SourceProblem::SameNumber { first: shown(first), second: shown(second) }));
    }
    let keys = files.iter().map(|(_, path)| {
        let contents = read_file(source, path)?;
        let read = text::key(text::bare(&contents));
        read.map_err(|invalid| error(SourceProblem::InvalidFile { path: shown(path), error: invalid }))
    });
    keys.collect()
}

/// The files whose names are numbers, the highest number first.
fn files(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let digits = name.to_str().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
        let number = digits.and_then(|name| name.parse().ok());
        // A secret of Kubernetes is a link to a file.
        let path = entry.path();
        if let Some(number) = number.filter(|_| path.is_file()) {
            files.push((number, path));
        }
    }
    files.sort_by(|one, other| other.cmp(one));
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::keyring::Keyring;

    const A: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    const B: &str = "VjFfbm90X2FfcmVhbF9rZXlfMzJieXRlc19sb25nISE=";
    const C: &str = "b2xkOiBub3Qgc2VjcmV0LCBmb3IgdGVzdHMuLi4uLi4=";

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| fs::write(folder.path().join(name), text).unwrap());
        folder
    }

    fn refused(files: &[(&str, &str)]) -> String {
        Keyring::from_folder(folder(files).path()).unwrap_err().to_string()
    }

    #[test]
    fn the_highest_number_encrypts_and_the_staged_key_is_last() {
        let expected = Keyring::parse(&format!("{A}:{B}:{C}")).unwrap();
        for files in [
            &[("0", C), ("9", B), ("10", A)][..],
            &[("0", C), ("09", B), ("10", A), ("10.bak", B), (".11.swp", "x"), ("notes", "x"), ("-3", "x")],
            &[("0", "\u{feff}\"b2xkOiBub3Qgc2VjcmV0LCBmb3IgdGVzdHMuLi4uLi4=\"\r\n"), ("1", B), ("2", A)],
        ] {
            let folder = folder(files);
            fs::create_dir(folder.path().join("11")).unwrap();
            assert_eq!(Keyring::from_folder(folder.path()).unwrap(), expected, "{files:?}");
            assert_eq!(Keyring::from_file(folder.path()).unwrap(), expected, "{files:?}");
        }
    }

    #[test]
    fn a_folder_that_is_not_a_keyring_is_refused() {
        let both = format!("{A}:{B}");
        for (files, reason) in [
            (&[][..], "holds no file whose name is a number"),
            (&[("key", A)], "holds no file whose name is a number"),
            (&[("0", A)], "holds only the staged key 0"),
            (&[("1", A), ("01", B)], "have the same number"),
            (&[("0", A), ("1", &both)], "1: the key is 89 characters long"),
            (&[("0", A), ("1", "")], "1: the key is 0 characters long"),
            (&[("0", A), ("1", A)], "key 2 repeats key 1"),
        ] {
            let message = refused(files);
            assert!(message.contains(reason), "{message}");
            assert!(!message.contains(&A[..12]), "{message}");
        }
    }
}
