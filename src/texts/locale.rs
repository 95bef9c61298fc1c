//! The languages.

use crate::domain::rules::NameOrder;

/// A language that has every text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Locale {
    /// English
    #[default]
    En,
    /// German
    De,
    /// French
    Fr,
    /// Spanish
    Es,
    /// Japanese
    Ja,
    /// Arabic
    Ar,
}

/// The files of a language.
macro_rules! sources {
    ($tag:literal) => {
        [
            include_str!(concat!("../../locales/", $tag, "/problems.ftl")),
            include_str!(concat!("../../locales/", $tag, "/field_errors.ftl")),
            include_str!(concat!("../../locales/", $tag, "/page.ftl")),
        ]
    };
}

impl Locale {
    /// Every language, in display order.
    pub const ALL: [Self; 6] = [Self::En, Self::De, Self::Fr, Self::Es, Self::Ja, Self::Ar];

    /// The BCP 47 tag: also the name of the folder, and the value of `Content-Language`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Fr => "fr",
            Self::Es => "es",
            Self::Ja => "ja",
            Self::Ar => "ar",
        }
    }

    /// The writing direction: the value of the `dir` attribute.
    pub const fn direction(self) -> &'static str {
        match self {
            Self::En | Self::De | Self::Fr | Self::Es | Self::Ja => "ltr",
            Self::Ar => "rtl",
        }
    }

    /// The order of a person's names in the language.
    pub fn name_order(self) -> NameOrder {
        match self.tag().split('-').next() {
            Some("hu" | "ja" | "ko" | "zh") => NameOrder::FamilyFirst,
            _ => NameOrder::GivenFirst,
        }
    }

    /// The language with exactly this tag.
    pub fn from_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|locale| locale.tag().eq_ignore_ascii_case(tag))
    }

    /// The texts, in Fluent format.
    pub(super) const fn sources(self) -> [&'static str; 3] {
        match self {
            Self::En => sources!("en"),
            Self::De => sources!("de"),
            Self::Fr => sources!("fr"),
            Self::Es => sources!("es"),
            Self::Ja => sources!("ja"),
            Self::Ar => sources!("ar"),
        }
    }
}
