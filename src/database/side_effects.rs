//! Triggers and rules: what else the database would do when the task writes.

/// What an update of the encrypted columns of a table sets off.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SideEffects {
    /// The names of the triggers that would fire.
    pub(crate) triggers: Vec<String>,
    /// Rules of PostgreSQL, with which it does not take the task's statement at all.
    pub(crate) rules: Vec<String>,
    /// Whether this user may not be shown the triggers.
    pub(crate) may_be_hidden: bool,
}
