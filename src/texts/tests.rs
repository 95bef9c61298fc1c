//! Checks the texts of every language: against those of English, and for the language's typography.

use std::collections::{BTreeMap, BTreeSet};

use fluent_bundle::{FluentArgs, FluentValue};
use fluent_syntax::ast::{
    Entry, Expression, InlineExpression, Pattern, PatternElement, VariantKey,
};
use fluent_syntax::parser::parse;

use super::Locale;

/// A text with one choice of its plural forms. Parameters are written `{name}`.
#[derive(Debug, Clone, Default)]
struct Form {
    text: String,
    parameters: BTreeSet<String>,
}

/// Every text of a language: `key` or `key.attribute`, with its parameters.
pub(crate) fn texts_of(locale: Locale) -> BTreeMap<String, BTreeSet<String>> {
    let parameters = |(key, forms): (String, Vec<Form>)| {
        let all = forms.iter().map(|form| &form.parameters);
        assert!(
            all.clone().all(|some| *some == forms[0].parameters),
            "{locale:?} {key}: {forms:?}"
        );
        (key, forms[0].parameters.clone())
    };
    forms_of(locale).into_iter().map(parameters).collect()
}

fn forms_of(locale: Locale) -> BTreeMap<String, Vec<Form>> {
    let mut texts = BTreeMap::new();
    for source in locale.sources() {
        for entry in parse(source).unwrap().body {
            match entry {
                Entry::Message(message) => {
                    let id = message.id.name;
                    let value = message.value.map(|value| (id.to_owned(), value));
                    let attributes = message.attributes.into_iter();
                    let attributes = attributes
                        .map(|attribute| (format!("{id}.{}", attribute.id.name), attribute.value));
                    for (key, pattern) in value.into_iter().chain(attributes) {
                        let duplicate = texts.insert(key.clone(), forms(&pattern));
                        assert!(duplicate.is_none(), "{locale:?}: duplicate key {key}");
                    }
                }
                Entry::Comment(_) | Entry::GroupComment(_) | Entry::ResourceComment(_) => {}
                Entry::Term(_) | Entry::Junk { .. } => panic!("{locale:?}: {entry:?}"),
            }
        }
    }
    texts
}

fn forms(pattern: &Pattern<&str>) -> Vec<Form> {
    let mut found = vec![Form::default()];
    for element in &pattern.elements {
        let next = match element {
            PatternElement::TextElement { value } => vec![text((*value).to_owned())],
            PatternElement::Placeable { expression: Expression::Inline(inline) } => {
                vec![inline_form(inline)]
            }
            PatternElement::Placeable { expression: Expression::Select { selector, variants } } => {
                let chosen = variants.iter().flat_map(|variant| {
                    // These forms may say the number in words.
                    let names_number = match variant.key {
                        VariantKey::Identifier { name } => matches!(name, "one" | "two"),
                        VariantKey::NumberLiteral { .. } => true,
                    };
                    let mut forms = forms(&variant.value);
                    if names_number {
                        for form in &mut forms {
                            form.parameters.extend(inline_form(selector).parameters);
                        }
                    }
                    forms
                });
                chosen.collect()
            }
        };
        found = found
            .iter()
            .flat_map(|before| next.iter().map(|after| joined(before, after)))
            .collect();
    }
    found
}

fn text(text: String) -> Form {
    Form { text, parameters: BTreeSet::new() }
}

fn inline_form(inline: &InlineExpression<&str>) -> Form {
    match inline {
        InlineExpression::VariableReference { id } => Form {
            text: format!("{{{}}}", id.name),
            parameters: BTreeSet::from([id.name.to_owned()]),
        },
        InlineExpression::StringLiteral { value } => {
            text(fluent_syntax::unicode::unescape_unicode_to_string(value).into_owned())
        }
        // Chooses the plural form of its one argument.
        InlineExpression::FunctionReference { id, arguments } if id.name == "PLURAL" => {
            inline_form(&arguments.positional[0])
        }
        other => panic!("{other:?}"),
    }
}

fn joined(before: &Form, after: &Form) -> Form {
    Form {
        text: format!("{}{}", before.text, after.text),
        parameters: before.parameters.union(&after.parameters).cloned().collect(),
    }
}

/// The names that `/signup.js` replaces, and the brackets of a link, in alphabetical order.
fn markup(text: &str) -> Vec<&str> {
    let names = text.split('%').skip(1).step_by(2);
    let mut marks: Vec<_> = names.chain(text.matches(['[', ']'])).collect();
    marks.sort_unstable();
    marks
}

/// The kind of a text's end: `.`, `?`, `:`, `…`, or none.
fn ending(text: &str) -> Option<char> {
    match text.chars().next_back()? {
        '.' | '。' => Some('.'),
        '?' | '？' | '؟' => Some('?'),
        ':' | '：' => Some(':'),
        '…' => Some('…'),
        _ => None,
    }
}

/// A flaw in the typography of a text, by the rules of `docs/languages.md`.
fn flaw(locale: Locale, text: &str) -> Option<&'static str> {
    let has = |marks: &[&str]| marks.iter().any(|mark| text.contains(mark));
    let is_wide =
        |letter: char| matches!(letter, '\u{3000}'..='\u{9fff}' | '\u{ff00}'..='\u{ffef}');
    let beside_wide = |mark: char| {
        let letters: Vec<_> = text.chars().collect();
        letters.windows(2).any(|pair| {
            (is_wide(pair[0]) && pair[1] == mark) || (pair[0] == mark && is_wide(pair[1]))
        })
    };
    let of_language = match locale {
        Locale::De if has(&[" …", "z. B."]) => "a space that can break",
        Locale::Fr if has(&[" :", " ;", " ?", " !", " »", "« "]) => "a space that can break",
        Locale::Ja | Locale::ZhHans if ",.:;!?()".chars().any(beside_wide) => "narrow punctuation",
        Locale::Ja if has(&["，"]) => "a comma of Chinese",
        Locale::Ar if has(&[",", ";", "?"]) => "Latin punctuation",
        Locale::Es if text.ends_with('?') && !text.contains('¿') => "no opening question mark",
        _ => "",
    };
    let common = if has(&["..."]) {
        "dots for an ellipsis"
    } else if has(&["\u{200b}", "\u{feff}", "  "]) || text.trim() != text {
        "odd spaces"
    } else if locale != Locale::En && has(&["'", "\""]) {
        "a straight quotation mark or apostrophe"
    } else {
        of_language
    };
    (!common.is_empty()).then_some(common)
}

/// The texts between two others, which may start or end with a space.
const BETWEEN: [&str; 2] = ["character_type.separator", "page.colon"];

#[test]
fn every_language_has_the_texts_of_english_with_the_same_parameters() {
    let english = texts_of(Locale::En);
    for locale in Locale::ALL {
        let texts = texts_of(locale);
        let differs = |key: &&String| texts.get(*key) != english.get(*key);
        let differing: BTreeSet<_> = english.keys().chain(texts.keys()).filter(differs).collect();
        assert!(differing.is_empty(), "{locale:?}: {differing:#?}");
    }
}

#[test]
fn every_language_keeps_the_markup_and_the_kind_of_end_of_the_english_text() {
    let english = forms_of(Locale::En);
    let mut differing = Vec::new();
    for locale in Locale::ALL {
        for (key, forms) in forms_of(locale) {
            let source = english.get(&key).and_then(|forms| forms.first());
            let Some(source) = source.filter(|_| !BETWEEN.contains(&key.as_str())) else {
                continue;
            };
            for form in forms {
                let same = markup(&form.text) == markup(&source.text)
                    && ending(&form.text) == ending(&source.text);
                if !same {
                    differing.push(format!("{locale:?} {key}: {}", form.text));
                }
            }
        }
    }
    assert!(differing.is_empty(), "{differing:#?}");
}

#[test]
fn every_text_has_the_typography_of_its_language() {
    let mut flaws = Vec::new();
    for locale in Locale::ALL {
        for (key, forms) in forms_of(locale) {
            for form in forms.iter().filter(|_| !BETWEEN.contains(&key.as_str())) {
                if let Some(flaw) = flaw(locale, &form.text) {
                    flaws.push(format!("{locale:?} {key}: {flaw}: {}", form.text));
                }
            }
        }
    }
    assert!(flaws.is_empty(), "{flaws:#?}");
}

#[test]
fn every_text_can_be_formatted() {
    for locale in Locale::ALL {
        for (key, names) in texts_of(locale) {
            let (id, attribute) = match key.split_once('.') {
                Some((id, attribute)) => (id, Some(attribute)),
                None => (key.as_str(), None),
            };
            for number in [0, 1, 2, 3, 5, 11, 22, 100] {
                let value = FluentValue::from(number);
                let parameters = names.iter().map(|name| (name.as_str(), value.clone())).collect();
                let text = locale.formatted(id, attribute, &parameters);
                assert!(!text.is_empty() && !text.contains(['{', '}']), "{locale:?} {key}: {text}");
            }
        }
    }
}

#[test]
fn a_number_gets_the_plural_form_of_its_language() {
    let min = |locale: Locale, number: i64| {
        locale.formatted("too_short", None, &FluentArgs::from_iter([("min", number)]))
    };
    for (locale, noun, numbers) in [
        (Locale::En, "character", vec![1]),
        (Locale::En, "characters", vec![2, 5, 12, 22]),
        (Locale::PtBr, "caractere", vec![1]),
        (Locale::PtBr, "caracteres", vec![2, 5, 12, 22]),
        (Locale::Pl, "znak", vec![1]),
        (Locale::Pl, "znaki", vec![2, 22, 103]),
        (Locale::Pl, "znaków", vec![5, 12, 100]),
        (Locale::Ar, "حرف واحد", vec![1]),
        (Locale::Ar, "حرفان", vec![2]),
        (Locale::Ar, "أحرف", vec![5, 103, 110]),
        (Locale::Ar, "حرفًا", vec![12, 22, 111, 199]),
        (Locale::Ar, "حرف", vec![100, 102]),
    ] {
        for number in numbers {
            let text = min(locale, number);
            let words: Vec<_> = text.split([' ', '.']).collect();
            let noun: Vec<_> = noun.split(' ').collect();
            assert!(
                words.windows(noun.len()).any(|part| part == noun),
                "{locale:?} {number}: {text}"
            );
        }
    }
}

#[test]
fn a_wait_has_the_noun_that_its_number_needs() {
    let forms = [
        (Locale::Pl, "sekundę", "minutę", vec![1]),
        (Locale::Pl, "sekundy", "minuty", vec![2, 3, 22, 102, 103]),
        (Locale::Pl, "sekund", "minut", vec![0, 5, 11, 12, 13, 21, 25, 100, 101, 111, 112]),
        (Locale::Ar, "ثانية واحدة", "دقيقة واحدة", vec![1]),
        (Locale::Ar, "ثانيتين", "دقيقتين", vec![2]),
        (Locale::Ar, "ثوانٍ", "دقائق", vec![3, 5, 10, 103, 110]),
        (Locale::Ar, "ثانية", "دقيقة", vec![0, 11, 12, 21, 22, 25, 99, 100, 101, 102, 111]),
    ];
    for (locale, second, minute, numbers) in forms {
        for (text, name, noun) in
            [("try_again_in", "seconds", second), ("try_again_in_minutes", "minutes", minute)]
        {
            for &number in &numbers {
                let wait = FluentArgs::from_iter([(name, number)]);
                let wait = locale.formatted("page", Some(text), &wait);
                // In Arabic the noun alone says one and two.
                let says_number = wait.contains(&format!(" {number} {noun}."));
                let is_noun_alone = locale == Locale::Ar && (1..=2).contains(&number);
                let says_noun = is_noun_alone && wait.ends_with(&format!(" {noun}."));
                assert!(says_number || says_noun, "{locale:?} {number}: {wait}");
            }
        }
    }
}
