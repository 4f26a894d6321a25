//! Draws an author's avatar as SVG.
//!
//! Pure. `static/widget/avatar.js` draws the same avatar from the same steps.

use super::put;

/// The avatar's colours, ordered by hue, so that neighbours match.
const HUES: [&str; 12] = [
    "#4f7df0", "#7a6cf0", "#a463e0", "#cf5bb4", "#e0587f", "#e8694f", "#e58a34", "#c9a227",
    "#8aa83a", "#45a566", "#2aa198", "#3a97cf",
];
/// The avatar's shapes around 0, 0: a disc, a leaf, a dome, a tent.
const SHAPES: [&str; 4] = [
    "M-9 0a9 9 0 1 1 18 0a9 9 0 1 1-18 0z",
    "M-9-9H1a8 8 0 0 1 8 8V1a8 8 0 0 1-8 8H-1a8 8 0 0 1-8-8z",
    "M-11 5a11 11 0 0 1 22 0z",
    "M-10 7L0-9L10 7z",
];

/// Appends two or three shapes that depend on the author alone, or a silhouette if there is no author.
pub(super) fn avatar(out: &mut String, author: Option<&str>) {
    out.push_str("<svg class=\"avatar\" viewBox=\"0 0 36 36\" aria-hidden=\"true\">");
    let Some(author) = author else {
        out.push_str(
            "<path fill=\"currentColor\" opacity=\".1\" d=\"M0 0h36v36H0z\"></path>\
             <path fill=\"currentColor\" opacity=\".3\" d=\"M12 15a6 6 0 1 1 12 0a6 6 0 1 1-12 0M6 36a12 12 0 0 1 24 0z\"></path></svg>",
        );
        return;
    };
    // FNV-1a, then a linear congruential generator (Numerical Recipes), as in static/widget/avatar.js.
    let mut state = author
        .bytes()
        .fold(2_166_136_261_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619));
    let mut random = |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) % below
    };
    let hue = random(12) as usize;
    let rotation = random(8) * 45;
    let shapes = 2 + random(2) as usize;
    put(
        out,
        format_args!(
            "<path fill=\"{}\" opacity=\".2\" d=\"M0 0h36v36H0z\"></path><g transform=\"rotate({rotation} 18 18)\">",
            HUES[hue]
        ),
    );
    for (hue_offset, x, y, size) in
        [(0, 12, 13, 8), (1, 24, 22, 8), (10, 22, 9, 4)].into_iter().take(shapes)
    {
        let (x, y, angle, size) = (x + random(4), y + random(4), random(8) * 45, size + random(4));
        put(
            out,
            format_args!(
                "<path fill=\"{}\" opacity=\".8\" transform=\"translate({x} {y}) rotate({angle}) scale({}.{})\" d=\"{}\"></path>",
                HUES[(hue + hue_offset) % 12],
                size / 10,
                size % 10,
                SHAPES[random(4) as usize],
            ),
        );
    }
    out.push_str("</g></svg>");
}
