//! What an error says, and that it is no secret.

use std::error::Error;

/// All that an error can put into a log: `Display` and `Debug` of it and of its sources.
///
/// `Debug` of one of Diesel's shows the error inside, which its `source` passes over.
pub fn everything_said(error: &(dyn Error + 'static)) -> String {
    let mut said = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        said += &format!("{error}\n{error:?}\n{error:#?}\n");
        next = error.source();
    }
    said
}

/// Panics if `said` repeats eight characters in a row of one of the secrets.
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
