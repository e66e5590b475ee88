//! The signatures of a record, so that processes believe each other, and nobody else.
//!
//! * Of an ending: `HMAC-SHA256(primary key, "diesel-encrypted run ending v1" ‖ 0x00 ‖ JSON of the scope and the ending)`.
//!   An ending of an earlier run has a signature, too, but its proof is older than the process that reads it.
//! * Of a record: `HMAC-SHA256(key, "diesel-encrypted run record v1" ‖ 0x00 ‖ JSON of what processes believe)`, under
//!   each key of its scope. A process that holds only old keys can check it, too. A reader checks the signature of the
//!   first key that it holds, so that old keys do not deceive holders of newer ones.
//!
//! All are in hexadecimal.

use diesel::result::QueryResult;

use crate::keys::Keyring;
use crate::reencrypt::report::Ending;
use crate::reencrypt::run::rules::{Run, Scope};
use crate::reencrypt::run::state;

const ENDING: &[u8] = b"diesel-encrypted run ending v1\0";
const RECORD: &[u8] = b"diesel-encrypted run record v1\0";

/// Who wrote a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Author {
    /// Somebody with a key of the keyring.
    Holder,
    /// Somebody without the keys.
    Somebody,
    /// It cannot be checked: the keyring and the record have no key in common.
    Unknown,
}

/// Finds out who wrote a record.
pub(crate) fn author(run: &Run, keyring: &Keyring) -> QueryResult<Author> {
    let held = run.scope.keys.iter().zip(0..).find_map(|(key, of_record)| {
        let position = keyring.fingerprints().position(|fingerprint| fingerprint.to_string() == *key)?;
        Some((position, of_record))
    });
    let Some((position, of_record)) = held else { return Ok(Author::Unknown) };
    let signature: Option<&String> = run.signatures.get::<usize>(of_record);
    let is_genuine = signature == Some(&keyring.sign(position, &[RECORD, &believed(run)?]));
    Ok(if is_genuine { Author::Holder } else { Author::Somebody })
}

/// Signs the record of a run of this keyring.
pub(crate) fn signed_record(mut run: Run, keyring: &Keyring) -> QueryResult<Run> {
    let believed = believed(&run)?;
    let keys = 0..keyring.fingerprints().len();
    run.signatures = keys.map(|key| keyring.sign(key, &[RECORD, &believed])).collect();
    Ok(run)
}

fn believed(run: &Run) -> QueryResult<Vec<u8>> {
    state::write(&run.believed()).map(String::into_bytes)
}

/// Signs an ending of a run with this scope.
pub(crate) fn signed(ending: Ending, keyring: &Keyring, scope: &Scope) -> QueryResult<Ending> {
    let signature = signature(&ending, keyring, scope)?;
    Ok(Ending { signature, ..ending })
}

/// Whether a process with this keyring has signed the ending.
pub(crate) fn is_signed(ending: &Ending, keyring: &Keyring, scope: &Scope) -> bool {
    signature(ending, keyring, scope).is_ok_and(|signature| signature == ending.signature)
}

fn signature(ending: &Ending, keyring: &Keyring, scope: &Scope) -> QueryResult<String> {
    let unsigned = Ending { signature: String::new(), ..ending.clone() };
    Ok(keyring.sign(0, &[ENDING, state::write(&(scope, unsigned))?.as_bytes()]))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::keys::key::Key;
    use crate::reencrypt::report::{Doubt, Proof, Tally};

    #[test]
    fn nothing_can_be_changed() {
        let [key, other] = [Key::generate(), Key::generate()];
        let keyring = Keyring::new([key.clone(), other.clone()]).unwrap();
        let scope = Scope { keys: vec!["a".into()], ..Scope::default() };
        let proof = Proof { moment: SystemTime::UNIX_EPOCH, values: 1 };
        let ending = Ending {
            proof,
            doubt: None,
            tallies: vec![Tally::new(2)],
            listed: 0,
            omitted: 0,
            signature: String::new(),
        };
        assert!(!is_signed(&ending, &keyring, &scope));
        let ending = signed(ending, &keyring, &scope).unwrap();
        assert!(is_signed(&ending, &keyring, &scope));
        assert!(!is_signed(&ending, &Keyring::new([other, key]).unwrap(), &scope));
        assert!(!is_signed(&ending, &keyring, &Scope::default()));
        let changed = [
            Ending { proof: Proof { values: 2, ..ending.proof.clone() }, ..ending.clone() },
            Ending { doubt: Some(Doubt::Left(1)), ..ending.clone() },
            Ending { tallies: vec![Tally::new(1)], ..ending.clone() },
            Ending { listed: 1, ..ending.clone() },
            Ending { omitted: 1, ..ending.clone() },
        ];
        assert!(changed.iter().all(|ending| !is_signed(ending, &keyring, &scope)));
    }
}
