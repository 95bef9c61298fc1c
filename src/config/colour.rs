//! Colours in the hexadecimal notation of CSS.

use std::fmt;

/// A colour without transparency, as `#rgb` or `#rrggbb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour([u8; 3]);

impl Colour {
    /// Pure black.
    pub const BLACK: Self = Self([0; 3]);
    /// Pure white.
    pub const WHITE: Self = Self([255; 3]);

    /// Parses `#rgb` or `#rrggbb`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#')?;
        let values: Option<Vec<u8>> = digits
            .chars()
            .map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok()))
            .collect();
        match values?.as_slice() {
            [r, g, b] => Some(Self([r * 17, g * 17, b * 17])),
            [r, rr, g, gg, b, bb] => Some(Self([r * 16 + rr, g * 16 + gg, b * 16 + bb])),
            _ => None,
        }
    }

    /// The relative luminance, from 0 to 1 (WCAG 2.2).
    fn luminance(self) -> f64 {
        let [r, g, b] = self.0.map(|channel| {
            let share = f64::from(channel) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    /// The contrast ratio with another colour, from 1 to 21 (WCAG 2.2).
    pub fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// Black or white, whichever has more contrast with this colour: always 4.5 or more.
    #[must_use]
    pub fn text_colour(self) -> Self {
        let white_is_better = self.contrast(Self::WHITE) >= self.contrast(Self::BLACK);
        if white_is_better { Self::WHITE } else { Self::BLACK }
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [r, g, b] = self.0;
        write!(f, "#{r:02x}{g:02x}{b:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_hexadecimal_forms_are_accepted() {
        assert_eq!(Colour::parse("#0aF").unwrap().to_string(), "#00aaff");
        assert_eq!(Colour::parse("#00aaff").unwrap().to_string(), "#00aaff");
        for text in ["", "#", "00aaff", "#00aaf", "#00aaff80", "#00aagg", "red", "#00aaff;}"] {
            assert_eq!(Colour::parse(text), None, "{text}");
        }
    }

    #[test]
    fn text_on_any_colour_is_readable() {
        assert!((Colour::BLACK.contrast(Colour::WHITE) - 21.0).abs() < 1e-9);
        for grey in 0..=255 {
            let colour = Colour([grey; 3]);
            assert!(colour.contrast(colour.text_colour()) >= 4.5, "{colour}");
        }
        for text in ["#f00", "#0f0", "#00f", "#ff0", "#767676", "#e8590c"] {
            let colour = Colour::parse(text).unwrap();
            assert!(colour.contrast(colour.text_colour()) >= 4.5, "{colour}");
        }
    }
}
