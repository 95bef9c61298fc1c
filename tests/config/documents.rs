//! The settings in the documentation, in samples and in manifests: each is valid.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use auth0_signup::config::{self, ConfigError, Origin};

use super::TENANT;
use super::temp_dir::TempDir;

/// Files with settings, beside [`FOLDERS`].
const FILES: [&str; 6] = [
    "README.md",
    "CONTRIBUTING.md",
    "compose.yaml",
    "compose.local.env",
    "compose.example.env",
    "Dockerfile",
];

/// Folders whose files may have settings.
const FOLDERS: [&str; 2] = ["docs", "deploy"];

/// Examples of errors.
const ERRORS: [&str; 3] = ["AUTH0_CLIENTID", "AUTH0_CONECTION", "RUST_LOG=loud"];

/// A variable and its value, or a mention of its name.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Mention {
    name: String,
    value: Option<String>,
}

#[test]
fn every_snippet_of_a_settings_file_is_valid() {
    let mut snippets = 0;
    for (path, page) in pages() {
        for block in page.split("```toml\n").skip(1) {
            let (snippet, _) = block.split_once("```").unwrap();
            let wrong = errors_in_file(snippet);
            assert!(wrong.is_empty(), "{}: {wrong:?}\n{snippet}", path.display());
            snippets += 1;
        }
    }
    assert!(snippets >= 2, "{snippets}");
    // The examples in the comments of the reference.
    let examples = config::DEFAULTS.lines().filter_map(|line| line.strip_prefix("#   "));
    let examples = examples.filter(|line| line.contains(['[', '='])).collect::<Vec<_>>().join("\n");
    let wrong = errors_in_file(&examples);
    assert!(wrong.is_empty() && examples.contains("[page.labels]"), "{wrong:?}\n{examples}");
}

#[test]
fn every_settings_file_of_a_deployment_is_valid() {
    let is_settings = |path: &Path| path.file_name().is_some_and(|name| name == "settings.toml");
    let files: Vec<_> = pages().into_iter().filter(|(path, _)| is_settings(path)).collect();
    assert!(files.len() >= 2, "{files:?}");
    for (path, file) in files {
        let wrong = errors_in_file(&file);
        assert!(wrong.is_empty(), "{}: {wrong:?}", path.display());
    }
}

#[test]
fn every_variable_in_the_documentation_exists_and_has_a_valid_value() {
    let mut mentions = BTreeSet::new();
    for (_, page) in pages() {
        mentions.extend(page.lines().flat_map(mentions_in));
    }
    assert!(mentions.len() > 20, "{mentions:?}");
    for Mention { name, value } in mentions {
        let written = value.iter().fold(name.clone(), |name, value| format!("{name}={value}"));
        if ERRORS.iter().any(|error| written.starts_with(error)) {
            continue;
        }
        let given = value.clone().unwrap_or_else(|| "x".to_owned());
        let errors = errors(None, &[(&name, &given)]);
        let of_it = |error: &&ConfigError| error.origin == Origin::Variable(name.clone());
        for error in errors.iter().filter(of_it) {
            let is_known = !error.reason.starts_with("unknown");
            assert!(is_known && value.is_none(), "{name}={value:?}: {error}");
        }
    }
}

#[test]
fn variables_are_found_in_every_kind_of_file() {
    let found = |line: &str| {
        let mention = |Mention { name, value }| format!("{name}={}", value.unwrap_or_default());
        mentions_in(line).into_iter().map(mention).collect::<Vec<_>>().join(" ")
    };
    for (line, expected) in [
        (
            "export AUTH0_DOMAIN=a.auth0.com AUTH0_CLIENT_ID=…",
            "AUTH0_DOMAIN=a.auth0.com AUTH0_CLIENT_ID=",
        ),
        ("      AUTH0_DOMAIN: ${AUTH0_DOMAIN:-}", "AUTH0_DOMAIN= AUTH0_DOMAIN="),
        ("      SIGNUP__HTTP__HOST: \"::\"", "SIGNUP__HTTP__HOST=::"),
        ("a key is `SIGNUP__HTTP__PORT=1`.", "SIGNUP__HTTP__PORT=1"),
        ("`AUTH0_CLIENT_SECRET_FILE=/run/secrets/auth0`, or", "AUTH0_CLIENT_SECRET_FILE="),
        ("`SIGNUP__SECTION__KEY`, AUTH0_* and AUTH0_URL", "AUTH0_URL="),
    ] {
        assert_eq!(found(line), expected, "{line}");
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The pages and manifests that have settings, with their texts.
fn pages() -> Vec<(PathBuf, String)> {
    let mut paths: Vec<_> = FILES.iter().map(|file| root().join(file)).collect();
    for folder in FOLDERS {
        add_files(&root().join(folder), &mut paths);
    }
    let text = |path: PathBuf| {
        let bytes = std::fs::read(&path).unwrap();
        // Images are no text.
        Some((path, String::from_utf8(bytes).ok()?))
    };
    paths.into_iter().filter_map(text).collect()
}

/// Adds every file below a folder.
fn add_files(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add_files(&path, paths);
        } else {
            paths.push(path);
        }
    }
}

/// The variables of this service in a line. A placeholder is no value.
fn mentions_in(line: &str) -> Vec<Mention> {
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let mut mentions = Vec::new();
    let mut rest = line;
    while let Some(start) = rest.find(is_name) {
        let (name, after) = rest[start..]
            .split_at(rest[start..].find(|c| !is_name(c)).unwrap_or(rest.len() - start));
        rest = after;
        let is_own = ["SIGNUP__", "AUTH0_", "DATABASE_URL", "RUST_LOG"]
            .iter()
            .any(|own| name.starts_with(own));
        if !is_own || name.ends_with('_') || name == "SIGNUP__SECTION__KEY" {
            continue;
        }
        let value = after.strip_prefix('=').or_else(|| after.strip_prefix(": "));
        let value =
            value.map(|value| value.split(['`', ' ', ',']).next().unwrap().trim_matches('"'));
        let is_placeholder = |value: &&str| value.is_empty() || value.contains(['…', '$', '<']);
        let value = value.filter(|value| !is_placeholder(value) && !name.ends_with("_FILE"));
        mentions.push(Mention { name: name.to_owned(), value: value.map(str::to_owned) });
    }
    mentions
}

/// The errors that a snippet of a settings file has. What it leaves out is no error.
fn errors_in_file(snippet: &str) -> Vec<ConfigError> {
    let folder = TempDir::new();
    let errors = errors(Some(&folder.file("settings.toml", snippet)), &[]);
    errors.into_iter().filter(|error| error.origin != Origin::Unset).collect()
}

fn errors(file: Option<&Path>, variables: &[(&str, &str)]) -> Vec<ConfigError> {
    let given = |name: &str| variables.iter().any(|(given, _)| *given == name);
    let tenant = TENANT.iter().filter(|(name, _)| !given(name));
    let variables = tenant.chain(variables).map(|(name, value)| (name.into(), value.into()));
    let loaded = config::load(file, variables.collect::<Vec<_>>());
    loaded.err().unwrap_or_default().iter().cloned().collect()
}
