//! Checks that errors disclose no secrets.

use std::error::Error;

/// Plaintexts of some tests begin with this. Output that contains it has leaked a plaintext.
pub const PLAINTEXT: &str = "plaintext of ";

/// Returns everything that a log can contain of an error: `Display` and `Debug` of the error and of its sources.
///
/// `Debug` of some errors of Diesel shows an inner error that `source` skips.
pub fn everything_said(error: &(dyn Error + 'static)) -> String {
    let mut said = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        said += &format!("{error}\n{error:?}\n{error:#?}\n");
        next = error.source();
    }
    said
}

/// Panics if `said` contains any eight consecutive characters of a secret.
#[track_caller]
pub fn assert_hides<S: AsRef<str>>(said: &str, secrets: impl IntoIterator<Item = S>) {
    for secret in secrets {
        let secret = Vec::from_iter(secret.as_ref().chars());
        for part in secret.windows(secret.len().clamp(1, 8)) {
            let part = String::from_iter(part);
            assert!(!said.contains(&part), "{part:?} is in {said}");
        }
    }
}
