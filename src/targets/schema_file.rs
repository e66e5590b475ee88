//! Targets from the `table!` declarations in a schema file, which is the register of encrypted columns.

use std::path::{Path, PathBuf};

use diesel_table_macro_syntax::{ColumnDef, TableDecl};
use syn::visit::Visit;

use crate::keys::debug_is_display;
use crate::targets::{TableName, Target};

impl Target {
    /// The encrypted columns of every `table!` in a schema file, as `diesel print-schema` writes it.
    ///
    /// A column is encrypted if its type is `EncryptedText`, `EncryptedBinary`, or `Nullable` or `Array` of one, with any path. The
    /// list is empty if there is no such column.
    ///
    /// # Errors
    ///
    /// [`SchemaFileError`] if the file cannot be read or is not Rust.
    pub fn from_schema_file(path: impl AsRef<Path>) -> Result<Vec<Self>, SchemaFileError> {
        let path = path.as_ref();
        let read = std::fs::read_to_string(path);
        let text = read.map_err(|error| SchemaFileError::Unreadable { path: path.into(), error })?;
        Self::from_schema(&text).map_err(|error| match error {
            SchemaError::Syntax(error) => SchemaFileError::Syntax { path: path.into(), error: error.to_string() },
            SchemaError::ModuleElsewhere(module) => SchemaFileError::ModuleElsewhere { path: path.into(), module },
        })
    }

    /// The schema files that `diesel.toml` names.
    ///
    /// This reads the `diesel.toml` in `folder` or in the nearest folder above it. It returns every `file` of
    /// `[print_schema]` and `[print_schema.NAME]`, relative to `diesel.toml`.
    ///
    /// # Errors
    ///
    /// [`SchemaFileError`] if there is no `diesel.toml`, if it cannot be read, or if it names no schema file.
    pub fn schema_files(folder: impl AsRef<Path>) -> Result<Vec<PathBuf>, SchemaFileError> {
        let found = folder.as_ref().ancestors().map(|folder| folder.join("diesel.toml")).find(|path| path.is_file());
        let path = found.ok_or(SchemaFileError::NoDieselToml)?;
        let read = std::fs::read_to_string(&path);
        let text = read.map_err(|error| SchemaFileError::Unreadable { path: path.clone(), error })?;
        let toml: toml::Table = text
            .parse()
            .map_err(|error| SchemaFileError::Toml { path: path.clone(), error: toml::de::Error::to_string(&error) })?;
        let print_schema = toml.get("print_schema").and_then(toml::Value::as_table);
        let named = print_schema.iter().flat_map(|table| table.values()).filter_map(toml::Value::as_table);
        let folder = path.parent().unwrap_or(Path::new(""));
        let files: Vec<PathBuf> = print_schema
            .into_iter()
            .chain(named)
            .filter_map(|table| table.get("file")?.as_str())
            .map(|file| folder.join(file))
            .collect();
        if files.is_empty() { Err(SchemaFileError::NoSchemaFile { path }) } else { Ok(files) }
    }

    fn from_schema(text: &str) -> Result<Vec<Self>, SchemaError> {
        let mut tables = Tables { found: Ok(Vec::new()) };
        tables.visit_file(&syn::parse_file(text).map_err(SchemaError::Syntax)?);
        tables.found
    }
}

/// Why the encrypted columns cannot be read from a schema file.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SchemaFileError {
    /// A file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The schema file is not Rust, or it contains a `table!` that Diesel does not accept.
    #[error("{} is not a Diesel schema file: {error}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        error: String,
    },
    /// `diesel.toml` is not TOML.
    #[error("{} is not a Diesel configuration: {error}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        error: String,
    },
    /// There is no `diesel.toml`.
    #[error("no diesel.toml in this folder or above: name the schema file or the columns")]
    NoDieselToml,
    /// `diesel.toml` names no schema file.
    #[error("{} names no schema file: set `file` in [print_schema], or name the columns", path.display())]
    NoSchemaFile {
        /// The file.
        path: PathBuf,
    },
    /// A module of the schema is in another file, so that its tables would be missed.
    #[error("{}: the module {module} is in a file of its own, which is not read. Name that file too", path.display())]
    ModuleElsewhere {
        /// The file.
        path: PathBuf,
        /// The module.
        module: String,
    },
}

debug_is_display!(SchemaFileError);

enum SchemaError {
    Syntax(syn::Error),
    ModuleElsewhere(String),
}

/// Collects targets from every `table!` of a file, including those in modules.
struct Tables {
    found: Result<Vec<Target>, SchemaError>,
}

impl<'ast> Visit<'ast> for Tables {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if module.content.is_none() && self.found.is_ok() {
            self.found = Err(SchemaError::ModuleElsewhere(module.ident.to_string()));
        }
        syn::visit::visit_item_mod(self, module);
    }

    fn visit_macro(&mut self, makro: &'ast syn::Macro) {
        if makro.path.segments.last().is_none_or(|segment| segment.ident != "table") {
            return;
        }
        let Ok(found) = &mut self.found else { return };
        match syn::parse2::<TableDecl>(makro.tokens.clone()).map_err(SchemaError::Syntax).and_then(target) {
            Ok(target) => found.extend(target),
            Err(error) => self.found = Err(error),
        }
    }
}

fn target(declaration: TableDecl) -> Result<Option<Target>, SchemaError> {
    let mut columns = Vec::new();
    for column in &declaration.column_defs {
        let types = type_names(column);
        if types.iter().any(|name| name == "EncryptedText" || name == "EncryptedBinary") {
            columns.push(column.sql_name.clone());
        }
    }
    let table = match declaration.schema {
        Some(schema) => TableName::in_schema(schema.to_string(), declaration.sql_name),
        None => TableName::new(declaration.sql_name),
    };
    Ok(Target::named(table, columns).ok())
}

/// The names in the type of a column: `Nullable<a::b::EncryptedText>` has `["Nullable", "EncryptedText"]`.
fn type_names(column: &ColumnDef) -> Vec<String> {
    struct Names(Vec<String>);
    impl Visit<'_> for Names {
        fn visit_path(&mut self, path: &syn::Path) {
            self.0.extend(path.segments.last().map(|segment| segment.ident.to_string()));
            syn::visit::visit_path(self, path);
        }
    }
    let mut names = Names(Vec::new());
    names.visit_type_path(&column.tpe);
    names.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"
        // @generated automatically by Diesel CLI.
        pub mod app {
            pub mod sql_types {
                #[derive(diesel::sql_types::SqlType)]
                #[diesel(postgres_type(name = "mood", schema = "app"))]
                pub struct Mood;
            }
            diesel::table! {
                use diesel::sql_types::*;
                use diesel_encrypted::sql_types::*;

                app.users (id) {
                    id -> Int8,
                    #[max_length = 40]
                    name -> Varchar,
                    #[sql_name = "type"]
                    type_ -> EncryptedText,
                    phone -> Nullable<diesel_encrypted::sql_types::EncryptedText>,
                }
            }
        }
        diesel::table! { plain (id) { id -> Int8, secret -> Text, } }
        diesel::table! { posts (tenant, slug) { tenant -> Int8, slug -> Text, tags -> Array<Nullable<EncryptedText>>, } }
        diesel::joinable!(posts -> users (tenant));
        diesel::allow_tables_to_appear_in_same_query!(users, posts,);
    "#;

    #[test]
    fn finds_encrypted_columns() {
        let targets = Target::from_schema(SCHEMA).ok().unwrap();
        let users = Target::named(TableName::in_schema("app", "users"), ["type", "phone"]).unwrap();
        let posts = Target::named(TableName::new("posts"), ["tags"]).unwrap();
        assert_eq!(targets, [users, posts]);
    }

    #[test]
    fn says_what_is_wrong_with_a_schema() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("schema.rs");
        let message = || Target::from_schema_file(&path).unwrap_err().to_string();
        assert!(message().starts_with("cannot read "), "{}", message());
        std::fs::write(&path, "diesel::table! { users (id) { id -> } }").unwrap();
        assert!(message().contains("schema.rs is not a Diesel schema file: "), "{}", message());
        std::fs::write(&path, "mod users;").unwrap();
        assert!(message().contains("the module users is in a file of its own"), "{}", message());
    }

    #[test]
    fn finds_the_schema_files_of_diesel_toml() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("a/b");
        std::fs::create_dir_all(&below).unwrap();
        let toml = folder.path().join("diesel.toml");
        std::fs::write(&toml, "[print_schema]\nfile = \"src/schema.rs\"\n[print_schema.other]\nfile = \"x.rs\"\n")
            .unwrap();
        let files = Target::schema_files(&below).unwrap();
        assert_eq!(files, [folder.path().join("src/schema.rs"), folder.path().join("x.rs")]);
        std::fs::write(&toml, "[print_schema]\n").unwrap();
        let error = Target::schema_files(&below).unwrap_err().to_string();
        assert!(error.contains("names no schema file"), "{error}");
    }
}
