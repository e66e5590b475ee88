//! A cluster in which every node can write, as its nodes see it.

/// How a node sees its cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The identity of the cluster.
    pub(crate) cluster: String,
    /// The identity of this node in the cluster.
    pub(crate) node: String,
    /// The version of the list of members. It changes whenever a node joins or leaves.
    pub(crate) view: String,
    pub(crate) members: Members,
    /// Why this node cannot answer for what it holds: it has lost the others, for instance.
    pub(crate) trouble: Option<String>,
}

/// The members of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Members {
    /// Only their number is known.
    #[cfg_attr(not(any(feature = "mysql", test)), expect(dead_code))]
    Count(usize),
    /// Their identities.
    #[cfg_attr(not(any(feature = "mysql", test)), expect(dead_code))]
    Named(Vec<String>),
}

/// What is wrong with a set of nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// The named server is no member of the cluster, for this reason.
    NoMember { node: String, reason: String },
    /// The cluster has more members than the ones that are named.
    Missing { seen: usize, all: usize },
    /// A node cannot answer for what it holds, or cannot be asked.
    Trouble { node: String, reason: String },
}

impl Membership {
    /// Compares the members of the cluster of the first server with the servers that are named, by their identities. The
    /// first server may be among them.
    ///
    /// `first` is `None` if that server is on its own. A named server that cannot be asked is an `Err` with the reason.
    pub(crate) fn compare(first: Option<&Self>, named: &[(String, Result<Option<Self>, String>)]) -> Result<(), Flaw> {
        let Some(first) = first else {
            return match named.first() {
                None => Ok(()),
                Some((node, _)) => {
                    let reason = "the server of the database is in no cluster".to_owned();
                    Err(Flaw::NoMember { node: node.clone(), reason })
                }
            };
        };
        let mut seen = vec![first];
        for (node, answer) in named {
            let no_member = |reason: &str| Err(Flaw::NoMember { node: node.clone(), reason: reason.to_owned() });
            match answer {
                Err(_) => {}
                Ok(None) => return no_member("it is in no cluster"),
                Ok(Some(member)) if member.cluster != first.cluster => return no_member("it is in another cluster"),
                Ok(Some(member)) if seen.iter().all(|known| known.node != member.node) => seen.push(member),
                Ok(Some(_)) => {}
            }
        }
        let trouble =
            |node: &str, reason: &str| Err(Flaw::Trouble { node: node.to_owned(), reason: reason.to_owned() });
        if let Some(reason) = &first.trouble {
            return trouble("of the database", reason);
        }
        for (node, answer) in named {
            match answer {
                Err(reason) => return trouble(node, &format!("it does not answer: {reason}")),
                Ok(Some(Self { trouble: Some(reason), .. })) => return trouble(node, reason),
                Ok(Some(member)) if member.view != first.view => {
                    return trouble(node, "its list of members is not that of the first node");
                }
                Ok(_) => {}
            }
        }
        let all = match &first.members {
            Members::Count(count) => *count,
            Members::Named(members) => {
                seen.retain(|known| members.contains(&known.node));
                members.len()
            }
        };
        if seen.len() == all { Ok(()) } else { Err(Flaw::Missing { seen: seen.len(), all }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, members: Members) -> Membership {
        Membership { cluster: "c".into(), node: name.into(), view: "7".into(), members, trouble: None }
    }

    fn three(name: &str) -> Membership {
        node(name, Members::Count(3))
    }

    fn compare(first: &Membership, named: Vec<Membership>) -> Result<(), Flaw> {
        let named = named.into_iter().map(|member| (format!("host-{}", member.node), Ok(Some(member))));
        Membership::compare(Some(first), &named.collect::<Vec<_>>())
    }

    #[test]
    fn every_member_must_be_seen() {
        assert_eq!(compare(&three("a"), vec![three("b"), three("c")]), Ok(()));
        assert_eq!(
            compare(&three("a"), vec![three("c"), three("a"), three("b")]),
            Ok(()),
            "the first node may be named"
        );
        let missing = |seen| Err(Flaw::Missing { seen, all: 3 });
        assert_eq!(compare(&three("a"), vec![]), missing(1));
        assert_eq!(compare(&three("a"), vec![three("b")]), missing(2));
        assert_eq!(compare(&three("a"), vec![three("b"), three("b")]), missing(2), "two addresses of one node");
        assert_eq!(compare(&node("a", Members::Count(1)), vec![]), Ok(()));
    }

    #[test]
    fn members_are_compared_by_identity_where_the_list_has_it() {
        let named = |name: &str| node(name, Members::Named(vec!["a".into(), "b".into()]));
        assert_eq!(compare(&named("a"), vec![named("b")]), Ok(()));
        assert_eq!(compare(&named("a"), vec![]), Err(Flaw::Missing { seen: 1, all: 2 }));
        assert_eq!(compare(&named("a"), vec![named("x")]), Err(Flaw::Missing { seen: 1, all: 2 }), "not in the list");
    }

    #[test]
    fn a_server_that_is_no_member() {
        let reason = |flaw| match flaw {
            Err(Flaw::NoMember { node, reason }) => format!("{node}: {reason}"),
            other => format!("{other:?}"),
        };
        let other = Membership { cluster: "d".into(), ..three("b") };
        assert_eq!(reason(compare(&three("a"), vec![other])), "host-b: it is in another cluster");
        let alone = [("host".to_owned(), Ok(None))];
        assert_eq!(reason(Membership::compare(Some(&three("a")), &alone)), "host: it is in no cluster");
        assert_eq!(reason(Membership::compare(None, &alone)), "host: the server of the database is in no cluster");
        assert_eq!(Membership::compare(None, &[]), Ok(()));
    }

    /// A full list of names does not help if one of them cannot answer for its data.
    #[test]
    fn a_node_in_trouble() {
        let donor = |name| Membership { trouble: Some("Donor".into()), ..three(name) };
        let stale = Membership { view: "6".into(), ..three("c") };
        let first = three("a");
        for (result, node) in [
            (compare(&donor("a"), vec![three("b"), three("c")]), "of the database"),
            (compare(&first, vec![three("b"), donor("c")]), "host-c"),
            (compare(&first, vec![three("b"), stale]), "host-c"),
            (Membership::compare(Some(&first), &[("host-d".into(), Err("refused".into()))]), "host-d"),
        ] {
            assert!(matches!(&result, Err(Flaw::Trouble { node: found, .. }) if found == node), "{result:?}");
        }
    }
}
