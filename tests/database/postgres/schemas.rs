//! Tables with the same name in several schemas.

use diesel::connection::SimpleConnection;

use crate::suite::program::vault::Vault;
use crate::suite::sql::text;
use crate::support::keys::keyring;

/// Whether the token in `SCHEMA.vault` is under this key.
fn is_under(vault: &Vault, schema: &str, key: u8) -> bool {
    let token = text(&mut vault.db.conn(), &format!("select secret from {schema}.vault"));
    keyring([key]).decrypt(token.as_bytes()).is_ok()
}

#[test]
fn a_column_belongs_to_the_named_schema() {
    let vault = Vault::sealed(1, 1..=1);
    let sql = "create schema app; create table app.vault as select * from public.vault;
               alter table app.vault add primary key (id);
               create schema \"Odd.One\"; create table \"Odd.One\".vault as select * from public.vault;
               alter table \"Odd.One\".vault add primary key (id)";
    vault.db.conn().batch_execute(sql).unwrap();
    let schemas = ["app", "public", "\"Odd.One\""];
    let reencrypt =
        |column: &str| vault.bare_program(&["reencrypt", "--json", "--column", column], &[2, 1]).exits_with(0).json();

    let json = reencrypt("app.vault.secret");
    assert_eq!(json["columns"][0]["table"], "app.vault");
    assert_eq!(schemas.map(|schema| is_under(&vault, schema, 2)), [true, false, false]);
    let json = reencrypt("vault.secret");
    assert_eq!(json["columns"][0]["table"], "public.vault");
    assert_eq!(schemas.map(|schema| is_under(&vault, schema, 2)), [true, true, false]);
    let json = reencrypt("\"Odd.One\".vault.secret");
    assert_eq!(json["columns"][0]["table"], "\"Odd.One\".vault");
    assert_eq!(schemas.map(|schema| is_under(&vault, schema, 2)), [true, true, true]);
}
