//! `[languages]`: the default language of responses.

use super::reader::Reader;
use crate::texts::Locale;

/// Reads the language for requests that ask for no supported one.
pub(super) fn read(reader: &mut Reader<'_>) -> Locale {
    let choices = Locale::ALL.map(|locale| (locale.tag(), locale));
    reader.choice("languages.default", &choices).unwrap_or_default()
}
