//! How far a replica of MySQL or MariaDB is.

use std::time::Duration;

use diesel::connection::{Connection, LoadConnection};
use diesel::deserialize::{self, QueryableByName};
use diesel::mysql::Mysql;
use diesel::result::QueryResult;
use diesel::row::NamedRow;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel::{RunQueryDsl, sql_query};

use super::super::lag::{Replay, Standing};

pub(super) fn standings<C>(conn: &mut C) -> QueryResult<Vec<Standing>>
where
    C: Connection<Backend = Mysql> + LoadConnection,
{
    let version: Version = sql_query("SELECT version() AS version").get_result(conn)?;
    let channels: Vec<Channel> = match version.version.contains("MariaDB") {
        true => sql_query("SHOW ALL SLAVES STATUS").load(conn)?,
        // The older name before MySQL 8.0.22, the newer one from then on.
        false => sql_query("SHOW REPLICA STATUS").load(conn).or_else(|_| sql_query("SHOW SLAVE STATUS").load(conn))?,
    };
    Ok(channels.into_iter().map(Channel::into_standing).collect())
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Text)]
    version: String,
}

/// A connection of a replica to a primary.
struct Channel {
    name: Option<String>,
    receiver: Option<String>,
    applier: Option<String>,
    seconds: Option<i64>,
}

impl QueryableByName<Mysql> for Channel {
    /// The columns have one name in MariaDB and older versions of MySQL, another in newer ones.
    fn build<'a>(row: &impl NamedRow<'a, Mysql>) -> deserialize::Result<Self> {
        let text = |name| NamedRow::get::<Nullable<Text>, Option<String>>(row, name);
        let seconds = |name| NamedRow::get::<Nullable<BigInt>, Option<i64>>(row, name);
        Ok(Self {
            name: text("Connection_name").or_else(|_| text("Channel_Name")).unwrap_or_default(),
            receiver: text("Slave_IO_Running").or_else(|_| text("Replica_IO_Running"))?,
            applier: text("Slave_SQL_Running").or_else(|_| text("Replica_SQL_Running"))?,
            seconds: seconds("Seconds_Behind_Master").or_else(|_| seconds("Seconds_Behind_Source"))?,
        })
    }
}

impl Channel {
    fn into_standing(self) -> Standing {
        let (receiver, applier) = (self.receiver.unwrap_or_default(), self.applier.unwrap_or_default());
        let replay = match self.seconds.map(u64::try_from) {
            Some(Ok(seconds)) if receiver == "Yes" && applier == "Yes" => Replay::Behind(Duration::from_secs(seconds)),
            _ => Replay::Unknown(format!("its replication does not run (receiving: {receiver}, applying: {applier})")),
        };
        Standing { name: self.name.unwrap_or_default(), replay }
    }
}
