//! The names of guards and migrations.

use sha2::{Digest, Sha256};

use crate::targets::TableName;

/// The longest name of a constraint on PostgreSQL. MySQL and MariaDB allow one byte more, SQLite any length.
const LONGEST: usize = 63;
/// Most file systems allow 255 bytes. A timestamp precedes the name, and a word may follow it.
const LONGEST_MIGRATION: usize = 200;

/// `public.users.email`
pub(crate) fn place(table: &TableName, column: &str) -> String {
    format!("{table}.{}", TableName::new(column))
}

/// `people_email_is_encrypted`, as in the shipped migrations. A name that would be too long ends in a hash, because two
/// names in one database must differ.
pub(crate) fn constraint(table: &str, column: &str) -> String {
    let name = format!("{table}_{column}_is_encrypted");
    if name.len() <= LONGEST {
        return name;
    }
    cut(&name, &format!("{}_is_encrypted", hash(&name)), LONGEST)
}

/// As much of a name as fits before this end, with the end.
fn cut(name: &str, end: &str, longest: usize) -> String {
    let begin = name.char_indices().take_while(|(at, character)| at + character.len_utf8() <= longest - end.len());
    begin.map(|(_, character)| character).chain(end.chars()).collect()
}

/// `_1a2b3c4d`
fn hash(name: &str) -> String {
    let hash = Sha256::digest(name.as_bytes());
    format!("_{:02x}{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2], hash[3])
}

/// `guard_people_email_phone`, a valid name for a migration, whatever the names in the database are. A name that would be
/// too long ends in a hash.
pub(crate) fn migration<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut name = String::from("guard");
    for part in names {
        name.push('_');
        let plain =
            |character: char| if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { '_' };
        name.extend(part.chars().map(plain));
    }
    if name.len() <= LONGEST_MIGRATION { name } else { cut(&name, &hash(&name), LONGEST_MIGRATION) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_constraints_fit_and_differ() {
        assert_eq!(constraint("people", "email"), "people_email_is_encrypted");
        let long = |column: &str| constraint(&"ä".repeat(40), column);
        assert!(long("a").len() <= LONGEST && long("a").ends_with("_is_encrypted"), "{}", long("a"));
        assert_ne!(long("a"), long("b"));
        assert_eq!(constraint(&"t".repeat(43), "colum").len(), 62);
        assert_eq!(constraint(&"t".repeat(45), "colum").len(), 63);
    }

    #[test]
    fn names_of_migrations_are_plain() {
        assert_eq!(migration(["my \"People", "E-Mail"]), "guard_my__people_e_mail");
        let many = |last| migration((0..60).map(|_| "column").chain([last]));
        assert!(many("a").len() == LONGEST_MIGRATION && many("a").starts_with("guard_column_column"), "{}", many("a"));
        assert_ne!(many("a"), many("b"));
    }
}
