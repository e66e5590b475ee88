//! How MySQL and MariaDB spell SQL.

use diesel::mysql::Mysql;

use crate::database::{Flavor, Language};

impl Language for Mysql {
    // The run is safe only in transactions, whatever the default engine of the server is.
    const TABLE_OPTIONS: &'static str = " ENGINE=InnoDB";
    const FLAVOR: Flavor = Flavor::Mysql;
    const SCHEMES: &'static [&'static str] = &["mysql"];
    const QUOTE: char = '`';
    const FOLDS_CASE: bool = true;
    const ROW_VALUES: bool = false;
    const NOW: &'static str = "CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS UNSIGNED)";
    const TEXT: &'static str = "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
}
