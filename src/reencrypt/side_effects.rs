//! Triggers and rules: what else the database would do when the task writes.

/// What an update of the encrypted columns of a table sets off.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SideEffects {
    /// The names of the triggers that would fire.
    pub(super) triggers: Vec<String>,
    /// Rules of PostgreSQL, with which it does not take the task's statement at all.
    pub(super) rules: Vec<String>,
    /// Whether this user may not be shown the triggers.
    pub(super) may_be_hidden: bool,
}
