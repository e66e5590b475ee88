//! The task and its settings.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::database::{Anchor, StopHandle};
use crate::keys::Keyring;
use crate::reencrypt::conduct::Accepted;
use crate::reencrypt::report::{Job, Observer, Progress};
use crate::reencrypt::throttle::Limits;
use crate::reencrypt::walk::Settings;
use crate::targets::Target;

/// Re-encrypts the values of its targets under the primary key of a keyring, or reads their status.
///
/// See the [module](crate::reencrypt) for a description and an example.
#[must_use = "a task does nothing until it is run"]
pub struct Task<'a> {
    pub(super) targets: Vec<Target>,
    pub(super) token_like_plaintext: Vec<Target>,
    pub(super) plaintext_where: Vec<(Target, String)>,
    pub(super) dry_run: bool,
    pub(super) accept_triggers: bool,
    pub(super) accepted_tokens: Accepted,
    pub(super) settings: Settings,
    pub(super) on_progress: Observer<'a>,
}

impl<'a> Task<'a> {
    /// Creates a task without targets.
    pub fn new(keyring: impl Into<Arc<Keyring>>) -> Self {
        Self {
            targets: Vec::new(),
            token_like_plaintext: Vec::new(),
            plaintext_where: Vec::new(),
            dry_run: false,
            accept_triggers: false,
            accepted_tokens: Accepted::Explained,
            settings: Settings {
                job: Job::Reencrypt,
                keyring: keyring.into(),
                batch: None,
                workers: 1,
                stateless: false,
                give_up_after: Duration::from_secs(60),
                fence_timeout: Duration::from_secs(60),
                lease: Duration::from_secs(60),
                limits: Limits::default(),
                nodes: Vec::new(),
                anchor: Anchor::default(),
                stop: StopHandle::default(),
            },
            on_progress: Box::new(|_| {}),
        }
    }

    /// Adds a target.
    pub fn target(mut self, target: Target) -> Self {
        self.targets.push(target);
        self
    }

    /// Adds targets.
    pub fn targets(mut self, targets: impl IntoIterator<Item = Target>) -> Self {
        self.targets.extend(targets);
        self
    }

    /// Sets what to do with the values. The default is [`Job::Reencrypt`].
    pub fn job(mut self, job: Job) -> Self {
        self.settings.job = job;
        self
    }

    /// Treats values of these columns as plaintext if they look like tokens and no key opens them. The columns must be
    /// among the targets.
    ///
    /// By default, such values are listed and left unchanged: they could be damaged tokens, or tokens whose key is
    /// missing. **With this setting, such tokens are encrypted a second time.** After that, only [`Job::Decrypt`]
    /// restores them. First look at every value that a dry run lists.
    pub fn token_like_plaintext(mut self, target: Target) -> Self {
        self.token_like_plaintext.push(target);
        self
    }

    /// Declares that the plaintext of these columns is right in the rows that meet the condition. The columns must be among
    /// the targets.
    ///
    /// Some programs store plaintext on purpose, and note that in another column: Airflow has `is_encrypted`. The task
    /// leaves such plaintext, counts it [apart](crate::reencrypt::ColumnReport::exempt), and does not list it. A token is
    /// treated as everywhere else, whatever the condition says. [`Job::Decrypt`] ignores the conditions.
    ///
    /// The condition is SQL, and becomes a part of the statements of the task unchanged: **it must not contain the input
    /// of anybody else.** It may use the columns of its row, and no other query. A condition that is `NULL` is not met. On
    /// PostgreSQL, the search path is empty but for `pg_catalog`: name the schema of any function and operator that is
    /// not PostgreSQL's own. If a column has several conditions, one of them has to be met.
    ///
    /// All processes of a run must declare the same conditions, in the same words.
    ///
    /// ```
    /// # #[cfg(feature = "reencrypt")]
    /// # fn task(keyring: diesel_encrypted::Keyring) -> Result<(), Box<dyn std::error::Error>> {
    /// # use diesel_encrypted::reencrypt::Task;
    /// let task = Task::new(keyring)
    ///     .target("connection.password".parse()?)
    ///     .plaintext_where("connection.password".parse()?, "NOT is_encrypted OR password = ''");
    /// # Ok(())
    /// # }
    /// ```
    pub fn plaintext_where(mut self, target: Target, condition: impl Into<String>) -> Self {
        self.plaintext_where.push((target, condition.into()));
        self
    }

    /// Sets how many rows one statement reads, and at most writes. The default was the fastest in measurements: 1000 on
    /// PostgreSQL and SQLite, 500 on MySQL and MariaDB. The task lowers it where a statement cannot bind that many
    /// values, where rows are large, and where writing takes longer than 50 ms.
    pub fn batch_size(mut self, rows: usize) -> Self {
        self.settings.batch = Some(rows.max(1));
        self
    }

    /// Sets the number of parallel workers. The default is 1. Each worker uses two connections if the pool has them: it
    /// reads one page while it writes another.
    pub fn workers(mut self, workers: usize) -> Self {
        self.settings.workers = workers.max(1);
        self
    }

    /// Does everything except writing, in one pass.
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Lets the triggers of the tables fire. By default, the task refuses a table if its writes would set off a
    /// trigger. A trigger that maintains `updated_at`, such as one from `diesel_manage_updated_at`, would change it in
    /// every row.
    ///
    /// The task looks for triggers that an `UPDATE` of the encrypted columns sets off. On PostgreSQL it respects the
    /// settings of its session: with `session_replication_role = replica`, most triggers do not fire. MySQL and MariaDB
    /// show triggers only to users with the privilege `TRIGGER`; the task warns if that is missing.
    pub fn accept_triggers(mut self, accept: bool) -> Self {
        self.accept_triggers = accept;
        self
    }

    /// Accepts every token that the columns hold before [`Job::Encrypt`] begins. See
    /// [`accept_tokens_since`](Self::accept_tokens_since), which is safer.
    pub fn accept_tokens(mut self) -> Self {
        self.accepted_tokens = Accepted::All;
        self
    }

    /// Accepts the tokens that the columns hold before [`Job::Encrypt`] begins, if they are dated at `time` or later.
    ///
    /// By default, the task refuses a column with tokens that the keyring opens, unless a recorded run explains them: the
    /// last run worked on all these columns, and was not a decryption that left no token. Otherwise a user of the
    /// application may have stored a token of another column there, for example one from a backup. An application that
    /// reads tokens in this column shows the plaintext of such a token.
    ///
    /// Pass a time when every process of the application already read tokens in this column ([`Leaving`](crate::Leaving)
    /// refuses to store what it would read as a token), but none wrote them yet. A token has the date of its encryption,
    /// which nobody can change without the key. So all tokens of the application are newer, and all others are older. A
    /// [stateless](Task::stateless) task that was interrupted needs this setting too, to continue.
    pub fn accept_tokens_since(mut self, time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.accepted_tokens = Accepted::Since(since);
        self
    }

    /// Works without tables of its own, and therefore alone. If such a task was killed, the next one starts by
    /// reading everything again. Several such tasks repeat each other's work. Nothing else is lost.
    pub fn stateless(mut self, stateless: bool) -> Self {
        self.settings.stateless = stateless;
        self
    }

    /// Sets for how long a failing database is tried again before the task gives up. The default is one minute.
    pub fn give_up_after(mut self, time: Duration) -> Self {
        self.settings.give_up_after = time;
        self
    }

    /// Sets how long the fence before the proof waits for open transactions. The default is one minute.
    pub fn fence_timeout(mut self, time: Duration) -> Self {
        self.settings.fence_timeout = time;
        self
    }

    /// Names the other nodes of a cluster in which every node can write: Galera, or group replication of MySQL. The proof
    /// needs each of them, because a node does not show the open transactions of the others. The node of the pool may be
    /// among them.
    ///
    /// Without this setting, or if one is missing, the task does its job but [proves nothing](crate::reencrypt::Doubt::Nodes). It refuses a
    /// server that is not a member of the cluster. The user of each URL needs `PROCESS`, and with group replication
    /// `SELECT` on `performance_schema`. The task opens up to two connections to each node. Messages name a node by its
    /// host and port.
    pub fn nodes(mut self, urls: impl IntoIterator<Item = String>) -> Self {
        self.settings.nodes.extend(urls);
        self
    }

    /// Sets the lease: after this time without a heartbeat, other processes take over the ranges of this one. The
    /// default is one minute, on the clock of the database. If this process was only slow, the database refuses its
    /// next write to such a range, and the process continues with another range.
    pub fn lease(mut self, time: Duration) -> Self {
        self.settings.lease = time;
        self
    }

    /// Sets a handle that can stop the task.
    pub fn stop_handle(mut self, stop: StopHandle) -> Self {
        self.settings.stop = stop;
        self
    }

    /// Sets a function to call with the progress ten times a second, on the thread that runs the task.
    pub fn on_progress(mut self, on_progress: impl FnMut(&Progress) + Send + 'a) -> Self {
        self.on_progress = Box::new(on_progress);
        self
    }
}
