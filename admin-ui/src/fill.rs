//! What may be filled into a text of the catalogue: numbers, and texts from outside made harmless.

use fluent_bundle::FluentValue;

use crate::plain;

/// Something that is filled into a text.
pub(crate) trait Fill {
    fn filled(&self) -> FluentValue<'static>;
}

macro_rules! fill_with_number {
    ($($number:ty)*) => {$(
        #[expect(clippy::allow_attributes, reason = "one macro for all sizes")]
        #[allow(clippy::cast_lossless, clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        impl Fill for $number {
            fn filled(&self) -> FluentValue<'static> {
                FluentValue::from(*self as f64)
            }
        }
    )*};
}

fill_with_number! { u8 u16 u32 u64 usize i32 i64 }

impl Fill for str {
    /// A text from outside: whatever deceives in it is shown, and where it is written to the left, it is fenced.
    fn filled(&self) -> FluentValue<'static> {
        let shown = plain::escape_line(self);
        let fenced = shown.chars().any(is_right_to_left);
        FluentValue::from(if fenced { format!("\u{2068}{shown}\u{2069}") } else { shown })
    }
}

impl Fill for String {
    fn filled(&self) -> FluentValue<'static> {
        self.as_str().filled()
    }
}

impl<T: Fill + ?Sized> Fill for &T {
    fn filled(&self) -> FluentValue<'static> {
        (*self).filled()
    }
}

/// Hebrew, Arabic and their neighbours, presentation forms, and the old scripts of the supplementary plane.
const fn is_right_to_left(character: char) -> bool {
    matches!(character, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}
