//! What an error of a database is about, as far as that decides what to do next.
//!
//! Diesel passes on the code of few errors. For the others there is only the message. A session of the task chooses the
//! language of messages where every user may (MySQL, MariaDB); SQLite has only one; and on PostgreSQL a session
//! provokes the errors and learns how the server words them.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// Another session holds a lock.
    Lock,
    /// The statement exceeded its time limit.
    Timeout,
    /// The user lacks a privilege, or a setting forbids the statement. Another attempt has the same result.
    Denied,
    /// The error has a code, or is another one.
    Other,
    /// The error may be any, because the session does not know how the server words a lock conflict.
    Unknown,
}

impl ErrorClass {
    /// Whether another attempt may succeed.
    pub(crate) fn can_pass(self) -> bool {
        matches!(self, Self::Lock | Self::Timeout | Self::Unknown)
    }
}

/// How the messages of a class begin and end. What is between is a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    class: ErrorClass,
    start: String,
    end: String,
}

impl Wording {
    /// A message that is always the same.
    #[cfg(any(feature = "postgres", test))]
    pub(crate) fn whole(class: ErrorClass, message: &str) -> Self {
        Self { class, start: message.to_owned(), end: String::new() }
    }

    /// A message that contains this name, so that other messages of the class contain other names. `None` if it does
    /// not contain the name, or hardly anything else.
    #[cfg(any(feature = "postgres", test))]
    pub(crate) fn around(class: ErrorClass, message: &str, name: &str) -> Option<Self> {
        let (start, end) = message.split_once(name)?;
        let is_telling = start.len() + end.len() >= name.len();
        is_telling.then(|| Self { class, start: start.to_owned(), end: end.to_owned() })
    }

    pub(crate) fn class(&self) -> ErrorClass {
        self.class
    }

    fn fits(&self, message: &str) -> bool {
        message.strip_prefix(&*self.start).is_some_and(|rest| rest.ends_with(&*self.end))
    }
}

/// The class of an error, by its code or else by the first wording that fits.
pub(crate) fn class_of(error: &DieselError, known: &[(ErrorClass, &str)], learned: &[Wording]) -> ErrorClass {
    let DieselError::DatabaseError(kind, info) = error else { return ErrorClass::Other };
    match kind {
        // A deadlock of MySQL and MariaDB has this kind.
        DatabaseErrorKind::SerializationFailure => return ErrorClass::Lock,
        DatabaseErrorKind::Unknown => {}
        _ => return ErrorClass::Other,
    }
    let message = info.message();
    let known = known.iter().find(|(_, start)| message.starts_with(start)).map(|(class, _)| *class);
    let learned = || learned.iter().find(|wording| wording.fits(message)).map(|wording| wording.class);
    known.or_else(learned).unwrap_or(ErrorClass::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: DatabaseErrorKind, message: &str) -> DieselError {
        DieselError::DatabaseError(kind, Box::new(message.to_owned()))
    }

    #[test]
    fn a_code_comes_before_every_word() {
        let known = [(ErrorClass::Lock, "Lock wait")];
        let class = |kind, message: &str| class_of(&error(kind, message), &known, &[]);
        assert_eq!(class(DatabaseErrorKind::SerializationFailure, "x"), ErrorClass::Lock);
        assert_eq!(class(DatabaseErrorKind::UniqueViolation, "Lock wait"), ErrorClass::Other);
        assert_eq!(class(DatabaseErrorKind::Unknown, "Lock wait timeout"), ErrorClass::Lock);
        assert_eq!(class(DatabaseErrorKind::Unknown, "the Lock wait"), ErrorClass::Other);
    }

    #[test]
    fn a_learned_message_fits_with_other_names() {
        let denied = Wording::around(ErrorClass::Denied, "keine Berechtigung für Tabelle pg_authid", "pg_authid");
        let around = Wording::around(ErrorClass::Denied, "Relation »x« existiert nicht", "x").unwrap();
        let learned = [Wording::whole(ErrorClass::Lock, "Zeit ist um"), denied.unwrap(), around];
        let class = |message: &str| class_of(&error(DatabaseErrorKind::Unknown, message), &[], &learned);
        assert_eq!(class("keine Berechtigung für Tabelle t"), ErrorClass::Denied);
        assert_eq!(class("Relation »other« existiert nicht"), ErrorClass::Denied);
        assert_eq!(class("Relation »other« existiert bereits"), ErrorClass::Other);
        assert_eq!(class("Zeit ist um"), ErrorClass::Lock);
        assert_eq!(Wording::around(ErrorClass::Denied, "pg_authid", "pg_authid"), None);
        assert_eq!(Wording::around(ErrorClass::Denied, "other", "pg_authid"), None);
    }
}
