//! Parts of the settings, for commands that need no others. A command that only reads the ledger
//! does not require the tenant's credentials.

use std::ffi::OsString;
use std::path::Path;

use super::error::ConfigErrors;
use super::layers::Layers;
use super::reader::Reader;
use super::{AdminSettings, LedgerSettings, http, ledger};

/// Reads `[database]`, `[secrets]` and `[ledger]`.
///
/// # Errors
/// The errors of these sections, and every unknown key.
pub fn load_ledger(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<LedgerSettings, ConfigErrors> {
    load_part(file, environment, &["database", "secrets", "ledger"], ledger::read)
}

/// Reads `[admin]`.
///
/// # Errors
/// The errors of this section, and every unknown key.
pub fn load_admin(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<AdminSettings, ConfigErrors> {
    load_part(file, environment, &["admin"], |reader| Some(http::read_admin(reader)))
}

/// Runs `read`, and leaves out the errors of other sections.
fn load_part<T>(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    sections: &[&str],
    read: impl FnOnce(&mut Reader<'_>) -> Option<T>,
) -> Result<T, ConfigErrors> {
    let mut errors = ConfigErrors::default();
    let layers = Layers::read(file, environment, &mut errors);
    errors.retain(|error| !layers.is_key(&error.key) || sections.contains(&error.section()));
    let mut reader = Reader::new(&layers, errors);
    match read(&mut reader) {
        Some(part) => reader.finish(part),
        None => Err(reader.into_errors()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Database;
    use super::*;

    fn variables(given: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        given.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn errors<T>(loaded: Result<T, ConfigErrors>) -> Vec<String> {
        let errors = loaded.err().unwrap_or_default();
        errors.iter().map(|error| error.key.clone()).collect()
    }

    #[test]
    fn the_ledger_needs_no_tenant() {
        let settings = load_ledger(None, variables(&[("DATABASE_URL", "sqlite://x.db")])).unwrap();
        assert!(matches!(settings.database, Database::Sqlite(path) if path == Path::new("x.db")));
    }

    #[test]
    fn errors_of_other_sections_are_left_out_but_unknown_keys_are_not() {
        let given = variables(&[
            ("PORT", "x"),
            ("AUTH0_CLIENT_SECRET_FILE", "/nonexistent"),
            ("SIGNUP__HTTP__PROT", "1"),
            ("SIGNUP__LEDGER__MIGRATE", "perhaps"),
            ("SIGNUP__ADMIN__PORT", "x"),
        ]);
        let mut of_the_ledger = errors(load_ledger(None, given.clone()));
        of_the_ledger.sort();
        assert_eq!(of_the_ledger, ["http.prot", "ledger.migrate"]);
        let mut of_the_probes = errors(load_admin(None, given));
        of_the_probes.sort();
        assert_eq!(of_the_probes, ["admin.port", "http.prot"]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error() {
        let loaded = load_ledger(Some(Path::new("/nonexistent.toml")), variables(&[]));
        assert_eq!(errors(loaded), ["--config"]);
    }
}
