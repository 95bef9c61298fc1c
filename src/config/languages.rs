//! `[languages]`: in which language people are answered.

use super::reader::Reader;
use crate::texts::Locale;

/// The language of those who ask for none that there is.
pub(super) fn read(reader: &mut Reader<'_>) -> Locale {
    let choices = Locale::ALL.map(|locale| (locale.tag(), locale));
    reader.choice("languages.default", &choices).unwrap_or_default()
}
