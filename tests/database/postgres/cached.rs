//! PostgreSQL refuses a prepared statement once the type of a column that it returns has changed.

use diesel::connection::{CacheSize, SimpleConnection};

use crate::suite::program::guard::Migrations;
use crate::suite::program::pooled::{Application, as_adopting, program};

/// Every use of a connection fails, until the application closes it. The statement is prepared again only there.
#[test]
fn a_change_of_the_type_fails_every_request_until_the_connections_are_closed() {
    Application::run("varchar(421)", CacheSize::Unbounded, |application, db| {
        let widen = || db.conn().batch_execute("alter table people alter email type text").unwrap();
        let (_, failed) = application.during("adoption 2, make room", widen);
        assert!(failed > 0);
        assert_eq!(application.during("adoption 2, afterwards", || {}).0, 0, "some connection has recovered");
        application.restart(CacheSize::Unbounded);
        application.during("adoption 2, restart", || {});
        application.unharmed("adoption 2, after the restart", || {});

        application.deploy(as_adopting, &[1]);
        program(db, "people.email", &["encrypt", "--accept-tokens"], &[1]).exits_with(0);
        let guards = Migrations::written(db, &["people.email", "--domain"]);
        let (_, failed) = application.during("adoption 12, a domain", || guards.run(&mut db.conn()).unwrap());
        assert!(failed > 0);
        assert_eq!(application.during("adoption 12, afterwards", || {}).0, 0, "some connection has recovered");
    });
}

/// The way without errors: an application without cached statements, until the type has changed.
#[test]
fn without_cached_statements_a_change_of_the_type_fails_no_request() {
    Application::run("varchar(421)", CacheSize::Disabled, |application, db| {
        let widen = || db.conn().batch_execute("alter table people alter email type text").unwrap();
        application.unharmed("adoption 2, make room without cached statements", widen);
        application.restart(CacheSize::Unbounded);
        application.unharmed("adoption 2, with cached statements again", || {});
    });
}
