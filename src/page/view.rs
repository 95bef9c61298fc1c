//! The pages, from the templates beside this module.

use askama::Template;

/// What all pages of a deployment have in common.
#[derive(Debug, Default)]
pub struct Page {}

/// A page in HTML.
#[derive(Debug)]
pub struct Rendered {
    /// The document.
    pub html: String,
}

/// Something that went wrong and has no form to be shown on.
#[derive(Debug)]
pub struct Notice<'a> {
    /// What went wrong, in a few words.
    pub title: &'a str,
    /// What to do about it.
    pub detail: &'a str,
    /// After so many seconds it is worth trying again.
    pub retry_after: Option<u64>,
    /// What to tell the operator, so that the request can be found in the log.
    pub reference: &'a str,
}

#[derive(Template)]
#[template(path = "notice.html")]
struct NoticeTemplate<'a> {
    notice: &'a Notice<'a>,
}

impl Page {
    /// The page of a problem.
    ///
    /// # Errors
    /// Never in practice: every member is text or a number.
    pub fn notice(&self, notice: &Notice<'_>) -> Result<Rendered, askama::Error> {
        Ok(Rendered { html: NoticeTemplate { notice }.render()? })
    }
}
