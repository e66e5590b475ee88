//! Whether a column has a guard: a CHECK that refuses what is not a token.

use super::words::{Word, closing};

/// What the guards of the shipped migrations look for: how a token begins as text, and as bytes.
const PREFIXES: [&str; 2] = ["gAAAA", "800000"];

/// Whether one of the CHECKs in these definitions is a guard of what is called by one of these names.
pub(super) fn is_among(definitions: &[Word], names: &[&str]) -> bool {
    let checks = definitions.windows(2).enumerate().filter(|(_, pair)| pair[0].is("check") && pair[1].is("("));
    let mut checks = checks.map(|(index, _)| &definitions[index + 1..closing(definitions, index + 1)]);
    checks.any(|check| {
        let knows_tokens =
            |word: &Word| word.text().is_some_and(|text| PREFIXES.iter().any(|prefix| text.contains(prefix)));
        check.iter().any(knows_tokens) && check.iter().any(|word| names.iter().any(|name| word.names(name)))
    })
}

#[cfg(test)]
mod tests {
    use super::super::words::words;
    use super::*;

    #[test]
    fn a_guard_knows_tokens_and_names_the_column() {
        let sql = words(
            "CREATE TABLE people (id int, email text CHECK (email LIKE 'gAAAA%'), phone text DEFAULT 'gAAAA', \
             note text CHECK (length(note) > 3), CONSTRAINT x CHECK (left(\"pho to\", 3) = x'800000'))",
            false,
        );
        let guarded = ["id", "email", "phone", "note", "pho to"].map(|column| is_among(&sql, &[column]));
        assert_eq!(guarded, [false, true, false, false, true]);
    }
}
