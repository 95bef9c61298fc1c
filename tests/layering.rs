//! The arrows between the modules, as `docs/architecture.md` draws them.
#![expect(clippy::unwrap_used, reason = "what the tests share may fail as they do")]

use std::fs;
use std::path::{Path, PathBuf};

/// Each module and the modules it may use.
const MAY_USE: [(&str, &[&str]); 17] = [
    ("domain", &[]),
    ("texts", &["domain"]),
    ("page", &["domain", "texts", "config"]),
    ("clock", &[]),
    ("lifecycle", &[]),
    ("limits", &[]),
    ("config", &["domain", "texts"]),
    ("telemetry", &["config"]),
    ("auth0", &["domain", "config", "telemetry", "lifecycle", "clock"]),
    ("ledger", &["domain", "limits", "config", "telemetry", "lifecycle", "clock"]),
    ("readiness", &["abuse", "auth0", "ledger", "lifecycle", "clock"]),
    ("signup", &["domain", "limits", "auth0", "ledger", "telemetry", "lifecycle", "clock"]),
    (
        "abuse",
        &[
            "domain",
            "limits",
            "config",
            "signup",
            "ledger",
            "auth0",
            "telemetry",
            "lifecycle",
            "clock",
        ],
    ),
    (
        "http",
        &[
            "domain",
            "texts",
            "page",
            "abuse",
            "auth0",
            "signup",
            "readiness",
            "telemetry",
            "lifecycle",
            "clock",
        ],
    ),
    (
        "app",
        &[
            "auth0",
            "ledger",
            "signup",
            "abuse",
            "http",
            "page",
            "texts",
            "readiness",
            "config",
            "telemetry",
            "lifecycle",
            "clock",
        ],
    ),
    ("cli", &["app", "domain", "ledger", "config", "telemetry", "lifecycle", "clock"]),
    ("fuzzing", &["domain", "config", "abuse", "auth0", "http"]),
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The Rust files of a module: `name.rs` or everything in `name/`.
fn files(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            files(&entry.unwrap().path(), found);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        found.push(path.to_owned());
    }
}

/// The modules of this crate that the code names; comments and documentation do not count.
fn used(code: &str) -> Vec<&str> {
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let after = lines.flat_map(|line| line.split("crate::").skip(1));
    let name = |rest: &'_ str| rest.find(|c: char| !c.is_alphanumeric() && c != '_');
    after.map(|rest| &rest[..name(rest).unwrap_or(rest.len())]).collect()
}

#[test]
fn modules_use_only_what_lies_below_them() {
    for (module, may_use) in MAY_USE {
        let mut found = Vec::new();
        files(&source().join(module), &mut found);
        files(&source().join(format!("{module}.rs")), &mut found);
        let found: Vec<_> = found.into_iter().filter(|file| file.exists()).collect();
        assert!(!found.is_empty(), "{module} is gone; is the map still right?");
        for file in found {
            let code = fs::read_to_string(&file).unwrap();
            for name in used(&code) {
                let allowed = name == module || may_use.contains(&name);
                assert!(allowed, "{} uses {name}", file.display());
            }
        }
    }
}

#[test]
fn every_module_is_on_the_map() {
    for entry in fs::read_dir(source()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let known = MAY_USE.iter().any(|(module, _)| *module == name);
        assert!(known || name == "lib" || name == "main", "{name} is not on the map");
    }
}
