//! The sources of a keyring: a setting, a file, a folder, or the caller.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use zeroize::{Zeroize, Zeroizing};

use crate::keys::keyring::Keyring;
use crate::keys::keyring_error::{KEYS, KEYS_FILE, KEYS_FOLDER, KeyringError, PINAKES_KEYS, Source, SourceProblem};
use crate::keys::{folder, text};

/// The most bytes of a key file: more than a thousand keys.
const LONGEST_FILE: usize = 64 << 10;

impl Keyring {
    /// Reads keys separated by `:` or by line breaks, the primary key first.
    ///
    /// It ignores a byte order mark, white space and quotes around a key or around the list. A key may lack its padding
    /// (`=`). A key, or the whole list, may be encoded in base64 once more, as in the `data` of a Kubernetes secret.
    ///
    /// # Errors
    ///
    /// [`KeyringError`] names the position of an entry that is empty, invalid, or a duplicate.
    ///
    /// ```
    /// use diesel_encrypted::Keyring;
    ///
    /// let error = Keyring::parse("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=:").unwrap_err();
    /// assert_eq!(error.position(), Some(2));
    /// ```
    pub fn parse(text: &str) -> Result<Self, KeyringError> {
        Self::from_source(text::keys(Source::Given, text)?, Source::Given)
    }

    /// Reads the keyring from the environment.
    ///
    /// | setting | holds |
    /// |---|---|
    /// | `DB_ENCRYPTION_KEYS` | the keys, separated by `:` or line breaks, the primary key first |
    /// | `PINAKES_DB_ENCRYPTION_KEYS` | the same, for a Pinakes deployment |
    /// | `DB_ENCRYPTION_KEYS_FILE` | the path of a file that holds the keys in the same form |
    /// | `DB_ENCRYPTION_KEYS_FOLDER` | the path of a [folder](Self::from_folder) with one key a file |
    ///
    /// One of them is enough. You may set several if they hold the same keys in the same order. A setting that holds
    /// nothing is not set.
    ///
    /// # Errors
    ///
    /// [`KeyringError`] names the setting and, where it applies, the position of the key. It never contains the key.
    pub fn from_env() -> Result<Self, KeyringError> {
        let mut found: Option<(Source, Self)> = None;
        let mut blank = None;
        for setting in [KEYS, PINAKES_KEYS, KEYS_FILE, KEYS_FOLDER] {
            let source = Source::Setting(setting);
            let Some(value) = env::var_os(setting) else { continue };
            let value = Secret(value);
            if value.0.to_str().is_some_and(text::is_nothing) {
                blank = blank.or(Some(setting));
                continue;
            }
            let keyring = if setting == KEYS_FILE {
                read(source, existing(&value))?
            } else if setting == KEYS_FOLDER {
                read_folder(source, existing(&value))?
            } else {
                let keys = value.0.to_str().ok_or_else(|| KeyringError::new(source, SourceProblem::NotUnicode))?;
                Self::from_source(text::keys(source, keys)?, source)?
            };
            match found {
                Some((other, ref first)) if *first != keyring => {
                    return Err(KeyringError::new(source, SourceProblem::Disagrees { other }));
                }
                Some(_) => {}
                None => found = Some((source, keyring)),
            }
        }
        match found {
            Some((_, keyring)) => Ok(keyring),
            None => Err(KeyringError::new(Source::Environment, SourceProblem::Missing { blank })),
        }
    }

    /// Reads the keyring from a file, such as a Docker or Kubernetes secret.
    ///
    /// The file holds keys in the form that [`parse`](Self::parse) reads. If users other than its owner can read or
    /// write it, this logs a warning once (feature `reencrypt`, on Unix). A folder is read as by
    /// [`from_folder`](Self::from_folder).
    ///
    /// # Errors
    ///
    /// [`KeyringError`] if the file cannot be read or does not hold keys.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, KeyringError> {
        read(Source::Given, path.as_ref())
    }

    /// Reads the keyring from a folder with one key a file, as OpenStack's Keystone keeps its keys.
    ///
    /// The names of the files are numbers. The key with the highest number is the primary key. The others follow in
    /// descending order, the staged key `0` last. Files with other names do not count.
    ///
    /// # Errors
    ///
    /// [`KeyringError`] if the folder cannot be read, holds no such file or only the file `0`, or if one of these files
    /// does not hold exactly one key.
    pub fn from_folder(path: impl AsRef<Path>) -> Result<Self, KeyringError> {
        read_folder(Source::Given, path.as_ref())
    }
}

/// The value of a setting, which is zeroed on drop.
struct Secret(OsString);

impl Drop for Secret {
    fn drop(&mut self) {
        std::mem::take(&mut self.0).into_encoded_bytes().zeroize();
    }
}

/// The path that a setting names. If there is no such file, blanks and quotes around the path do not count.
fn existing(value: &Secret) -> &Path {
    let path = Path::new(&value.0);
    let bare = value.0.to_str().map(|text| Path::new(text::bare(text)));
    bare.filter(|bare| !path.exists() && bare.exists()).unwrap_or(path)
}

fn read(source: Source, path: &Path) -> Result<Keyring, KeyringError> {
    if path.is_dir() {
        return read_folder(source, path);
    }
    let contents = read_file(source, path)?;
    Keyring::from_source(text::keys(source, &contents)?, source)
}

fn read_folder(source: Source, path: &Path) -> Result<Keyring, KeyringError> {
    Keyring::from_source(folder::keys(source, path)?, source)
}

/// Reads a key file.
pub(crate) fn read_file(source: Source, path: &Path) -> Result<Zeroizing<String>, KeyringError> {
    contents(source, path).map_err(|error| unreadable(source, path, error))
}

/// The error for a file or folder that cannot be read.
pub(crate) fn unreadable(source: Source, path: &Path, error: io::Error) -> KeyringError {
    let shown = Zeroizing::new(path.display().to_string());
    // If the operator mixed up the two settings, the path is a key, perhaps a misspelt one. Keep it out of the log.
    let is_key_like = |part: &str| {
        let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte);
        part.len() >= 40 && part.bytes().all(is_base64)
    };
    let problem = if shown.split(text::SEPARATORS).map(text::bare).any(is_key_like) {
        SourceProblem::KeyForPath { error }
    } else {
        SourceProblem::Unreadable { path: shown.escape_debug().to_string(), error }
    };
    KeyringError::new(source, problem)
}

/// Reads into a buffer of a fixed length, because one that grows would leave copies behind.
fn contents(source: Source, path: &Path) -> io::Result<Zeroizing<String>> {
    let mut file = File::open(path)?;
    warn_if_shared(source, path, &file);
    let mut buffer = Zeroizing::new(vec![0; LONGEST_FILE + 1]);
    let mut length = 0;
    loop {
        match file.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if length == buffer.len() {
        return Err(io::Error::new(ErrorKind::InvalidData, "it is longer than 64 KiB"));
    }
    text::of_bytes(&buffer[..length]).ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8 text"))
}

/// Warns once if other users can read or write a key file.
#[cfg(all(unix, feature = "reencrypt"))]
fn warn_if_shared(source: Source, path: &Path, file: &File) {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Once;

    static WARNED: Once = Once::new();
    let is_shared = |mode: u32| mode & 0o066 != 0;
    if file.metadata().is_ok_and(|metadata| metadata.is_file() && is_shared(metadata.permissions().mode())) {
        WARNED.call_once(|| {
            tracing::warn!(
                "{source}: users other than its owner can read or write the key file {}. Restrict it to its owner \
                 (chmod 400; in Kubernetes, defaultMode: 0400)",
                path.display().to_string().escape_debug()
            );
        });
    }
}

#[cfg(not(all(unix, feature = "reencrypt")))]
fn warn_if_shared(_source: Source, _path: &Path, _file: &File) {}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
    const B: &str = "VjFfbm90X2FfcmVhbF9rZXlfMzJieXRlc19sb25nISE=";

    fn message(text: &str) -> String {
        Keyring::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn reads_every_separator() {
        let both = Keyring::parse(&format!("{A}:{B}")).unwrap();
        for text in [format!("{A}\n{B}\n"), format!(" {A} : {B} "), format!("{A}\r\n{B}\r\n\r\n")] {
            assert_eq!(Keyring::parse(&text).unwrap(), both);
        }
        assert_ne!(Keyring::parse(&format!("{B}:{A}")).unwrap(), both);
    }

    #[test]
    fn says_where_and_what() {
        let empty = "the keyring holds no key. Put at least one key there";
        assert_eq!(message(""), empty);
        assert_eq!(message(" \n"), empty);
        assert_eq!(message(&format!("{A}::{B}")), "the keyring: key 2 of 3 is empty. Remove the extra separator");
        assert_eq!(
            message(&format!("{A}:{}", &B[1..])),
            "the keyring: key 2 of 2 is 43 characters long, not 44 (a key is 32 bytes in padded base64url). \
             Replace it with a valid key"
        );
        assert_eq!(message(&format!("{A}:{B}:{A}")), "the keyring: key 3 repeats key 1. List each key once");
        assert_eq!(Keyring::parse(&format!("{A}:{B}:{A}")).unwrap_err().position(), Some(3));
    }

    #[test]
    fn never_repeats_a_key() {
        for text in [format!("{A}:{}", &B[..42]), format!("{A}:{}!", &B[..43]), format!("{A}:{A}")] {
            let error = Keyring::parse(&text).unwrap_err();
            let shown = format!("{error} {error:?}");
            for entry in text.split(':') {
                assert!(!shown.contains(&entry[..8]), "{shown}");
            }
        }
    }

    #[test]
    fn reads_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, format!("{A}\n{B}\n")).unwrap();
        assert_eq!(Keyring::from_file(&file).unwrap(), Keyring::parse(&format!("{A}:{B}")).unwrap());
        let error = Keyring::from_file("/no/such/file").unwrap_err().to_string();
        assert!(error.starts_with("the keyring: cannot read the key file /no/such/file: "), "{error}");
    }
}
