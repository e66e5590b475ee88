//! MySQL and MariaDB: values get their types at run time. A batch is a join with a table of parameters.

pub(crate) mod catalogue;
pub(crate) mod cluster;
pub(crate) mod conversion;
pub(crate) mod cost;
pub(crate) mod effects;
pub(crate) mod guards;
pub(crate) mod identity;
pub(crate) mod language;
pub(crate) mod locks;
pub(crate) mod own_tables;
pub(crate) mod pooler;
pub(crate) mod replication;
pub(crate) mod rows;
pub(crate) mod server;
pub(crate) mod settings;
pub(crate) mod snapshot;
pub(crate) mod swap;

impl crate::database::dialect::Dialect for diesel::mysql::Mysql {}
