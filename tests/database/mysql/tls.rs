//! A URL that asks for TLS gets TLS, or a refusal.

use std::path::Path;
use std::process::Command;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_encrypted::reencrypt::check_tls;

use crate::support::keys::key;
use crate::support::private_server::PrivateServer;
use crate::support::runner::{Program, REFUSED};

fn text(number: u8) -> String {
    key(number).to_text().to_string()
}

/// An authority, and a certificate for a server that it has signed.
fn certificates(folder: &Path) {
    for arguments in [
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem",
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=another -keyout another.key -out another.pem",
        "req -newkey rsa:2048 -nodes -subj /CN=server -keyout key.pem -out request.pem",
        "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out server.pem",
    ] {
        let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    // The server runs as another user.
    for name in ["", "ca.pem", "key.pem", "server.pem"] {
        crate::support::runner::permit(folder.join(name), 0o755);
    }
}

fn table(server: &PrivateServer) {
    let conn = &mut MysqlConnection::establish(&server.url("mysql")).unwrap();
    conn.batch_execute("create database app; create table app.t (id int primary key, secret text)").unwrap();
}

#[test]
fn tls_that_was_asked_for_is_tls_or_a_refusal() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let option = |option: &str, name: &str| format!("--ssl-{option}={}", file(name));
    let options = [option("ca", "ca.pem"), option("cert", "server.pem"), option("key", "key.pem")];
    let with_tls = PrivateServer::mysql(&options.each_ref().map(String::as_str));
    let without = PrivateServer::mysql(&["--skip-ssl"]);
    [&with_tls, &without].into_iter().for_each(table);
    let ca = format!("ssl_ca={}", file("ca.pem"));
    let another = format!("ssl_ca={}", file("another.pem"));
    let is_libmariadb = !mysqlclient_sys::SUPPORTS_MYSQL_SSL_MODE;
    let status = |server: &PrivateServer, query: &str| {
        let url = format!("{}?{query}", server.url("app"));
        Program::new(["status", "--column", "t.secret"]).set("DB_ENCRYPTION_KEYS", text(1)).database(&url).run()
    };
    let refusal = "is not encrypted, although its URL asks for TLS";
    for query in ["ssl_mode=required", "ssl_mode=REQUIRED", "ssl%5Fmode=%72equired", &ca] {
        let run = status(&without, query);
        // libmysqlclient refuses to connect.
        let is_refused = run.code == REFUSED && run.stderr.contains(refusal);
        assert!(is_refused || (!is_libmariadb && run.code == 7), "{query}: {run:?}");
    }
    for query in ["", "ssl_mode=disabled", "ssl_mode=preferred"] {
        assert_eq!(status(&without, query).code, 0, "{query}");
        assert_eq!(status(&with_tls, query).code, 0, "{query}");
    }
    for query in [ca.clone(), format!("ssl_mode=required&{ca}"), format!("ssl_mode=verify_ca&{ca}")] {
        assert_eq!(status(&with_tls, &query).code, 0, "{query}");
    }
    assert_eq!(status(&with_tls, &another).code, 7);
    if is_libmariadb {
        for query in ["ssl_mode=verify_identity".to_owned(), format!("ssl_mode=Verify_Identity&{ca}")] {
            let run = status(&with_tls, &query);
            assert!(run.code == REFUSED && run.stderr.contains("built with libmariadb"), "{query}: {run:?}");
        }
        assert_eq!(status(&with_tls, "ssl_mode=verify_ca").code, REFUSED);
        // It ignores the setting, and connects in clear text.
        let run = status(&with_tls, "ssl_mode=required");
        assert!(run.code == REFUSED && run.stderr.contains(refusal), "{run:?}");
    }

    // The replica answers without TLS.
    let reencrypt = |replica: String| {
        let keys = [text(2), text(1)].join(":");
        let program = Program::new(["reencrypt", "--column", "t.secret"]).set("DB_ENCRYPTION_KEYS", keys);
        program.database(&with_tls.url("app")).set("DB_REPLICA_URLS", replica)
    };
    let run = reencrypt(format!("{}?ssl_ca={}", without.url("app"), file("ca.pem"))).exits_with(REFUSED);
    run.says(&format!("the connection to {} {refusal}", without.address()));

    // The library
    let url = with_tls.url("app");
    let conn = &mut MysqlConnection::establish(&url).unwrap();
    check_tls(conn, &url).unwrap();
    let asked = format!("{url}?ssl_mode=required");
    assert!(check_tls(conn, &asked).unwrap_err().is_refused());
    let encrypted = format!("{url}?{ca}");
    check_tls(&mut MysqlConnection::establish(&encrypted).unwrap(), &encrypted).unwrap();
}
