//! Chooses the language of a response.

use super::Locale;

/// Tags that are not shortened: Traditional Chinese is not served in simplified characters.
const ANOTHER_SCRIPT: [&str; 4] = ["zh-Hant", "zh-TW", "zh-HK", "zh-MO"];

impl Locale {
    /// The best language for tags in order of preference, such as `"de-AT en"` in `ui_locales`.
    pub fn from_tags(tags: &str) -> Option<Self> {
        tags.split_ascii_whitespace().find_map(Self::lookup)
    }

    /// The best language for an `Accept-Language` (RFC 9110, 12.5.4): that of the highest quality,
    /// or the first of equal ones. `None` if no range matches.
    pub fn from_accept_language(header: &str) -> Option<Self> {
        let mut best: Option<(u16, Self)> = None;
        for range in header.split(',') {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
            let quality = quality(parameters);
            if quality > best.map_or(0, |(best, _)| best)
                && let Some(locale) = Self::lookup(tag.trim())
            {
                best = Some((quality, locale));
            }
        }
        best.map(|(_, locale)| locale)
    }

    /// The language of a tag, or of the tag without its last subtags (RFC 4647, 3.4): `de-AT` and
    /// `de-Latn-AT` are German, `pt-PT` is Brazilian Portuguese.
    fn lookup(tag: &str) -> Option<Self> {
        let mut tag = tag;
        loop {
            if let Some(locale) = Self::from_tag(tag).or_else(|| Self::from_alias(tag)) {
                return Some(locale);
            }
            if ANOTHER_SCRIPT.iter().any(|other| other.eq_ignore_ascii_case(tag)) {
                return None;
            }
            (tag, _) = tag.rsplit_once('-')?;
        }
    }

    fn from_alias(tag: &str) -> Option<Self> {
        let is_alias =
            |locale: &Self| locale.aliases().iter().any(|alias| alias.eq_ignore_ascii_case(tag));
        Self::ALL.into_iter().find(is_alias)
    }
}

/// The `q` among a range's parameters, in thousandths: 1000 if it is absent, 0 if it is invalid
/// (RFC 9110, 12.4.2).
pub fn quality(parameters: &str) -> u16 {
    let pairs = parameters.split(';').filter_map(|pair| pair.split_once('='));
    let mut weights = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
    let Some((_, weight)) = weights.next() else { return 1000 };
    let (whole, fraction) = weight.trim().split_once('.').unwrap_or((weight.trim(), ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    let digits = fraction.bytes().chain(*b"000").take(3);
    let thousandths = digits.fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    match (whole, thousandths) {
        ("1", 0) => 1000,
        ("0", thousandths) => thousandths,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_quality_wins_and_the_first_of_equals() {
        for (header, best) in [
            ("de", Some(Locale::De)),
            ("de-AT,de;q=0.9,en;q=0.8", Some(Locale::De)),
            ("en;q=0.5, ja;q=0.6", Some(Locale::Ja)),
            ("fr, es", Some(Locale::Fr)),
            ("da, nb;q=0.9, ar-EG;q=0.1", Some(Locale::Ar)),
            ("ZH-Hant-TW, ES-419;q=0.3", Some(Locale::Es)),
            ("de;q=0, en;q=0.1", Some(Locale::En)),
            ("de;q=high, fr;q=0.001", Some(Locale::Fr)),
            ("de;Q=0.2;x=1, fr;q=0.3", Some(Locale::Fr)),
            ("de;q=1.x9, fr;q=0.1", Some(Locale::Fr)),
            ("de;q=1.001, fr;q=0.1", Some(Locale::Fr)),
            ("de;q=0.+9, fr;q=0.1", Some(Locale::Fr)),
            ("de;q=0.1000, fr;q=0.05", Some(Locale::Fr)),
            ("de;q=1.000, fr", Some(Locale::De)),
            ("de ; q = 0.2 , fr ; q = 0.1", Some(Locale::De)),
            ("zh-TW,zh;q=0.9,en;q=0.8", Some(Locale::ZhHans)),
            ("*", None),
            ("", None),
            ("den, d, -, de_AT", None),
            (",;,q=1;;", None),
        ] {
            assert_eq!(Locale::from_accept_language(header), best, "{header}");
        }
    }

    #[test]
    fn the_first_tag_with_a_language_wins() {
        assert_eq!(Locale::from_tags("da de-AT en"), Some(Locale::De));
        assert_eq!(Locale::from_tags("  ja  "), Some(Locale::Ja));
        assert_eq!(Locale::from_tags("da nb-NO"), None);
        assert_eq!(Locale::from_tags(""), None);
    }

    #[test]
    fn a_tag_gets_the_variant_of_its_language_that_its_speakers_read() {
        for (tag, best) in [
            ("pt", Some(Locale::PtBr)),
            ("pt-PT", Some(Locale::PtBr)),
            ("PT-br", Some(Locale::PtBr)),
            ("es-419", Some(Locale::Es)),
            ("nl-BE", Some(Locale::Nl)),
            ("zh", Some(Locale::ZhHans)),
            ("zh-CN", Some(Locale::ZhHans)),
            ("zh-Hans-HK", Some(Locale::ZhHans)),
            ("cmn-Hans-CN", Some(Locale::ZhHans)),
            ("zh-TW", None),
            ("zh-HK", None),
            ("zh-hant", None),
            ("zh-Hant-CN", None),
            ("nb", None),
            ("da-DK", None),
        ] {
            assert_eq!(Locale::from_tags(tag), best, "{tag}");
        }
    }
}
