//! The languages.

use crate::domain::rules::NameOrder;

/// Defines [`Locale`] and [`PerLocale`] from one line for each language: its tag, its writing
/// direction, and the wider or older tags that it serves too.
macro_rules! locales {
    ($($(#[$attribute:meta])* $name:ident $tag:literal $direction:literal [$($alias:literal)*];)+) => {
        /// A language that has every text.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub enum Locale {
            $($(#[$attribute])* $name,)+
        }

        impl Locale {
            /// Every language, in display order.
            pub const ALL: [Self; [$($tag),+].len()] = [$(Self::$name),+];

            /// The BCP 47 tag: also the name of the folder, and the value of `Content-Language`.
            pub const fn tag(self) -> &'static str {
                match self {
                    $(Self::$name => $tag,)+
                }
            }

            /// The writing direction: the value of the `dir` attribute.
            pub const fn direction(self) -> &'static str {
                match self {
                    $(Self::$name => $direction,)+
                }
            }

            /// Other tags that get this language.
            pub(super) const fn aliases(self) -> &'static [&'static str] {
                match self {
                    $(Self::$name => &[$($alias),*],)+
                }
            }

            /// The texts, in Fluent format.
            pub(super) const fn sources(self) -> [&'static str; 3] {
                match self {
                    $(Self::$name => [
                        include_str!(concat!("../../locales/", $tag, "/problems.ftl")),
                        include_str!(concat!("../../locales/", $tag, "/field_errors.ftl")),
                        include_str!(concat!("../../locales/", $tag, "/page.ftl")),
                    ],)+
                }
            }
        }

        /// One value for each language.
        #[derive(Debug)]
        #[expect(non_snake_case, reason = "a field has the name of its language")]
        pub struct PerLocale<T> {
            $($name: T,)+
        }

        impl<T> PerLocale<T> {
            /// Makes the value of each language.
            pub fn new(value: impl Fn(Locale) -> T) -> Self {
                Self { $($name: value(Locale::$name),)+ }
            }

            /// The value of a language.
            pub const fn get(&self, locale: Locale) -> &T {
                match locale {
                    $(Locale::$name => &self.$name,)+
                }
            }
        }
    };
}

locales! {
    /// English
    #[default]
    En "en" "ltr" [];
    /// German
    De "de" "ltr" [];
    /// French
    Fr "fr" "ltr" [];
    /// Spanish
    Es "es" "ltr" [];
    /// Italian
    It "it" "ltr" [];
    /// Portuguese, as written in Brazil
    PtBr "pt-BR" "ltr" ["pt"];
    /// Dutch
    Nl "nl" "ltr" [];
    /// Polish
    Pl "pl" "ltr" [];
    /// Japanese
    Ja "ja" "ltr" [];
    /// Chinese, in simplified characters
    ZhHans "zh-Hans" "ltr" ["zh" "zh-CN" "zh-SG" "zh-MY" "cmn"];
    /// Korean
    Ko "ko" "ltr" [];
    /// Arabic
    Ar "ar" "rtl" [];
}

impl Locale {
    /// The order of a person's names in the language.
    pub fn name_order(self) -> NameOrder {
        match self.tag().split('-').next() {
            Some("ja" | "ko" | "zh") => NameOrder::FamilyFirst,
            _ => NameOrder::GivenFirst,
        }
    }

    /// The language with exactly this tag.
    pub fn from_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|locale| locale.tag().eq_ignore_ascii_case(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_list_every_language() {
        let table = include_str!("../../docs/languages.md");
        let settings = include_str!("../../config/default.toml");
        let tags = Locale::ALL.map(Locale::tag).join(" | ");
        assert!(settings.contains(&tags), "list {tags} in config/default.toml");
        for tag in Locale::ALL.map(Locale::tag) {
            assert!(table.contains(&format!("\n| `{tag}` |")), "list {tag} in docs/languages.md");
        }
    }
}
