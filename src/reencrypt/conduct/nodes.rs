//! The other nodes of the cluster, which the operator has named.

use std::time::Duration;

use diesel::ConnectionError;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Error as PoolError, Pool};

use crate::database::server::tls::lacks_tls;
use crate::database::{Anchor, ServerUrl, Session, StopHandle, TaskConnection};
use crate::reencrypt::report::{Refusal, TaskError};
use crate::reencrypt::walk::Settings;

/// A fence and a watch may use a node at the same time.
const CONNECTIONS: u32 = 2;
/// How long to wait for a connection to a node.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Nodes<C: TaskConnection>(Vec<Node<C>>);

pub(crate) struct Node<C: TaskConnection> {
    name: String,
    pool: Pool<ConnectionManager<C>>,
    anchor: Anchor,
}

impl<C: TaskConnection> Nodes<C> {
    /// Prepares the connections to the nodes, but opens none.
    pub(crate) fn new(urls: &[String]) -> Result<Self, TaskError> {
        urls.iter().enumerate().map(|(index, url)| Node::new(index + 1, url)).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Node<C>> {
        self.0.iter()
    }
}

impl<C: TaskConnection> Node<C> {
    fn new(number: usize, url: &str) -> Result<Self, TaskError> {
        let url = ServerUrl::parse::<C::Backend>(url).map_err(|_| Refusal::NodeUrl { number })?;
        let pool = Pool::builder()
            .max_size(CONNECTIONS)
            .min_idle(Some(0))
            .connection_timeout(PATIENCE)
            .connection_customizer(Box::new(CheckTls(url.clone())))
            .build_unchecked(ConnectionManager::new(url.expose()));
        Ok(Self { name: url.name().to_owned(), pool, anchor: Anchor::default() })
    }

    /// Host and port.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    pub(crate) fn session(&self, settings: &Settings, stop: &StopHandle) -> Session<'_, C> {
        Session::new(&self.pool, settings.give_up_after.min(PATIENCE), stop.clone()).at(&self.anchor)
    }
}

/// Closes connections that lack the TLS that their URL asks for.
#[derive(Debug)]
struct CheckTls(ServerUrl);

impl<C: TaskConnection> CustomizeConnection<C, PoolError> for CheckTls {
    fn on_acquire(&self, conn: &mut C) -> Result<(), PoolError> {
        let failed = |reason: String| Err(PoolError::ConnectionError(ConnectionError::BadConnection(reason)));
        match lacks_tls(conn, self.0.expose()) {
            Ok(false) => Ok(()),
            Ok(true) => failed("the connection is not encrypted, although its URL asks for TLS".into()),
            Err(error) => failed(error.to_string()),
        }
    }
}
