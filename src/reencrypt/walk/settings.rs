//! The settings of a task.

use std::sync::Arc;
use std::time::Duration;

use crate::database::{Anchor, StopHandle};
use crate::keys::Keyring;
use crate::reencrypt::report::Job;
use crate::reencrypt::throttle::Limits;

/// The settings of a [`Task`](crate::reencrypt::Task), except its targets.
pub(crate) struct Settings {
    pub(crate) job: Job,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) batch: Option<usize>,
    pub(crate) workers: usize,
    pub(crate) stateless: bool,
    pub(crate) give_up_after: Duration,
    pub(crate) fence_timeout: Duration,
    pub(crate) lease: Duration,
    pub(crate) limits: Limits,
    /// The URLs of the other nodes of the cluster.
    pub(crate) nodes: Vec<String>,
    pub(crate) anchor: Anchor,
    pub(crate) stop: StopHandle,
}
