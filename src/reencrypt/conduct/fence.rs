//! A fence: waits until the transactions that were open at one moment have ended, on every server that can write.

use std::time::{Duration, Instant};

use crate::database::failure::one_line;
use crate::database::{Failure, Session, Snapshots, TaskConnection};
use crate::reencrypt::report::{Doubt, TaskError};

/// The time between two checks for open transactions. It grows.
const NAP: Duration = Duration::from_millis(100);
const LONGEST_NAP: Duration = Duration::from_secs(1);

/// A fence over one or more servers.
pub(crate) struct Fence<'p, C: TaskConnection> {
    posts: Vec<Post<'p, C>>,
}

/// The part of a fence that stands on one server.
struct Post<'p, C: TaskConnection> {
    /// The name of the node, if the server is one of several.
    node: Option<String>,
    session: Session<'p, C>,
    mark: String,
}

impl<'p, C: TaskConnection> Fence<'p, C> {
    /// A fence on the server of this session. The session only leads to the server: it may get new connections.
    pub(crate) fn on(session: Session<'p, C>) -> Self {
        Self { posts: vec![Post { node: None, session, mark: String::new() }] }
    }

    /// Extends the fence to another node of the cluster.
    pub(crate) fn and(mut self, node: String, session: Session<'p, C>) -> Self {
        self.posts.push(Post { node: Some(node), session, mark: String::new() });
        self
    }

    /// Notes the transactions that are open now, then returns the connections to their pools until [`wait`](Self::wait).
    /// Returns a doubt if a server does not show its transactions.
    pub(crate) fn begin(&mut self) -> Result<Option<Doubt>, TaskError> {
        for post in &mut self.posts {
            let doubt = post.begin()?;
            post.session.release();
            if doubt.is_some() {
                return Ok(doubt);
            }
        }
        Ok(None)
    }

    /// Waits until the transactions that [`begin`](Self::begin) has noted have ended, because their writes are not visible
    /// yet. Returns a doubt if they do not end in time.
    ///
    /// `tick` gets a session with the first server.
    pub(crate) fn wait(
        &mut self,
        timeout: Duration,
        mut tick: impl FnMut(&mut Session<'p, C>, Option<String>),
    ) -> Result<Option<Doubt>, TaskError> {
        let started = Instant::now();
        for round in 0..C::Backend::FENCES {
            if round > 0 {
                if let Some(doubt) = self.begin()? {
                    return Ok(Some(doubt));
                }
            }
            let mut nap = NAP;
            loop {
                let mut older = Vec::new();
                for post in &mut self.posts {
                    match post.older()? {
                        Ok(open) => older.extend(open),
                        Err(doubt) => return Ok(Some(doubt)),
                    }
                }
                if older.is_empty() {
                    break;
                }
                let Some(Post { session, .. }) = self.posts.first_mut() else { break };
                if started.elapsed() > timeout || session.is_stopped() {
                    return Ok(Some(Doubt::Open(older)));
                }
                let waits_for = format!("transactions that began before the proof are open: {}", older.join("; "));
                tick(session, Some(waits_for));
                session.pause(nap);
                nap = (nap * 3 / 2).min(LONGEST_NAP);
            }
        }
        self.posts.iter_mut().for_each(|post| post.session.release());
        Ok(None)
    }
}

impl<C: TaskConnection> Post<'_, C> {
    fn begin(&mut self) -> Result<Option<Doubt>, TaskError> {
        let mark = match self.session.once(C::Backend::fence) {
            Ok(Err(_)) if !self.session.is_connected() => self.session.run(C::Backend::fence),
            Ok(Err(error)) => return Ok(Some(Doubt::Blind(self.named(error.to_string())))),
            Ok(Ok(mark)) => Ok(mark),
            Err(error) => Err(error),
        };
        Ok(match self.judged(mark)? {
            Ok(mark) => {
                self.mark = mark;
                None
            }
            Err(doubt) => Some(doubt),
        })
    }

    /// The transactions that were open at the beginning and still are.
    fn older(&mut self) -> Result<Result<Vec<String>, Doubt>, TaskError> {
        let mark = &self.mark;
        let older = self.session.run(|conn| C::Backend::older_than(conn, mark));
        let older = self.judged(older)?;
        Ok(older.map(|older| older.into_iter().map(|transaction| self.named(transaction)).collect()))
    }

    /// Another node may be gone. That is a doubt, because the task can go on without the node.
    fn judged<T>(&self, answer: Result<T, Failure>) -> Result<Result<T, Doubt>, TaskError> {
        match (answer, &self.node) {
            (Ok(value), _) => Ok(Ok(value)),
            (Err(failure), Some(node)) if failure.is_database() => {
                Ok(Err(Doubt::Node(node.clone(), format!("it does not answer: {}", one_line(&failure)))))
            }
            (Err(failure), _) => Err(failure.into()),
        }
    }

    fn named(&self, text: String) -> String {
        match &self.node {
            Some(node) => format!("on node {node}, {text}"),
            None => text,
        }
    }
}
