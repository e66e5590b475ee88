//! Triggers and rules: what else the database would do when the task writes.

/// What an update of the encrypted columns of a table sets off.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SideEffects {
    /// The names of the triggers that would fire.
    pub(crate) triggers: Vec<String>,
    /// Rules of PostgreSQL, which does not combine them with the task's statement.
    pub(crate) rules: Vec<String>,
    /// Whether the server may hide triggers from this user.
    pub(crate) may_be_hidden: bool,
}
