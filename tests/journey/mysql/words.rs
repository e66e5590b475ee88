//! MySQL and MariaDB: what is said in other words elsewhere.

/// Makes a column of numbers long enough for tokens, `{}` in number; tokens need no more than ASCII.
pub const WIDEN: Option<&str> =
    Some("alter table account modify phone varchar({}) character set ascii collate ascii_bin");
