//! The dependencies between modules, as `docs/architecture.md` draws them, and the absence of
//! import circles.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at a source file that it cannot read"
)]

mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use imports::Imports;

/// Each module and the modules that it may use, lowest first. A module may only use modules below
/// it, so the arrows have no circle.
const MAY_USE: [(&str, &[&str]); 24] = [
    ("domain", &[]),
    ("captcha_provider", &[]),
    ("origin", &[]),
    ("form", &["domain", "captcha_provider"]),
    ("texts", &["domain"]),
    ("clock", &[]),
    ("lifecycle", &[]),
    ("limits", &[]),
    ("digest", &[]),
    ("tls", &[]),
    ("config", &["domain", "captcha_provider", "origin", "form", "limits", "texts", "tls"]),
    ("page", &["domain", "captcha_provider", "form", "texts", "config"]),
    ("telemetry", &["config", "tls"]),
    ("context", &["digest", "telemetry", "lifecycle", "clock"]),
    ("auth0", &["domain", "config", "telemetry", "context", "clock", "tls"]),
    ("ledger", &["domain", "limits", "digest", "config", "telemetry", "clock", "tls"]),
    ("signup", &["domain", "limits", "digest", "auth0", "ledger", "telemetry", "context", "clock"]),
    (
        "abuse",
        &[
            "domain",
            "captcha_provider",
            "form",
            "limits",
            "config",
            "signup",
            "ledger",
            "digest",
            "telemetry",
            "context",
            "lifecycle",
            "clock",
            "tls",
        ],
    ),
    ("readiness", &["abuse", "auth0", "signup", "telemetry", "context"]),
    (
        "http",
        &[
            "domain",
            "origin",
            "digest",
            "form",
            "limits",
            "texts",
            "page",
            "abuse",
            "auth0",
            "signup",
            "readiness",
            "telemetry",
            "context",
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
            "digest",
            "telemetry",
            "context",
            "lifecycle",
            "clock",
        ],
    ),
    ("doctor", &["app", "auth0", "ledger", "domain", "origin", "config", "telemetry", "clock"]),
    (
        "cli",
        &[
            "app",
            "doctor",
            "domain",
            "digest",
            "ledger",
            "config",
            "telemetry",
            "clock",
            "page",
            "origin",
        ],
    ),
    ("fuzzing", &["domain", "form", "config", "abuse", "auth0", "http"]),
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The Rust files of a top-level module: `name.rs` and everything in `name/`.
fn files(module: &str) -> Vec<PathBuf> {
    let mut paths = vec![source().join(module), source().join(format!("{module}.rs"))];
    let mut files = Vec::new();
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.exists() && path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The top-level modules that the code uses, its tests included. Comments do not count.
fn used_modules(code: &str) -> Vec<&str> {
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let after = lines.flat_map(|line| line.split("crate::").skip(1));
    let end = |rest: &str| rest.find(|c: char| !c.is_alphanumeric() && c != '_');
    after.map(|rest| &rest[..end(rest).unwrap_or(rest.len())]).collect()
}

/// The top-level module of a path such as `auth0::budget`.
fn top(module: &str) -> &str {
    module.split("::").next().unwrap_or_default()
}

/// The imports inside each top-level module.
///
/// A module and the `mod.rs` above it count as one, and may use each other.
fn inner_imports() -> BTreeMap<String, BTreeSet<String>> {
    let is_above = |upper: &str, lower: &str| lower.starts_with(&format!("{upper}::"));
    let mut imports = Imports::read(&source()).edges();
    for (from, targets) in &mut imports {
        targets.retain(|to| top(from) == top(to) && !is_above(from, to) && !is_above(to, from));
    }
    imports
}

/// Returns the shortest chain of imports from `from` to `to`, both included.
fn chain(
    imports: &BTreeMap<String, BTreeSet<String>>,
    from: &str,
    to: &str,
) -> Option<Vec<String>> {
    let mut chains = vec![vec![from.to_owned()]];
    let mut seen = BTreeSet::new();
    while !chains.is_empty() {
        let mut longer = Vec::new();
        for chain in chains {
            let targets = imports.get(chain.last().unwrap());
            for next in targets.into_iter().flatten() {
                let chain: Vec<_> = chain.iter().chain([next]).cloned().collect();
                if next == to {
                    return Some(chain);
                }
                if seen.insert(next.clone()) {
                    longer.push(chain);
                }
            }
        }
        chains = longer;
    }
    None
}

#[test]
fn modules_use_only_what_lies_below_them() {
    for (index, (module, may_use)) in MAY_USE.iter().enumerate() {
        let below: BTreeSet<_> = MAY_USE[..index].iter().map(|(below, _)| *below).collect();
        for allowed in *may_use {
            assert!(below.contains(allowed), "{module} may use {allowed}, which is not below it");
        }
    }
    for (module, may_use) in MAY_USE {
        for file in files(module) {
            let code = fs::read_to_string(&file).unwrap();
            for used in used_modules(&code) {
                let allowed = used == module || may_use.contains(&used);
                assert!(allowed, "{} uses {used}", file.display());
            }
        }
    }
    let hidden = Imports::read(&source()).supers_beyond_the_top();
    assert!(hidden.is_empty(), "other top-level modules are named with `crate::`: {hidden:?}");
}

#[test]
fn every_allowed_arrow_is_used() {
    let imports = Imports::read(&source()).edges();
    let used: BTreeSet<_> = imports
        .iter()
        .flat_map(|(from, targets)| targets.iter().map(|to| (top(from), top(to))))
        .collect();
    let arrows = MAY_USE.iter().flat_map(|(from, may_use)| may_use.iter().map(|to| (*from, *to)));
    let unused: Vec<_> = arrows.filter(|arrow| !used.contains(arrow)).collect();
    assert!(unused.is_empty(), "allowed but not used: {unused:?}");
}

#[test]
fn every_module_is_on_the_map() {
    for entry in fs::read_dir(source()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let known = MAY_USE.iter().any(|(module, _)| *module == name);
        assert!(known || name == "lib" || name == "main", "{name} is not on the map");
    }
    for (module, _) in MAY_USE {
        assert!(!files(module).is_empty(), "{module} is on the map and does not exist");
    }
}

#[test]
fn no_imports_inside_a_module_form_a_circle() {
    let imports = inner_imports();
    let circles: BTreeSet<_> = imports
        .iter()
        .flat_map(|(from, targets)| targets.iter().map(move |to| (from, to)))
        .filter_map(|(from, to)| chain(&imports, to, from))
        .map(|mut circle| {
            // The same circle is found once from each of its modules.
            let first = circle.iter().min().cloned();
            let index = circle.iter().position(|module| Some(module) == first.as_ref());
            circle.rotate_left(index.unwrap_or(0));
            circle.extend(first);
            circle.join(" -> ")
        })
        .collect();
    assert!(circles.is_empty(), "{circles:#?}");
}
