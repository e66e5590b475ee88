//! What others may create in a database runs no code with the rights of the task's user, and changes no answer.

use diesel::connection::SimpleConnection;
use diesel_encrypted::discover::Discovery;
use diesel_encrypted::startup::StartupCheck;

use crate::backend::TestDatabase;
use crate::suite::program::fingerprint;
use crate::suite::program::vault::Vault;
use crate::suite::sql;
use crate::support::keys::keyring;
use crate::support::unique_name;

const OLD: u8 = 1;
const NEW: u8 = 2;

/// Shadows every function and operator of the server by one that fails, in a schema that comes first in the path.
///
/// A user needs only the right to create objects in that schema for the ones that fit a call better than the server's
/// own. With this path, even those that fit equally well are taken.
const TRAPS: &str = "
    do $traps$ declare it record; begin
        for it in
            select p.proname, pg_get_function_identity_arguments(p.oid) as arguments, p.prorettype::regtype as result
            from pg_proc p where p.pronamespace = 'pg_catalog'::regnamespace and p.prokind = 'f' and not p.proretset
              and p.proname not like '%recv' and p.proname not like '%send'
        loop
            begin
                execute format(
                    'create function public.%I(%s) returns %s language plpgsql as
                     $body$ begin raise exception ''the trap %s was sprung''; end $body$',
                    it.proname, it.arguments, it.result, it.proname);
            exception when others then null; -- A type that only the server's own functions may take.
            end;
        end loop;
        for it in
            select o.oprname, o.oprleft::regtype as l, o.oprright::regtype as r, o.oprcode::regproc as code, p.proname
            from pg_operator o join pg_proc p on p.oid = o.oprcode where o.oprnamespace = 'pg_catalog'::regnamespace
        loop
            begin
                execute format('create operator public.%s (%s rightarg = %s, function = public.%I)', it.oprname,
                    case it.l when '-'::regtype then '' else 'leftarg = ' || it.l || ',' end, it.r, it.proname);
            exception when others then null;
            end;
        end loop;
    end $traps$;
    create function public.trap(varchar, varchar) returns bool language plpgsql as
        $body$ begin raise exception 'the trap for varchar was sprung'; end $body$;
    create operator public.> (leftarg = varchar, rightarg = varchar, function = public.trap);
    create operator public.= (leftarg = varchar, rightarg = varchar, function = public.trap);
    create operator public.<= (leftarg = varchar, rightarg = varchar, function = public.trap);";

fn trapped() -> Vault {
    let vault = Vault::sealed(OLD, 1..=30);
    let conn = &mut vault.db.conn();
    // The traps on this type are the ones that are sprung on the usual path, with `pg_catalog` first.
    conn.batch_execute("alter table vault alter id type varchar(20), alter secret type varchar(400)").unwrap();
    conn.batch_execute(TRAPS).unwrap();
    let database = sql::text(conn, "select current_database()");
    conn.batch_execute(&format!("alter database {database} set search_path = public, pg_catalog")).unwrap();
    vault
}

#[test]
fn every_command_names_the_operators_and_functions_of_the_server() {
    let vault = trapped();
    let conn = &mut vault.db.conn();
    // The traps are live.
    for statement in ["select 1 + 1", "select 'a'::varchar > 'b'::varchar", "select current_setting('search_path')"] {
        let error = conn.batch_execute(statement).unwrap_err().to_string();
        assert!(error.contains("trap"), "{statement}: {error}");
    }
    let old = fingerprint(OLD);
    vault.program(&["reencrypt", "--dry-run"], &[NEW, OLD]).exits_with(3);
    vault.program(&["reencrypt", "--batch-size=7"], &[NEW, OLD]).exits_with(0);
    vault.program(&["status"], &[NEW]).exits_with(0);
    vault.program(&["retire", &old], &[NEW, OLD]).exits_with(0);
    let secret = || ["vault.secret".parse().unwrap()];
    let discovered = Discovery::new().declared(secret()).run(&vault.db.pool(1)).unwrap();
    assert!(discovered.columns.iter().any(|column| column.column == "photo" && column.tokens > 0));
    StartupCheck::new(keyring([NEW])).targets(secret()).run(&vault.db.pool(1)).unwrap();
    vault.bare_program(&["problems"], &[]).exits_with(0);
    vault.bare_program(&["stop"], &[]).exits_with(5).says("no process is working");
    let folder = tempfile::tempdir().unwrap();
    let guard = vault.bare_program(&["migration", "guard", "vault.secret", "--dir"], &[]).arg(folder.path());
    guard.exits_with(0);
    conn.batch_execute("set search_path = pg_catalog, public").unwrap();
    assert_eq!(sql::texts(conn, "select secret as line from vault").len(), 30);
    let column = ["--column", "vault.secret"];
    let decrypt = ["decrypt", "--write-plaintext", "vault.secret"];
    vault.bare_program(&[&decrypt[..], &column].concat(), &[NEW]).exits_with(0);
    vault.bare_program(&[&["encrypt"][..], &column].concat(), &[NEW]).exits_with(0);
}

fn state_tables_of(owner: &str, vault: &Vault) {
    vault.add_state_tables();
    let conn = &mut vault.db.conn();
    for table in ["run", "chunk", "problem"] {
        conn.batch_execute(&format!("alter table __diesel_encrypted_{table} owner to {owner}")).unwrap();
    }
}

/// A user who may create tables where the task looks for its own can be the first to create them.
#[test]
fn tables_of_the_task_that_belong_to_somebody_else() {
    let vault = Vault::sealed(OLD, 1..=3);
    let conn = &mut vault.db.conn();
    let mallory = format!("{}_mallory", unique_name());
    conn.batch_execute(&format!("create role {mallory} login; grant create on schema public to {mallory}")).unwrap();
    state_tables_of(&mallory, &vault);
    let reason = format!("its owner is {mallory}, who owns neither the schema nor the database");
    for command in ["reencrypt", "encrypt"] {
        vault.program(&[command], &[NEW, OLD]).exits_with(5).says(&reason);
    }
    for command in ["pause", "problems"] {
        vault.bare_program(&[command], &[]).exits_with(5).says(&reason);
    }
    assert!(vault.rows().iter().all(|row| row.is_readable(&[OLD])));
    // The owner of the schema, and the user of the task, are trusted.
    conn.batch_execute(&format!("alter schema public owner to {mallory}")).unwrap();
    vault.program(&["reencrypt"], &[NEW, OLD]).exits_with(0);
    conn.batch_execute("alter schema public owner to current_user").unwrap();
    state_tables_of("current_user", &vault);
    vault.program(&["reencrypt"], &[OLD, NEW]).exits_with(0);
    conn.batch_execute(&format!("drop owned by {mallory}; drop role {mallory}")).unwrap();
}

#[test]
fn tables_of_the_task_that_would_run_code() {
    let db = TestDatabase::new();
    let conn = &mut db.conn();
    conn.batch_execute("create function note() returns trigger language plpgsql as $$ begin return new; end $$")
        .unwrap();
    let cases = [
        ("create trigger t before update on TABLE for each statement execute function note()", "it has triggers"),
        ("create rule r as on update to TABLE do also select 1", "it has rules"),
        ("alter table TABLE enable row level security", "it has policies"),
        ("create table child () inherits (TABLE)", "it inherits"),
    ];
    for (change, reason) in cases {
        let vault = Vault::shared(OLD, 1..=3);
        let conn = &mut vault.db.conn();
        conn.batch_execute("create function note() returns trigger language plpgsql as $$ begin return new; end $$")
            .unwrap();
        conn.batch_execute(&change.replace("TABLE", "__diesel_encrypted_chunk")).unwrap();
        let run = vault.program(&["reencrypt"], &[NEW, OLD]).exits_with(5);
        run.says("the task does not use the table public.__diesel_encrypted_chunk as its own").says(reason);
    }
}
