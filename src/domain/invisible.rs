//! Characters that nobody sees: zero-width spaces, marks of direction, soft hyphens, fillers.
//!
//! They arrive by copying from documents and chats. Auth0 stores them, and the person who then
//! types the value without them does not find the account again.

/// Returns whether the character is never drawn and takes part in no letter: U+00AD, U+061C,
/// U+180E, U+200B to U+200F, U+202A to U+202E, U+2060 to U+206F, U+FEFF, and the blank letters of
/// Hangul and Braille.
pub const fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}')
}

/// Returns whether the character only changes those beside it and is nothing alone: variation selectors,
/// joiners and tags (Unicode's `Default_Ignorable_Code_Point`), and the marks of annotations.
pub const fn is_modifier(character: char) -> bool {
    matches!(character,
        '\u{34f}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Removes white space and invisible characters around a text. Returns `None` if nothing visible
/// is left.
pub fn trim(text: &str) -> Option<&str> {
    let is_blank = |character: char| character.is_whitespace() || is_invisible(character);
    let trimmed = text.trim_matches(is_blank);
    let is_visible = |character| !is_blank(character) && !is_modifier(character);
    trimmed.chars().any(is_visible).then_some(trimmed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_is_removed_at_the_ends() {
        for blank in
            ["\u{200b}", "\u{2060}", "\u{feff}", "\u{200f}", "\u{2066}", "\u{ad}", "\u{2800}"]
        {
            assert_eq!(trim(&format!(" {blank}Ada {blank}\n")), Some("Ada"), "{blank:?}");
            assert_eq!(trim(&format!("{blank} {blank}")), None, "{blank:?}");
            assert_eq!(trim(&format!("A{blank}B")), Some(&*format!("A{blank}B")));
        }
        assert_eq!(trim(""), None);
        for alone in ["\u{fe0f}", "\u{34f}", "\u{17b4}", "\u{180b}", "\u{fff9}", "\u{200b}\u{34f}"]
        {
            assert_eq!(trim(alone), None, "{alone:?}");
        }
    }

    #[test]
    fn letters_joiners_inside_words_and_flags_stay() {
        for text in ["می\u{200c}خواهم", "❤\u{fe0f}", "🏴\u{e0067}\u{e007f}", "e\u{301}"]
        {
            assert_eq!(trim(text), Some(text));
        }
    }
}
