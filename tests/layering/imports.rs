//! The imports between the files of `src/`: a small parser for `use` trees and paths.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The segments of a module's path below the crate: `["auth0", "budget"]`.
type Module = Vec<String>;

/// Every module that has a file, with its imports.
#[derive(Default)]
pub(crate) struct Imports {
    /// The code of each module, without comments and test modules.
    code: BTreeMap<Module, String>,
    /// The absolute paths behind the names that a module re-exports with `pub use`.
    reexports: BTreeMap<Module, BTreeMap<String, Vec<String>>>,
}

impl Imports {
    /// Reads every file below `source`.
    pub(crate) fn read(source: &Path) -> Self {
        let mut imports = Self::default();
        let mut folders = vec![(source.to_owned(), Module::new())];
        while let Some((folder, module)) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
                let child: Module = module.iter().cloned().chain([name.clone()]).collect();
                if path.is_dir() {
                    folders.push((path, child));
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let is_folder = ["mod", "lib", "main"].contains(&name.as_str());
                    let module = if is_folder { module.clone() } else { child };
                    let code = without_comments_and_tests(&fs::read_to_string(path).unwrap());
                    imports.code.insert(module, code);
                }
            }
        }
        let all = imports.code.iter().map(|(module, code)| {
            let public = uses(code).into_iter().filter(|(is_public, _)| *is_public);
            let named = public.filter_map(|(_, path)| {
                let path = imports.absolute(module, &path)?;
                Some((path.last()?.clone(), path))
            });
            (module.clone(), named.collect())
        });
        imports.reexports = all.collect();
        imports
    }

    /// Returns the modules that each module imports from, as paths such as `auth0::budget`.
    ///
    /// A re-exported name counts as an import from the file that declares it.
    pub(crate) fn edges(&self) -> BTreeMap<String, BTreeSet<String>> {
        let edges = self.code.iter().map(|(module, code)| {
            let private = uses(code).into_iter().filter(|(is_public, _)| !is_public);
            let paths = private.map(|(_, path)| path).chain(inline_paths(code));
            let targets = paths
                .filter_map(|path| self.absolute(module, &path))
                .map(|path| self.declaring_module(path))
                .filter(|target| !target.is_empty() && target != module);
            (module.join("::"), targets.map(|target| target.join("::")).collect())
        });
        edges.collect()
    }

    /// Returns the paths that leave their top-level module by `super`.
    pub(crate) fn supers_beyond_the_top(&self) -> Vec<String> {
        let paths = self.code.iter().flat_map(|(module, code)| {
            let paths = uses(code).into_iter().map(|(_, path)| path).chain(inline_paths(code));
            paths.map(move |path| (module, path))
        });
        let beyond = paths.filter(|(module, path)| {
            let absolute = self.absolute(module, path);
            path.first().is_some_and(|first| first == "super")
                && absolute.is_some_and(|absolute| absolute.first() != module.first())
        });
        beyond.map(|(module, path)| format!("{}: {}", module.join("::"), path.join("::"))).collect()
    }

    /// Resolves `crate`, `super`, `self` and child modules. Returns `None` for paths of other
    /// crates.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Vec<String>> {
        let mut base = module.clone();
        let mut rest = path;
        match rest.first()?.as_str() {
            "crate" => return Some(rest[1..].to_vec()),
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            child => {
                base.push(child.to_owned());
                if !self.code.contains_key(&base) {
                    return None;
                }
                rest = &rest[1..];
            }
        }
        Some(base.into_iter().chain(rest.iter().cloned()).collect())
    }

    /// Returns the module that declares the item at this path, following re-exports.
    fn declaring_module(&self, mut path: Vec<String>) -> Module {
        for _ in 0..9 {
            let depth = (0..=path.len()).rev().find(|at| self.code.contains_key(&path[..*at]));
            let (module, rest) = path.split_at(depth.unwrap_or(0));
            let reexports = self.reexports.get(module);
            let item = rest.first().and_then(|item| reexports?.get(item));
            match item {
                Some(target) => path = target.iter().chain(&rest[1..]).cloned().collect(),
                None => return module.to_vec(),
            }
        }
        Module::new()
    }
}

/// Leaves out comment lines, and the items behind `#[cfg(test)]`.
fn without_comments_and_tests(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            code.push_str(line);
            code.push('\n');
            continue;
        }
        let item = lines.find(|line| !line.trim_start().starts_with("#[")).unwrap_or_default();
        if item.ends_with('{') {
            let indent = item.len() - item.trim_start().len();
            let end = format!("{}}}", " ".repeat(indent));
            lines.find(|line| *line == end);
        }
    }
    code
}

/// Returns the path of every imported name, and whether it is re-exported.
fn uses(code: &str) -> Vec<(bool, Vec<String>)> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices("use ") {
        let before = code[..start].rsplit('\n').next().unwrap_or_default().trim_start();
        if before.is_empty() || before.starts_with("pub") {
            let tree = code[start + 4..].split(';').next().unwrap_or_default();
            found.extend(expand(tree).into_iter().map(|path| (!before.is_empty(), path)));
        }
    }
    found
}

/// Expands `a::{b, c::{d, e}}` into its paths.
fn expand(tree: &str) -> Vec<Vec<String>> {
    let Some((prefix, rest)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        return vec![segments(path)];
    };
    let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
    let mut depth = 0;
    let branches = inner.split(|c| {
        depth += match c {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        c == ',' && depth == 0
    });
    let paths = branches.filter(|branch| !branch.trim().is_empty()).flat_map(expand);
    paths.map(|path| segments(prefix).into_iter().chain(path).collect()).collect()
}

fn segments(path: &str) -> Vec<String> {
    let segments = path.trim().trim_end_matches("::").split("::");
    segments.map(|segment| segment.trim().to_owned()).collect()
}

/// Returns every path with `::` outside `use` items.
fn inline_paths(code: &str) -> Vec<Vec<String>> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = code.split(|c| !is_part(c)).filter(|word| word.contains("::"));
    let paths = words.map(|word| segments(word.trim_end_matches(':')));
    paths.filter(|path| path.iter().all(|segment| !segment.is_empty())).collect()
}
