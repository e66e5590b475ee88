//! The signature of an ending, so that a process believes the proof of another process, and of nobody else.
//!
//! `HMAC-SHA256(primary key, "diesel-encrypted run ending v1" ‖ 0x00 ‖ JSON of the scope and the ending)`, in
//! hexadecimal. Only a process that holds the primary key can write it. An ending of an earlier run has a signature, too,
//! but its proof is older than the process that reads it.

use diesel::result::QueryResult;

use crate::keys::Keyring;
use crate::reencrypt::report::Ending;
use crate::reencrypt::run::rules::Scope;
use crate::reencrypt::run::state;

const PURPOSE: &[u8] = b"diesel-encrypted run ending v1\0";

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
    Ok(keyring.sign(&[PURPOSE, state::write(&(scope, unsigned))?.as_bytes()]))
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
