//! Text that others have written, for terminals and logs.

use std::fmt::{self, Write};

/// Prints `text` on one line, without control characters: each becomes its escape, such as `\n` or `\u{1b}`.
///
/// Whoever may create a table chooses its name, which may clear a screen, turn the direction of the text, or add a line
/// to a log. The `Display` of every type of this crate escapes such names. The fields of reports hold them unchanged, so
/// print those with this function. JSON does not need it.
///
/// ```
/// use diesel_encrypted::printable;
///
/// assert_eq!(printable(&"users\n\u{1b}[2Jproven: \u{202e}").to_string(), r"users\n\u{1b}[2Jproven: \u{202e}");
/// assert_eq!(printable(&"Größe 表 \"x\"").to_string(), "Größe 表 \"x\"");
/// ```
pub fn printable<T: fmt::Display + ?Sized>(text: &T) -> impl fmt::Display + '_ {
    Printable(text)
}

struct Printable<'a, T: ?Sized>(&'a T);

impl<T: fmt::Display + ?Sized> fmt::Display for Printable<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

/// Passes text on, and escapes what is not [`printable`].
pub(crate) struct Escaping<W>(pub(crate) W);

impl<W: Write> Write for Escaping<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(index) = rest.find(|character| !is_printable(character)) {
            let (plain, other) = rest.split_at(index);
            self.0.write_str(plain)?;
            let mut characters = other.chars();
            characters.next().map_or(Ok(()), |character| write!(self.0, "{}", character.escape_debug()))?;
            rest = characters.as_str();
        }
        self.0.write_str(rest)
    }
}

/// Whether a character changes nothing but its own place on the screen. Control and format characters, separators of
/// lines, and characters without a meaning are not.
fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return !character.is_ascii_control();
    }
    // After a letter, `escape_debug` leaves combining characters as they are.
    let mut bytes = *b"a\0\0\0\0";
    let length = 1 + character.encode_utf8(&mut bytes[1..]).len();
    std::str::from_utf8(&bytes[..length]).is_ok_and(|text| text.escape_debug().count() == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_moves_the_cursor_or_hides_text() {
        for character in [
            '\0',
            '\t',
            '\n',
            '\r',
            '\x07',
            '\x08',
            '\x1b',
            '\x7f',
            '\u{85}',
            '\u{9b}',
            '\u{61c}',
            '\u{200b}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2066}',
            '\u{2069}',
            '\u{feff}',
            '\u{e0041}',
            '\u{e000}',
            '\u{ffff}',
        ] {
            let shown = printable(&format!("a{character}b")).to_string();
            assert_eq!(shown, format!("a{}b", character.escape_debug()));
            assert!(shown.len() > 3 && !shown.contains(character), "{shown}");
        }
        let plain = "it's \"ordinary\", C:\\path, Größe, e\u{301}, 表, ı, 👍 $guard$";
        assert_eq!(printable(plain).to_string(), plain);
    }
}
