//! Clusters of MariaDB and MySQL in which every node can write: Galera, and group replication.

use std::collections::BTreeSet;

use diesel::mysql::Mysql;
use diesel::result::QueryResult;

use crate::database::mysql::server::Shown;
use crate::database::server::cluster::Members;
use crate::database::{Clusters, Conn, Membership, SessionSettings, Sql};

impl Clusters for Mysql {
    /// Every user may ask a node of Galera. The members of a group are in tables that need `SELECT` on
    /// `performance_schema`.
    fn membership<C: Conn<Self>>(conn: &mut C) -> QueryResult<Option<Membership>> {
        let variables = Shown::of(conn, "SHOW SESSION VARIABLES", VARIABLES)?;
        if !["", "none"].contains(&variables.get("wsrep_provider")) {
            let status = Shown::of(conn, "SHOW GLOBAL STATUS", STATUS)?;
            return Ok(Some(galera(&variables, &status)));
        }
        if variables.get("group_replication_group_name").is_empty() {
            return Ok(None);
        }
        let members = Sql::new(GROUP_MEMBERS).texts(conn);
        let view = Sql::new(GROUP_VIEW).first(conn);
        Ok(Some(match members.and_then(|members| Ok((members, view?))) {
            Ok((members, view)) => group(&variables, &members, view),
            Err(error) => hidden(&variables, &error.to_string()),
        }))
    }
}

/// Runs `begin` so that the transaction that it begins waits for everything that other nodes have committed before.
///
/// MariaDB and Percona: `wsrep_sync_wait`; its first bit stands for reads. MySQL: `group_replication_consistency`.
pub(crate) fn after_other_nodes<C: Conn<Mysql>, T>(
    conn: &mut C,
    begin: impl FnOnce(&mut C) -> QueryResult<T>,
) -> QueryResult<T> {
    let former = Shown::of(conn, "SHOW SESSION VARIABLES", &CAUSALITY.map(|(name, _)| name))?;
    let known = || CAUSALITY.iter().filter(|(name, _)| !former.get(name).is_empty());
    for (name, value) in known() {
        Mysql::set(conn, name, value)?;
    }
    let result = begin(conn);
    for (name, _) in known() {
        Mysql::set(conn, name, former.get(name))?;
    }
    result
}

const CAUSALITY: [(&str, &str); 2] = [("wsrep_sync_wait", "1"), ("group_replication_consistency", "BEFORE")];

const VARIABLES: &[&str] = &[
    "wsrep_provider",
    "wsrep_on",
    "wsrep_sync_wait",
    "wsrep_cluster_address",
    "server_uuid",
    "group_replication_group_name",
    "group_replication_group_seeds",
];

const STATUS: &[&str] = &[
    "wsrep_cluster_state_uuid",
    "wsrep_gcomm_uuid",
    "wsrep_cluster_conf_id",
    "wsrep_cluster_size",
    "wsrep_cluster_status",
    "wsrep_local_state_comment",
    "wsrep_ready",
];

const GROUP_MEMBERS: &str = "\
    SELECT CAST(member_id AS CHAR), CAST(member_state AS CHAR) FROM performance_schema.replication_group_members \
    WHERE channel_name = 'group_replication_applier'";

const GROUP_VIEW: &str = "\
    SELECT CAST(view_id AS CHAR) FROM performance_schema.replication_group_member_stats \
    WHERE channel_name = 'group_replication_applier' AND member_id = @@server_uuid";

/// How a node of Galera sees its cluster.
///
/// <https://galeracluster.com/library/documentation/galera-status-variables.html>
fn galera(variables: &Shown, status: &Shown) -> Membership {
    let is = |name, expected: &str| {
        let value = status.get(name);
        (value != expected).then(|| format!("{name} is {}", if value.is_empty() { "hidden" } else { value }))
    };
    let known = |name| status.get(name).is_empty().then(|| format!("{name} is hidden"));
    let size = status.get("wsrep_cluster_size").parse();
    let trouble = (variables.get("wsrep_on") != "ON").then(|| "wsrep_on is OFF".to_owned());
    let trouble = trouble
        .or_else(|| variables.get("wsrep_sync_wait").is_empty().then(|| "it has no wsrep_sync_wait".to_owned()))
        .or_else(|| is("wsrep_cluster_status", "Primary"))
        .or_else(|| is("wsrep_local_state_comment", "Synced"))
        .or_else(|| is("wsrep_ready", "ON"))
        .or_else(|| known("wsrep_cluster_state_uuid"))
        .or_else(|| known("wsrep_gcomm_uuid"))
        .or_else(|| known("wsrep_cluster_conf_id"))
        .or_else(|| size.is_err().then(|| "wsrep_cluster_size is hidden".to_owned()))
        .or_else(|| absent(variables, "wsrep_cluster_address", *size.as_ref().unwrap_or(&0)));
    Membership {
        cluster: status.get("wsrep_cluster_state_uuid").to_owned(),
        node: status.get("wsrep_gcomm_uuid").to_owned(),
        view: status.get("wsrep_cluster_conf_id").to_owned(),
        members: Members::Count(size.unwrap_or(0)),
        trouble,
    }
}

/// How a member of a group sees the group.
///
/// <https://dev.mysql.com/doc/refman/8.4/en/performance-schema-replication-group-members-table.html>
fn group(variables: &Shown, members: &[[String; 2]], view: Option<String>) -> Membership {
    let trouble = members.iter().find(|[_, state]| state != "ONLINE").map(|[member, state]| match member.as_str() {
        "" => format!("group replication is {state}"),
        member => format!("the member {member} is {state}"),
    });
    let trouble = trouble
        .or_else(|| view.is_none().then(|| "it shows no view of the group".to_owned()))
        .or_else(|| absent(variables, "group_replication_group_seeds", members.len()));
    Membership {
        cluster: variables.get("group_replication_group_name").to_owned(),
        node: variables.get("server_uuid").to_owned(),
        view: view.unwrap_or_default(),
        members: Members::Named(members.iter().map(|[member, _]| member.clone()).collect()),
        trouble,
    }
}

/// Finds nodes that are away. A node that has lost the cluster keeps its open transactions, and may commit them when it is
/// back. The configuration is the only place that knows it.
fn absent(variables: &Shown, name: &str, members: usize) -> Option<String> {
    let addresses = variables.get(name);
    let addresses = addresses.strip_prefix("gcomm://").unwrap_or(addresses).split('?').next().unwrap_or_default();
    let addresses: BTreeSet<&str> = addresses.split(',').map(str::trim).filter(|address| !address.is_empty()).collect();
    (addresses.len() > members).then(|| {
        format!(
            "{name} names {} nodes, and {members} are in the cluster now. The others may come back with open \
             transactions. Start them, or remove them from the configuration",
            addresses.len()
        )
    })
}

fn hidden(variables: &Shown, error: &str) -> Membership {
    let reason = "it hides the members of its group: grant SELECT on performance_schema.* to the user of the task";
    Membership { trouble: Some(format!("{reason} ({error})")), ..group(variables, &[], None) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "8f48adc2-ed7d-11f1-a8e0-8b4a407dc76d";

    fn node(changes: &[(&str, &str)]) -> Membership {
        let status = [
            ("wsrep_cluster_state_uuid", UUID),
            ("wsrep_gcomm_uuid", "n1"),
            ("wsrep_cluster_conf_id", "3"),
            ("wsrep_cluster_size", "3"),
            ("wsrep_cluster_status", "Primary"),
            ("wsrep_local_state_comment", "Synced"),
            ("wsrep_ready", "ON"),
        ];
        let variables = [("wsrep_on", "ON"), ("wsrep_sync_wait", "0")];
        galera(&Shown::from_pairs(&variables, changes), &Shown::from_pairs(&status, changes))
    }

    #[test]
    fn a_node_of_galera() {
        let expected = Membership {
            cluster: UUID.into(),
            node: "n1".into(),
            view: "3".into(),
            members: Members::Count(3),
            trouble: None,
        };
        assert_eq!(node(&[]), expected);
        for (name, value, trouble) in [
            ("wsrep_local_state_comment", "Donor/Desynced", "wsrep_local_state_comment is Donor/Desynced"),
            ("wsrep_cluster_status", "non-Primary", "wsrep_cluster_status is non-Primary"),
            ("wsrep_ready", "OFF", "wsrep_ready is OFF"),
            ("wsrep_on", "OFF", "wsrep_on is OFF"),
            ("wsrep_cluster_size", "", "wsrep_cluster_size is hidden"),
            ("wsrep_gcomm_uuid", "", "wsrep_gcomm_uuid is hidden"),
            ("wsrep_cluster_status", "", "wsrep_cluster_status is hidden"),
            ("wsrep_sync_wait", "", "it has no wsrep_sync_wait"),
        ] {
            assert_eq!(node(&[(name, value)]).trouble.as_deref(), Some(trouble));
        }
        for (addresses, is_absent) in [
            ("gcomm://", false),
            ("gcomm://a", false),
            ("gcomm://a,b,c?pc.wait_prim=no", false),
            ("gcomm://a,b, b,c", false),
            ("gcomm://a:4567,b:4567,c:4567,d:4567", true),
        ] {
            assert_eq!(node(&[("wsrep_cluster_address", addresses)]).trouble.is_some(), is_absent, "{addresses}");
        }
    }

    #[test]
    fn a_member_of_a_group() {
        let variables = Shown::from_pairs(&[("group_replication_group_name", "g"), ("server_uuid", "a")], &[]);
        let seen = |members: &[(&str, &str)], view: Option<&str>| {
            let members: Vec<[String; 2]> =
                members.iter().map(|(id, state)| [id.to_string(), state.to_string()]).collect();
            group(&variables, &members, view.map(str::to_owned))
        };
        let expected = Membership {
            cluster: "g".into(),
            node: "a".into(),
            view: "7:3".into(),
            members: Members::Named(vec!["a".into(), "b".into()]),
            trouble: None,
        };
        assert_eq!(seen(&[("a", "ONLINE"), ("b", "ONLINE")], Some("7:3")), expected);
        let trouble = |members, view| seen(members, view).trouble.unwrap();
        assert_eq!(trouble(&[("a", "ONLINE"), ("b", "RECOVERING")], Some("7:3")), "the member b is RECOVERING");
        assert_eq!(trouble(&[("", "OFFLINE")], None), "group replication is OFFLINE");
        assert_eq!(trouble(&[("a", "ONLINE")], None), "it shows no view of the group");
        let seeds = [("group_replication_group_seeds", "a:33061,b:33061,c:33061")];
        let members = [["a", "ONLINE"], ["b", "ONLINE"]].map(|member| member.map(str::to_owned));
        assert!(group(&Shown::from_pairs(&seeds, &[]), &members, Some("7:3".into())).trouble.is_some());
        assert!(hidden(&variables, "denied").trouble.unwrap().ends_with("(denied)"));
    }
}
