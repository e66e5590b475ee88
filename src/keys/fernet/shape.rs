//! The shape of a token, in Rust and in the SQL of each database. No other file repeats it.
//!
//! In the SQL, `VALUE` stands for the value: see [`filled`].

#[cfg(feature = "reencrypt")]
use crate::keys::fernet::token::{BLOCK, OVERHEAD, raw_token_len, token_len};
use crate::keys::fernet::token::{Token, VERSION};

/// The first characters of every token as text: the version byte and the zero bits of a date before the year 141,000.
const TEXT_PREFIX: &str = "gAAAA";
/// The same in base64 once more.
#[cfg(all(feature = "reencrypt", any(feature = "mysql", feature = "postgres", feature = "sqlite")))]
const ENCODED_PREFIX: &str = "Z0FBQUFB";
/// The number of characters that are enough to recognize a token inside another value, in base64 once more or not.
#[cfg(all(feature = "reencrypt", any(feature = "mysql", feature = "postgres", feature = "sqlite")))]
const INSIDE: usize = 200;
/// The first bytes of every raw token, for the same dates.
const RAW_PREFIX: &[u8] = &[VERSION, 0, 0];

impl Token<'_> {
    /// Whether `bytes` begin as a token does. Damaged tokens do, but plaintext does not.
    pub(crate) fn looks_like_one(bytes: &[u8]) -> bool {
        bytes.starts_with(TEXT_PREFIX.as_bytes()) || bytes.starts_with(RAW_PREFIX)
    }
}

#[cfg(feature = "reencrypt")]
impl Token<'_> {
    /// Replaces each token in a message, whole or truncated, with `(a token)`.
    ///
    /// Databases write raw tokens in several ways, so this also hides every word that is too long for a name.
    pub(crate) fn hide_in(message: &str) -> String {
        let in_word = |character: char| character.is_ascii_alphanumeric() || "-_=".contains(character);
        let hide = |word: &str| word.contains(TEXT_PREFIX) || word.len() >= raw_token_len(0);
        let mut shown = String::with_capacity(message.len());
        let mut rest = message;
        while !rest.is_empty() {
            let (word, tail) = rest.split_at(rest.find(|character| !in_word(character)).unwrap_or(rest.len()));
            let (between, next) = tail.split_at(tail.find(in_word).unwrap_or(tail.len()));
            shown.push_str(if hide(word) { "(a token)" } else { word });
            shown.push_str(between);
            rest = next;
        }
        shown
    }

    /// The number of leading bytes that are enough to recognize a token of known length.
    ///
    /// These bytes of a longer token have the shape of a token themselves, because a token of this length needs no `=`.
    pub(crate) const KNOWN_BY: usize = token_len(44 * BLOCK);

    /// The date of a token of this length that begins with `head`, or `None` if the shape is wrong.
    ///
    /// `head` is the whole token or its first [`KNOWN_BY`](Self::KNOWN_BY) bytes.
    pub(crate) fn date_by_head(head: &[u8], length: usize) -> Option<u64> {
        let is_raw = head.first() == Some(&VERSION);
        let is_raw_len = |length: usize| length.checked_sub(OVERHEAD).is_some_and(|rest| rest % BLOCK == 0);
        let is_len = if is_raw {
            is_raw_len(length)
        } else {
            length % 4 == 0 && (0..3).any(|padding| is_raw_len((length / 4 * 3).saturating_sub(padding)))
        };
        let part = match length {
            ..=Self::KNOWN_BY => head.get(..length)?,
            _ if is_raw => head.get(..raw_token_len(44 * BLOCK))?,
            _ => head.get(..Self::KNOWN_BY)?,
        };
        let mut decoded = Vec::new();
        Token::parse(part, &mut decoded).filter(|_| is_len).map(|token| token.timestamp())
    }
}

/// A piece of SQL with the value in place of each `VALUE`.
#[cfg(all(feature = "reencrypt", any(feature = "mysql", feature = "postgres", feature = "sqlite")))]
pub(crate) fn filled(sql: &str, value: &str) -> String {
    sql.replace("VALUE", value)
}

/// Whether a condition, as the database shows it, is the condition of a guard: it asks for the beginning, the length and
/// the alphabet of a token. A server may rewrite the text, but it keeps the literals.
#[cfg(all(feature = "reencrypt", any(feature = "mysql", feature = "postgres", feature = "sqlite")))]
pub(crate) fn is_guard(condition: &str) -> bool {
    [TEXT_PREFIX, "100", "A-Za-z0-9_-]"].iter().all(|part| condition.contains(part))
}

/// The SQL of PostgreSQL.
#[cfg(all(feature = "reencrypt", feature = "postgres"))]
pub(crate) mod postgres {
    use super::{ENCODED_PREFIX, INSIDE, TEXT_PREFIX, Token};

    /// The domains of the shipped migration, word for word. Every name has its schema, because the server resolves names
    /// with the search path of whoever creates the domain, and others may have created operators in it.
    pub(crate) const ENCRYPTED_TEXT: &str = "\
CREATE DOMAIN encrypted_text AS pg_catalog.text COLLATE pg_catalog.\"C\"
    CONSTRAINT value_is_encrypted CHECK (
        pg_catalog.octet_length(VALUE) OPERATOR(pg_catalog.>=) 100
        AND pg_catalog.octet_length(VALUE)
            OPERATOR(pg_catalog.-) pg_catalog.octet_length(pg_catalog.rtrim(VALUE, '='))
            OPERATOR(pg_catalog.=) CASE
                WHEN pg_catalog.octet_length(VALUE) OPERATOR(pg_catalog.%) 64 OPERATOR(pg_catalog.=) 36 THEN 2
                WHEN pg_catalog.octet_length(VALUE) OPERATOR(pg_catalog.%) 64 OPERATOR(pg_catalog.=) 56 THEN 1
                WHEN pg_catalog.octet_length(VALUE) OPERATOR(pg_catalog.%) 64 OPERATOR(pg_catalog.=) 12 THEN 0
                ELSE -1
            END
        AND VALUE OPERATOR(pg_catalog.~) '^gAAAA[A-Za-z0-9_-]*=*$'
    );";
    pub(crate) const ENCRYPTED_BINARY: &str = "\
CREATE DOMAIN encrypted_binary AS pg_catalog.bytea
    CONSTRAINT value_is_encrypted CHECK (
        (
            pg_catalog.substr(VALUE, 1, 3) OPERATOR(pg_catalog.=) '\\x800000'
            AND pg_catalog.octet_length(VALUE) OPERATOR(pg_catalog.>=) 73
            AND pg_catalog.octet_length(VALUE) OPERATOR(pg_catalog.%) 16 OPERATOR(pg_catalog.=) 9
        )
        OR (
            pg_catalog.octet_length(VALUE) OPERATOR(pg_catalog.>=) 100
            -- Not rtrim, which takes no bytea before PostgreSQL 14.
            AND pg_catalog.octet_length(VALUE)
                OPERATOR(pg_catalog.-) pg_catalog.octet_length(pg_catalog.btrim(VALUE, '='))
                OPERATOR(pg_catalog.=) CASE
                    WHEN pg_catalog.octet_length(VALUE) OPERATOR(pg_catalog.%) 64 OPERATOR(pg_catalog.=) 36 THEN 2
                    WHEN pg_catalog.octet_length(VALUE) OPERATOR(pg_catalog.%) 64 OPERATOR(pg_catalog.=) 56 THEN 1
                    WHEN pg_catalog.octet_length(VALUE) OPERATOR(pg_catalog.%) 64 OPERATOR(pg_catalog.=) 12 THEN 0
                    ELSE -1
                END
            AND pg_catalog.encode(VALUE, 'escape') OPERATOR(pg_catalog.~) '^gAAAA[A-Za-z0-9_-]*=*$'
        )
    );";

    /// The condition for a value that does not begin as a token does.
    pub(crate) fn is_plaintext(is_text: bool) -> &'static str {
        if is_text {
            "VALUE::pg_catalog.text COLLATE pg_catalog.\"C\" OPERATOR(pg_catalog.!~~) 'gAAAA%'"
        } else {
            "pg_catalog.substr(VALUE::pg_catalog.bytea, 1, 3) OPERATOR(pg_catalog.<>) '\\x800000' \
             AND pg_catalog.substr(VALUE::pg_catalog.bytea, 1, 5) OPERATOR(pg_catalog.<>) '\\x6741414141'"
        }
    }

    /// Three texts in a select list: the length of a value in bytes; if it begins as a token does, enough of it in
    /// hexadecimal to recognize a token; and if the beginning of a token is further inside, what follows it. `VALUE`
    /// includes the cast to `text` or `bytea`.
    pub(crate) fn sampled(is_text: bool) -> String {
        let length = Token::KNOWN_BY;
        if is_text {
            // The encoding of the database, because a database in SQL_ASCII may hold what is not UTF-8.
            let hex = |text: &str| {
                format!("pg_catalog.encode(pg_catalog.convert_to({text}, pg_catalog.getdatabaseencoding()), 'hex')")
            };
            let head = hex(&format!("pg_catalog.left(VALUE, {length})"));
            let inside = |prefix: &str| {
                let position = format!("pg_catalog.strpos(VALUE COLLATE pg_catalog.\"C\", '{prefix}')");
                let part = hex(&format!("pg_catalog.substr(VALUE, {position}, {INSIDE})"));
                format!("WHEN {position} OPERATOR(pg_catalog.>) 0 THEN {part}")
            };
            format!(
                "pg_catalog.octet_length(VALUE)::pg_catalog.text, \
                 CASE WHEN pg_catalog.left(VALUE, 5) COLLATE pg_catalog.\"C\" OPERATOR(pg_catalog.=) 'gAAAA' \
                 THEN {head} END, CASE {} {} END",
                inside(TEXT_PREFIX),
                inside(ENCODED_PREFIX),
            )
        } else {
            let inside = |prefix: &str| {
                let position = format!("pg_catalog.position(VALUE, '{prefix}'::pg_catalog.bytea)");
                format!(
                    "WHEN {position} OPERATOR(pg_catalog.>) 0 \
                     THEN pg_catalog.encode(pg_catalog.substr(VALUE, {position}, {INSIDE}), 'hex')"
                )
            };
            format!(
                "pg_catalog.octet_length(VALUE)::pg_catalog.text, \
                 CASE WHEN pg_catalog.substr(VALUE, 1, 3) OPERATOR(pg_catalog.=) pg_catalog.decode('800000', 'hex') \
                 OR pg_catalog.substr(VALUE, 1, 5) OPERATOR(pg_catalog.=) 'gAAAA' \
                 THEN pg_catalog.encode(pg_catalog.substr(VALUE, 1, {length}), 'hex') END, CASE {} {} END",
                inside(TEXT_PREFIX),
                inside(ENCODED_PREFIX),
            )
        }
    }
}

/// The SQL of MySQL and MariaDB.
#[cfg(all(feature = "reencrypt", feature = "mysql"))]
pub(crate) mod mysql {
    use super::{ENCODED_PREFIX, INSIDE, TEXT_PREFIX, Token};

    /// The conditions of the shipped migration, word for word.
    pub(crate) const TEXT: &str = "\
LENGTH(VALUE) >= 100
AND LENGTH(VALUE) - LENGTH(TRIM(TRAILING '=' FROM VALUE))
    = CASE LENGTH(VALUE) % 64 WHEN 36 THEN 2 WHEN 56 THEN 1 WHEN 12 THEN 0 ELSE -1 END
AND VALUE LIKE 'gAAAA%'
AND TRIM(TRAILING '=' FROM VALUE) NOT REGEXP '[^A-Za-z0-9_-]'";
    const RAW: &str = "\
(
    LEFT(VALUE, 3) = X'800000'
    AND LENGTH(VALUE) >= 73
    AND LENGTH(VALUE) % 16 = 9
)";
    pub(crate) const TEXT_AS_BYTES: &str = "\
LENGTH(VALUE) >= 100
AND LENGTH(VALUE) - LENGTH(TRIM(TRAILING '=' FROM VALUE))
    = CASE LENGTH(VALUE) % 64 WHEN 36 THEN 2 WHEN 56 THEN 1 WHEN 12 THEN 0 ELSE -1 END
AND VALUE LIKE 'gAAAA%'
-- MySQL takes no bytes for REGEXP; every byte is a character of latin1.
AND CONVERT(TRIM(TRAILING '=' FROM VALUE) USING latin1) NOT REGEXP '[^A-Za-z0-9_-]'";

    /// A raw token, or a token as text: other Fernet programs fill a binary column with text.
    pub(crate) fn binary() -> String {
        let text: Vec<String> = TEXT_AS_BYTES.lines().map(|line| format!("    {line}")).collect();
        format!("{RAW}\nOR (\n{}\n)", text.join("\n"))
    }

    /// The condition for a value that does not begin as a token does.
    pub(crate) fn is_plaintext(is_text: bool) -> &'static str {
        if is_text {
            "CONVERT(LEFT(VALUE, 5) USING utf8mb4) COLLATE utf8mb4_bin <> 'gAAAA'"
        } else {
            "LEFT(VALUE, 3) <> X'800000' AND LEFT(VALUE, 5) <> X'6741414141'"
        }
    }

    /// Three texts in a select list: the length of a value in bytes; if it begins as a token does, enough of it in
    /// hexadecimal to recognize a token; and if the beginning of a token is further inside, what follows it.
    pub(crate) fn sampled() -> String {
        let inside = |prefix: &str| {
            let position = format!("INSTR(CAST(VALUE AS BINARY), CAST('{prefix}' AS BINARY))");
            format!("WHEN {position} > 0 THEN HEX(SUBSTR(CAST(VALUE AS BINARY), {position}, {INSIDE}))")
        };
        format!(
            "CAST(LENGTH(VALUE) AS CHAR), CASE WHEN HEX(LEFT(VALUE, 3)) = '800000' \
             OR HEX(LEFT(VALUE, 5)) = '6741414141' THEN HEX(LEFT(VALUE, {})) END, CASE {} {} END",
            Token::KNOWN_BY,
            inside(TEXT_PREFIX),
            inside(ENCODED_PREFIX),
        )
    }
}

/// The SQL of SQLite.
#[cfg(all(feature = "reencrypt", feature = "sqlite"))]
pub(crate) mod sqlite {
    use super::{ENCODED_PREFIX, INSIDE, TEXT_PREFIX, Token};

    /// The conditions of the shipped migration, word for word. A condition on the type of the value comes before them.
    pub(crate) const TEXT: &str = "\
AND length(VALUE) >= 100
AND length(VALUE) - length(rtrim(VALUE, '='))
    = CASE length(VALUE) % 64 WHEN 36 THEN 2 WHEN 56 THEN 1 WHEN 12 THEN 0 ELSE -1 END
AND VALUE GLOB 'gAAAA*'
AND rtrim(VALUE, '=') NOT GLOB '*[^A-Za-z0-9_-]*'
AND instr(VALUE, char(0)) = 0";
    pub(crate) const BINARY: &str = "\
AND (
    (
        substr(VALUE, 1, 3) = x'800000'
        AND length(VALUE) >= 73
        AND length(VALUE) % 16 = 9
    )
    OR (
        length(VALUE) >= 100
        AND length(VALUE) - length(rtrim(VALUE, '='))
            = CASE length(VALUE) % 64 WHEN 36 THEN 2 WHEN 56 THEN 1 WHEN 12 THEN 0 ELSE -1 END
        AND VALUE GLOB 'gAAAA*'
        AND rtrim(VALUE, '=') NOT GLOB '*[^A-Za-z0-9_-]*'
        AND instr(VALUE, x'00') = 0
    )
)";
    /// The condition for a value, text or bytes, that begins as a token does as text.
    pub(crate) const BEGINS: &str = "VALUE GLOB 'gAAAA*'";
    /// The condition for bytes that begin as a token does, in either form.
    pub(crate) const BEGINS_IN_EITHER_FORM: &str =
        "substr(VALUE, 1, 3) = x'800000' OR substr(VALUE, 1, 5) = x'6741414141'";
    /// The condition for a statement that mentions the beginning of a token.
    pub(crate) const IS_MENTIONED: &str = "instr(VALUE, 'gAAAA') > 0";

    /// Three texts in a select list: the length of a value in bytes; if it begins as a token does, enough of it in
    /// hexadecimal to recognize a token; and if the beginning of a token is further inside, what follows it.
    pub(crate) fn sampled() -> String {
        let inside = |prefix: &str| {
            let position = format!("instr(VALUE, CAST('{prefix}' AS BLOB))");
            format!("WHEN {position} > 0 THEN hex(substr(VALUE, {position}, {INSIDE}))")
        };
        format!(
            "CAST(length(VALUE) AS TEXT), CASE WHEN substr(VALUE, 1, 3) = x'800000' \
             OR substr(VALUE, 1, 5) = x'6741414141' THEN hex(substr(VALUE, 1, {})) END, CASE {} {} END",
            Token::KNOWN_BY,
            inside(TEXT_PREFIX),
            inside(ENCODED_PREFIX),
        )
    }
}

#[cfg(all(test, feature = "reencrypt"))]
mod tests {
    use super::*;
    use crate::keys::fernet::token::Cipher;
    use crate::keys::key::Key;

    #[test]
    fn hides_tokens_in_messages() {
        let cipher = Cipher::new(&Key::generate());
        let hex: String = cipher.seal(b"secret").into_raw().iter().map(|byte| format!("{byte:02X}")).collect();
        let text = cipher.seal(b"secret").into_text();
        let cases = [
            (
                format!("Duplicate entry '{}' for key 'email'", &text[..64]),
                "Duplicate entry '(a token)' for key 'email'",
            ),
            (format!("{text} by {text}"), "(a token) by (a token)"),
            (format!("photo=\\x{hex}."), "photo=\\(a token)."),
            (format!("secret={text}"), "(a token)"),
            ("größer als \"erlaubt\"\n".into(), "größer als \"erlaubt\"\n"),
            ("n".repeat(64), &"n".repeat(64)),
            (String::new(), ""),
        ];
        for (message, shown) in cases {
            assert_eq!(Token::hide_in(&message), shown);
        }
    }
}
