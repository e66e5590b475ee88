//! Watches what a proof rests on besides the transactions: which servers there are, and that they stay the same.

use crate::database::failure::one_line;
use crate::database::server::cluster::Flaw;
use crate::database::{Anchor, Clusters, Failure, Identity, Membership, PlannedTable, Session, TaskConnection};
use crate::reencrypt::conduct::nodes::Node;
use crate::reencrypt::report::{Doubt, Refusal, TaskError};

/// The servers of a proof, from the first fence to the last reading.
pub(crate) struct Watch<'p, C: TaskConnection> {
    session: Session<'p, C>,
    anchor: &'p Anchor,
    nodes: Vec<(&'p Node<C>, Session<'p, C>)>,
    tables: &'p [PlannedTable],
    sight: Option<Sight>,
}

/// What must not change during a proof.
#[derive(PartialEq, Eq)]
struct Sight {
    restarts: Vec<u64>,
    views: Vec<(String, String)>,
}

impl<'p, C: TaskConnection> Watch<'p, C> {
    pub(crate) fn new(
        session: Session<'p, C>,
        anchor: &'p Anchor,
        nodes: Vec<(&'p Node<C>, Session<'p, C>)>,
        tables: &'p [PlannedTable],
    ) -> Self {
        Self { session, anchor, nodes, tables, sight: None }
    }

    /// Looks at the servers. Returns a doubt if transactions that can write to the tables may be invisible.
    pub(crate) fn begin(&mut self) -> Result<Option<Doubt>, TaskError> {
        let (sight, doubt) = self.look()?;
        self.sight = Some(sight);
        Ok(doubt)
    }

    /// Looks again. Returns a doubt if anything has changed since [`begin`](Self::begin).
    pub(crate) fn end(&mut self) -> Result<Option<Doubt>, TaskError> {
        let (sight, doubt) = self.look()?;
        let changed = |what: &str| Some(Doubt::Unsettled(what.into()));
        Ok(doubt.or_else(|| match &self.sight {
            Some(former) if former.views != sight.views => changed("a node joined or left the cluster"),
            Some(former) if former.restarts != sight.restarts => {
                changed("the server was restarted, or its connections lead to a copy of it,")
            }
            _ => None,
        }))
    }

    fn look(&mut self) -> Result<(Sight, Option<Doubt>), TaskError> {
        let result = self.look_at_all();
        self.session.release();
        self.nodes.iter_mut().for_each(|(_, session)| session.release());
        result
    }

    fn look_at_all(&mut self) -> Result<(Sight, Option<Doubt>), TaskError> {
        self.session.survey()?;
        let mut doubt = self
            .anchor
            .server()
            .and_then(|server| server.standby.map(Doubt::NotPrimary).or_else(|| server.stranger.map(Doubt::Stranger)));
        let mut first = None;
        // A stranger may not even know the question.
        if doubt.is_none() {
            first = self.session.run(C::Backend::membership)?;
            let named: Vec<_> =
                self.nodes.iter_mut().map(|(node, session)| (node.name().to_owned(), ask(session))).collect();
            doubt = match Membership::compare(first.as_ref(), &named) {
                Ok(()) => None,
                Err(Flaw::NoMember { node, reason }) => return Err(Refusal::NoMember { node, reason }.into()),
                Err(Flaw::Missing { seen, all }) => Some(Doubt::Nodes(seen, all)),
                Err(Flaw::Trouble { node, reason }) => Some(Doubt::Node(node, reason)),
            };
        }
        if doubt.is_none() {
            doubt = self.feeds()?;
        }
        let restarts = self.nodes.iter().map(|(node, _)| node.anchor().restarts());
        let sight = Sight {
            restarts: restarts.chain([self.anchor.restarts()]).collect(),
            views: first.into_iter().map(|member| (member.cluster, member.view)).collect(),
        };
        Ok((sight, doubt))
    }

    fn feeds(&mut self) -> Result<Option<Doubt>, TaskError> {
        let tables = self.tables;
        let mut feeds = self.session.run(|conn| C::Backend::feeds(conn, tables))?;
        for (node, session) in &mut self.nodes {
            let more = match session.run(|conn| C::Backend::feeds(conn, tables)) {
                Ok(more) => more,
                Err(failure) => {
                    let reason = format!("it does not answer: {}", one_line(&failure));
                    return Ok(Some(Doubt::Node(node.name().to_owned(), reason)));
                }
            };
            feeds.extend(more.into_iter().map(|feed| format!("on node {}, {feed}", node.name())));
        }
        Ok((!feeds.is_empty()).then(|| Doubt::NotPrimary(feeds.join("; "))))
    }
}

/// How a node sees the cluster, or why it cannot be asked.
fn ask<C: TaskConnection>(session: &mut Session<'_, C>) -> Result<Option<Membership>, String> {
    let answer = session.once(C::Backend::membership).and_then(|answer| answer.map_err(Failure::database));
    answer.map_err(|failure| one_line(&failure))
}
