//! Draws an author's avatar as SVG.
//!
//! Pure. `static/widget/view.js` draws the same avatar from the same steps; `static/embed.css` has the colours.

use super::put;
use crate::util::html::Escaped;

/// The number of hues in `static/embed.css`, 40 degrees apart.
const HUES: u32 = 9;
/// The avatar's shapes around 0, 0, none wider than 26: a disc, a leaf, a dome, a tent.
const SHAPES: [&str; 4] = [
    "M-9 0a9 9 0 1 1 18 0a9 9 0 1 1-18 0z",
    "M-9-9H1a8 8 0 0 1 8 8V1a8 8 0 0 1-8 8H-1a8 8 0 0 1-8-8z",
    "M-11 5a11 11 0 0 1 22 0z",
    "M-10 7L0-9L10 7z",
];
/// Where a shape is at least, and its least size in tenths: with what chance adds, it stays inside the circle.
const PLACES: [(u32, u32, u32); 3] = [(12, 14, 6), (21, 20, 5), (20, 10, 3)];
/// Letters of the scripts from here on join or are words of their own, so that two of them are no initials.
const LONE_LETTERS: char = '\u{590}';

/// Appends the initials of a name, or two or three shapes without a name, in a colour that depends on the author alone. Without an
/// author they are grey, and without a name too there is a silhouette.
pub(super) fn avatar(out: &mut String, author: Option<&str>, name: &str) {
    // FNV-1a, then a linear congruential generator (Numerical Recipes), as in static/widget/view.js.
    let mut state = author
        .unwrap_or_default()
        .bytes()
        .fold(2_166_136_261_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619));
    let mut random = |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % below
    };
    out.push_str("<svg class=\"avatar");
    if author.is_some() {
        put(out, format_args!(" h{}", random(HUES)));
    }
    out.push_str("\" viewBox=\"0 0 36 36\" aria-hidden=\"true\">");
    let initials = initials(name);
    if !initials.is_empty() {
        put(out, format_args!("<text x=\"18\" y=\"18\">{}</text>", Escaped(&initials)));
    } else if author.is_some() {
        put(out, format_args!("<g transform=\"rotate({} 18 18)\">", random(8) * 45));
        let shapes = 2 + random(2) as usize;
        for (x, y, size) in PLACES.into_iter().take(shapes) {
            let (x, y, angle) = (x + random(3), y + random(3), random(8) * 45);
            put(
                out,
                format_args!(
                    "<path opacity=\".6\" transform=\"translate({x} {y}) rotate({angle}) scale(0.{})\" d=\"{}\"></path>",
                    size + random(2),
                    SHAPES[random(4) as usize],
                ),
            );
        }
        out.push_str("</g>");
    } else {
        out.push_str(
            "<path opacity=\".5\" d=\"M12 15a6 6 0 1 1 12 0a6 6 0 1 1-12 0M6 36a12 12 0 0 1 24 0z\"></path>",
        );
    }
    out.push_str("</svg>");
}

/// Returns the first letters of the first and the last word, or of the first word alone.
fn initials(name: &str) -> String {
    let mut letters = name
        .split(' ')
        .filter_map(|word| word.chars().next())
        .filter(|letter| letter.is_alphanumeric());
    let Some(first) = letters.next() else { return String::new() };
    let last = letters.next_back().filter(|&last| first < LONE_LETTERS && last < LONE_LETTERS);
    [Some(first), last].into_iter().flatten().flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_are_those_of_the_first_and_the_last_word() {
        for (name, expected) in [
            ("Ada", "A"),
            ("ada king lovelace", "AL"),
            ("🦀 ferris", "F"),
            ("  ", ""),
            ("?!", ""),
            ("مريم أحمد", "م"),
            ("李 明", "李"),
            ("Ωmega ß", "ΩSS"),
            ("7 of nine", "7N"),
        ] {
            assert_eq!(initials(name), expected, "{name}");
        }
    }

    #[test]
    fn every_shape_stays_inside_the_circle() {
        for (x, y, size) in PLACES {
            for (x, y) in [(x, y), (x + 2, y), (x, y + 2), (x + 2, y + 2)]
                .map(|(x, y)| (f64::from(x), f64::from(y)))
            {
                let reach = 12.8 * f64::from(size + 1) / 10.0;
                assert!((x - 18.0).hypot(y - 18.0) + reach <= 18.0, "{x} {y} {size}");
            }
        }
    }
}
