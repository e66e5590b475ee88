//! How a task works.

use std::sync::Arc;
use std::time::Duration;

use super::job::Job;
use super::limits::Limits;
use super::progress::StopHandle;
use crate::keyring::Keyring;

/// What a [`Task`](super::Task) was told, but for its targets.
pub(super) struct Settings {
    pub(super) job: Job,
    pub(super) keyring: Arc<Keyring>,
    pub(super) batch: Option<usize>,
    pub(super) workers: usize,
    pub(super) stateless: bool,
    pub(super) give_up_after: Duration,
    pub(super) fence_timeout: Duration,
    pub(super) lease: Duration,
    pub(super) limits: Limits,
    pub(super) stop: StopHandle,
}
