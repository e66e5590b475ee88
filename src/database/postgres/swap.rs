//! Writing a batch to PostgreSQL: one statement of constant text, with an array per column.

use diesel::RunQueryDsl;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::{Error as DieselError, QueryResult};
use diesel::sql_types::{self, BigInt, Binary, Nullable, Text};

use crate::database::postgres::rows::{cast, push_key_cast, text};
use crate::database::quote::{push_all, push_column, quoted};
use crate::database::sql::runtime_statement;
use crate::database::swap::{push_assignments, push_key_match, push_rows_of, push_unless_exempt, value_names};
use crate::database::{Change, Checkpoint, Conn, PlannedColumn, PlannedTable, SwapRows};
use crate::fields::Array;
use crate::keys::fernet::shape::filled;
use crate::keys::fernet::shape::postgres::is_plaintext;

impl SwapRows for Pg {
    const BATCH: usize = 1000;
    const MAX_BINDS: usize = usize::MAX;
    const STATEMENT_LIMIT: &'static str = "1 GB";

    /// The server closes a connection on which a message is longer.
    fn longest_statement<C: Conn<Self>>(_conn: &mut C) -> QueryResult<u64> {
        Ok((1 << 30) - (1 << 20))
    }

    fn swap<C: Conn<Self>>(
        conn: &mut C,
        table: &PlannedTable,
        changes: &[Change],
        checkpoint: Option<&Checkpoint>,
        skips_locked: bool,
    ) -> QueryResult<Option<usize>> {
        let swapped = SwapStatement::new(table, changes, checkpoint, skips_locked)?.execute(conn)?;
        // If nothing was swapped, either no row matched or the claim is gone.
        let is_taken = match checkpoint {
            Some(checkpoint) if swapped == 0 => !checkpoint.write(conn)?,
            _ => false,
        };
        Ok((!is_taken).then_some(swapped))
    }
}

/// `UPDATE … FROM unnest(keys, old tokens, new tokens) WHERE key = … AND column = old`, together with the checkpoint. One
/// statement is one transaction.
struct SwapStatement<'a> {
    table: &'a PlannedTable,
    checkpoint: Option<(i64, &'a Checkpoint)>,
    skips_locked: bool,
    /// One array per column of the row key.
    keys: Vec<Vec<&'a str>>,
    /// Old and new tokens per encrypted column; `NULL` for rows that keep their token.
    tokens: Vec<(Tokens<'a>, Tokens<'a>)>,
}

enum Tokens<'a> {
    Text(Vec<Option<&'a str>>),
    Binary(Vec<Option<&'a [u8]>>),
    /// Arrays, as literals.
    Literals(Vec<Option<String>>),
}

impl<'a> SwapStatement<'a> {
    fn new(
        table: &'a PlannedTable,
        changes: &'a [Change],
        checkpoint: Option<&'a Checkpoint>,
        skips_locked: bool,
    ) -> QueryResult<Self> {
        let number = |claim: u64| i64::try_from(claim).map_err(|error| DieselError::QueryBuilderError(error.into()));
        let checkpoint = checkpoint.map(|at| QueryResult::Ok((number(at.claim)?, at))).transpose()?;
        let key = |index: usize| changes.iter().map(|change| text(&change.key[index]).map(String::as_str)).collect();
        let keys = (0..table.row_key.len()).map(key).collect::<QueryResult<_>>()?;
        let tokens = table.columns.iter().enumerate().map(|(index, column)| {
            let swaps = || changes.iter().map(move |change| change.swaps[index].as_ref());
            let old = swaps().map(|swap| swap.map(|swap| swap.old.bytes.as_slice()));
            let new = swaps().map(|swap| swap.map(|swap| swap.new.bytes.as_slice()));
            Ok(match column.is_array {
                false => (Tokens::new(column.is_text, old)?, Tokens::new(column.is_text, new)?),
                true => (Tokens::new(false, old)?, Tokens::literals(column.is_text, new)?),
            })
        });
        Ok(Self { table, checkpoint, skips_locked, keys, tokens: tokens.collect::<QueryResult<_>>()? })
    }
}

impl<'a> Tokens<'a> {
    fn new(is_text: bool, tokens: impl Iterator<Item = Option<&'a [u8]>>) -> QueryResult<Self> {
        if !is_text {
            return Ok(Self::Binary(tokens.collect()));
        }
        let text =
            |token: &'a [u8]| std::str::from_utf8(token).map_err(|error| DieselError::QueryBuilderError(error.into()));
        tokens.map(|token| token.map(text).transpose()).collect::<QueryResult<_>>().map(Self::Text)
    }

    fn literals(is_text: bool, arrays: impl Iterator<Item = Option<&'a [u8]>>) -> QueryResult<Self> {
        let literal = |bytes: &[u8]| {
            let literal = Array::parse(bytes).and_then(|array| array.literal(is_text));
            literal.ok_or_else(|| DieselError::QueryBuilderError("an array has no literal".into()))
        };
        arrays.map(|array| array.map(literal).transpose()).collect::<QueryResult<_>>().map(Self::Literals)
    }

    fn push<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        match self {
            Self::Text(tokens) => out.push_bind_param::<sql_types::Array<Nullable<Text>>, _>(tokens),
            Self::Binary(tokens) => out.push_bind_param::<sql_types::Array<Nullable<Binary>>, _>(tokens),
            Self::Literals(arrays) => out.push_bind_param::<sql_types::Array<Nullable<Text>>, _>(arrays),
        }
    }
}

impl SwapStatement<'_> {
    /// Pushes the changes as the rows of a table `v`.
    fn push_values<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("unnest(");
        push_all(&self.keys, ", ", out, |keys, out| out.push_bind_param::<sql_types::Array<Text>, _>(keys))?;
        for (old, new) in &self.tokens {
            out.push_sql(", ");
            old.push(out)?;
            out.push_sql(", ");
            new.push(out)?;
        }
        out.push_sql(") AS v (");
        out.push_sql(&value_names(self.table));
        out.push_sql(")");
        Ok(())
    }

    /// Pushes `key = … AND column = old`.
    fn push_condition(&self, out: &mut AstPass<'_, '_, Pg>) -> QueryResult<()> {
        push_key_match(self.table, push_key_cast, out)?;
        for (index, column) in self.table.columns.iter().enumerate() {
            out.push_sql(&format!(" AND (v.n{index} IS NULL OR "));
            // Compares byte for byte, because the column's type or collation may treat different bytes as equal.
            let (before, after) = match (column.is_array, column.is_text) {
                (true, _) => ("array_send(", ")"),
                (false, true) => ("", " COLLATE \"C\""),
                (false, false) => ("", ""),
            };
            out.push_sql(before);
            push_column(&column.name, out)?;
            out.push_sql(cast(column));
            out.push_sql(after);
            out.push_sql(&format!(" = v.o{index})"));
            let value = format!("t.{}", quoted::<Pg>(&column.name));
            push_unless_exempt(column, index, &filled(is_plaintext(column.is_text), &value), out);
        }
        Ok(())
    }
}

impl QueryFragment<Pg> for SwapStatement<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let mut clause = "WITH ";
        if let Some((claim, checkpoint)) = &self.checkpoint {
            out.push_sql(clause);
            out.push_sql("claim AS (");
            out.push_sql(&checkpoint.update());
            out.push_sql(" ");
            out.push_bind_param::<Text, _>(&checkpoint.progress)?;
            out.push_sql(" WHERE claim = ");
            out.push_bind_param::<BigInt, _>(claim)?;
            out.push_sql(" RETURNING 1)");
            clause = ", ";
        }
        // If the claim is gone, the join is empty and nothing changes.
        let from_claim = if self.checkpoint.is_some() { " FROM claim, " } else { " FROM " };
        if self.skips_locked {
            out.push_sql(clause);
            // MATERIALIZED locks the rows once. NO KEY still allows others to insert rows that refer to these.
            out.push_sql("free AS MATERIALIZED (SELECT v.*");
            out.push_sql(from_claim);
            push_rows_of(self.table, &mut out)?;
            out.push_sql(" AS t, ");
            self.push_values(&mut out)?;
            out.push_sql(" WHERE ");
            self.push_condition(&mut out)?;
            out.push_sql(" FOR NO KEY UPDATE OF t SKIP LOCKED)");
        }
        out.push_sql(" UPDATE ");
        push_rows_of(self.table, &mut out)?;
        out.push_sql(" AS t SET ");
        push_assignments(self.table, |name, out| out.push_identifier(name), array_cast, &mut out)?;
        if self.skips_locked {
            out.push_sql(" FROM free AS v");
        } else {
            out.push_sql(from_claim);
            self.push_values(&mut out)?;
        }
        out.push_sql(" WHERE ");
        self.push_condition(&mut out)
    }
}

runtime_statement!(SwapStatement<'_>);

/// The cast from the literal of an array, which both sides of a `coalesce` need.
fn array_cast(column: &PlannedColumn) -> &'static str {
    if column.is_array { cast(column) } else { "" }
}
