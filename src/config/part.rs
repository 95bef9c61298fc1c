//! Parts of the settings, for commands that need no others. A command that only reads the ledger
//! does not require the tenant's credentials.

use std::ffi::OsString;
use std::path::Path;

use super::error::{ConfigError, ConfigErrors};
use super::layers::Layers;
use super::reader::Reader;
use super::variables::is_shared;
use super::{AdminSettings, LedgerSettings, http, ledger};

/// Reads `[database]`, `[secrets]` and `[ledger]`.
///
/// # Errors
/// The errors of these sections, and every unknown key.
pub fn load_ledger(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<LedgerSettings, ConfigErrors> {
    let is_own = |error: &ConfigError| ["database", "secrets", "ledger"].contains(&error.section());
    let is_unknown = |layers: &Layers, key: &str| !layers.is_key(key) && !is_shared(key);
    let keeps =
        |layers: &Layers, error: &ConfigError| is_unknown(layers, &error.key) || is_own(error);
    load_part(file, environment, keeps, ledger::read)
}

/// Reads `[admin]`, as far as the file can be read: the service that is checked may run since before
/// the file got an error.
///
/// # Errors
/// The errors of the keys of this section.
pub fn load_admin(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<AdminSettings, ConfigErrors> {
    let keeps = |layers: &Layers, error: &ConfigError| {
        layers.is_key(&error.key) && error.section() == "admin"
    };
    load_part(file, environment, keeps, |reader| Some(http::read_admin(reader)))
}

/// Runs `read`, and leaves out the errors of the layers that `keeps` rejects.
fn load_part<T>(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    keeps: impl Fn(&Layers, &ConfigError) -> bool,
    read: impl FnOnce(&mut Reader<'_>) -> Option<T>,
) -> Result<T, ConfigErrors> {
    let mut errors = ConfigErrors::default();
    let layers = Layers::read(file, environment, &mut errors);
    errors.retain(|error| keeps(&layers, error));
    let mut reader = Reader::new(&layers, errors);
    let part = read(&mut reader);
    reader.finish(part)
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
    fn errors_of_other_sections_are_left_out() {
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
        assert_eq!(errors(load_admin(None, given)), ["admin.port"]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error() {
        let loaded = load_ledger(Some(Path::new("/nonexistent.toml")), variables(&[]));
        assert_eq!(errors(loaded), ["--config"]);
    }
}
