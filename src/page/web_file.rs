//! The files of `packages/web`, each at a short path and at one that holds a digest of its content.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::asset::Asset;

/// The module that enhances forms.
static SCRIPT: LazyLock<WebFile> = LazyLock::new(|| {
    let summary = "The module that enhances forms";
    WebFile::new("/signup.js", summary, JAVASCRIPT, include_str!("assets/signup.js"))
});
/// The part of the module that it loads when it is wanted.
static EXTRAS: LazyLock<WebFile> = LazyLock::new(|| {
    let summary = "The part of the module that it loads when it is wanted";
    WebFile::new("/signup-extras.js", summary, JAVASCRIPT, include_str!("assets/signup-extras.js"))
});
/// The style of forms.
static STYLE: LazyLock<WebFile> = LazyLock::new(|| {
    let summary = "The style of forms";
    WebFile::new("/signup.css", summary, CSS, include_str!("assets/signup.css"))
});
/// The types of the module.
static TYPES: LazyLock<WebFile> = LazyLock::new(|| {
    let summary = "The types of the module, for TypeScript";
    WebFile::new("/signup.d.ts", summary, TEXT, include_str!("assets/signup.d.ts"))
});
/// The source map of the module.
static SCRIPT_MAP: LazyLock<WebFile> = LazyLock::new(|| {
    let summary = "The source map of the module";
    WebFile::new("/signup.js.map", summary, JSON, include_str!("assets/signup.js.map"))
});
/// The source map of its second part.
static EXTRAS_MAP: LazyLock<WebFile> = LazyLock::new(|| {
    let summary = "The source map of the module's second part";
    WebFile::new(
        "/signup-extras.js.map",
        summary,
        JSON,
        include_str!("assets/signup-extras.js.map"),
    )
});

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// The length of the digest in a path, in bytes. A path of another content would be a collision of 64
/// bits among the releases of this service.
const DIGEST_LENGTH: usize = 8;

/// A file that pages of every site may load.
#[derive(Debug)]
pub struct WebFile {
    /// Its path, at which each release has its own content.
    pub path: &'static str,
    /// The path of exactly this content: `/signup-0123456789abcdef.js`.
    pub versioned_path: String,
    /// Its description, without a full stop.
    pub summary: &'static str,
    /// The value of the attribute `integrity` (Subresource Integrity, 3.5).
    pub integrity: String,
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// Its content.
    pub asset: Asset,
}

impl WebFile {
    /// Returns every file.
    pub fn all() -> [&'static Self; 6] {
        [&SCRIPT, &EXTRAS, &STYLE, &TYPES, &SCRIPT_MAP, &EXTRAS_MAP]
    }

    fn new(
        path: &'static str,
        summary: &'static str,
        content_type: &'static str,
        content: &'static str,
    ) -> Self {
        let digest = digest(&SHA256, content.as_bytes());
        let short = digest.as_ref().iter().take(DIGEST_LENGTH).map(|byte| format!("{byte:02x}"));
        let short: String = short.collect();
        Self {
            path,
            versioned_path: versioned_path(path, &short),
            summary,
            integrity: format!("sha256-{}", BASE64_STANDARD.encode(digest)),
            content_type,
            asset: Asset::new(content.as_bytes().into()),
        }
    }

    /// The versioned path with `{digest}` in place of the digest.
    pub fn path_template(&self) -> String {
        versioned_path(self.path, "{digest}")
    }

    /// The versioned path below this path, and the digest.
    fn pinned(&self, base_path: &str) -> Value {
        json!({
            "path": format!("{base_path}{}", self.versioned_path),
            "integrity": self.integrity,
        })
    }
}

fn versioned_path(path: &str, digest: &str) -> String {
    let (stem, kind) = path.split_once('.').unwrap_or((path, ""));
    format!("{stem}-{digest}.{kind}")
}

/// The files that a page can pin, as `GET /signup/policy` names them.
pub fn pinned_files(base_path: &str) -> Value {
    json!({
        "script": SCRIPT.pinned(base_path),
        "extras": EXTRAS.pinned(base_path),
        "style": STYLE.pinned(base_path),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Field;

    fn text(file: &WebFile) -> &str {
        str::from_utf8(&file.asset.plain).unwrap()
    }

    #[test]
    fn the_types_list_every_root_attribute() {
        for (field, _) in Field::attributes() {
            assert!(text(&TYPES).contains(&format!("  {field}?: string;")), "{field}");
        }
    }

    #[test]
    fn the_module_takes_at_most_8192_bytes_on_the_wire() {
        let size = SCRIPT.asset.gzip().unwrap().len();
        assert!(size <= 8192, "{size} bytes");
    }

    #[test]
    fn the_module_pins_its_second_part() {
        let script = text(&SCRIPT);
        assert!(script.contains(EXTRAS.versioned_path.trim_start_matches('/')));
        assert!(script.contains(&EXTRAS.integrity));
    }

    #[test]
    fn the_documentation_has_the_digests_of_this_release() {
        let page = include_str!("../../docs/page.md");
        for file in [&*SCRIPT, &*STYLE] {
            assert!(page.contains(&file.versioned_path), "{}", file.versioned_path);
            assert!(page.contains(&file.integrity), "{}", file.path);
        }
    }
}
