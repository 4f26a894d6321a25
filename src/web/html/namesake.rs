//! Tells whether two names look alike, so that nobody borrows a moderator's.
//!
//! Pure. `static/widget/namesake.js` says the same by the same letters.

use crate::comment::{folding::fold, shown_text::look_alike};

/// Makes names that look alike the same: lower case, no accents, nothing but letters and digits, plain letters for similar ones.
pub(crate) fn namesake(name: &str) -> String {
    let plain = |letter| match look_alike(letter).unwrap_or(letter) {
        '0' => 'o',
        '1' | 'i' => 'l',
        'у' | 'ү' => 'y',
        letter => letter,
    };
    fold(name).chars().filter(|letter| letter.is_alphanumeric()).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_are_the_same() {
        // The same names as in tests/browser/moderation.test.mjs.
        for name in ["ada", "Ada", "ÂDÁ", " a.d-a ", "аda", "ⒶⒹⒶ", "a\u{200b}da", "Ａｄａ", "αԁа"]
        {
            assert_eq!(namesake(name), "ada", "{name}");
        }
        for (name, other) in [
            ("Iris", "lris"),
            ("bill", "BI11"),
            ("Ægir", "aegir"),
            ("ΩMEGA", "wmega"),
            ("Łukasz", "lukasz"),
            ("JURY", "ЈURУ"),
        ] {
            assert_eq!(namesake(name), namesake(other), "{name} {other}");
        }
        for other in ["adam", "ad", "ida", "李", ""] {
            assert_ne!(namesake(other), "ada");
        }
    }
}
