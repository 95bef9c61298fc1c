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

    /// The colour with these values of red, green and blue.
    pub const fn from_rgb(rgb: [u8; 3]) -> Self {
        Self(rgb)
    }

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

    /// This colour, or the nearest step towards black or white that has this contrast with
    /// `behind`.
    #[must_use]
    pub fn readable_on(self, behind: Self, contrast: f64) -> Self {
        /// Enough steps that none is visible.
        const STEPS: u8 = 32;
        let end = behind.text_colour();
        let steps = (0..=STEPS).map(|step| self.mix(end, step, STEPS));
        let mut readable = steps.filter(|colour| colour.contrast(behind) >= contrast);
        readable.next().unwrap_or(end)
    }

    /// The colour at `step` of `steps` on the way to another one.
    fn mix(self, other: Self, step: u8, steps: u8) -> Self {
        let channel = |from: u8, to: u8| {
            let (from, to) = (i32::from(from), i32::from(to));
            let mixed = from + (to - from) * i32::from(step) / i32::from(steps.max(1));
            u8::try_from(mixed).unwrap_or_default()
        };
        let ([r, g, b], [rr, gg, bb]) = (self.0, other.0);
        Self([channel(r, rr), channel(g, gg), channel(b, bb)])
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
    fn every_accent_becomes_readable_and_a_readable_one_stays() {
        let surfaces = [Colour::WHITE, Colour::from_rgb([0x19, 0x1d, 0x24])];
        for surface in surfaces {
            for text in ["#000", "#fff", "#ff0", "#1d4ed8", "#93b4ff", "#767676", "#e8590c"] {
                let colour = Colour::parse(text).unwrap();
                let readable = colour.readable_on(surface, 4.5);
                assert!(readable.contrast(surface) >= 4.5, "{text} on {surface}: {readable}");
            }
        }
        let blue = Colour::parse("#1d4ed8").unwrap();
        assert_eq!(blue.readable_on(Colour::WHITE, 4.5), blue);
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
