//! Folds a text so that what looks alike is alike: lower case, no accents, nothing invisible, plain letters for styled ones.
//!
//! Pure. Knows no word and no list; Unicode's data is in the table below, since a crate for all of it would be larger than what needs it.

use std::{borrow::Cow, sync::LazyLock};

use crate::comment::shown_text::is_invisible;

/// Letters that become others: those whose canonical or compatibility decomposition (Unicode 15, NFKD, lower case) is another letter with
/// marks or in another style, and letters with a stroke, which Unicode does not decompose.
#[rustfmt::skip]
const LETTERS: [(&str, &str); 82] = [
    ("0", "⁰₀⓪"),
    ("1", "¹₁①"),
    ("2", "²₂②"),
    ("3", "³₃③"),
    ("4", "⁴₄④"),
    ("5", "⁵₅⑤"),
    ("6", "⁶₆⑥"),
    ("7", "⁷₇⑦"),
    ("8", "⁸₈⑧"),
    ("9", "⁹₉⑨"),
    ("a", "ªàáâãäåāăąǎǟǡǻȁȃȧᴬᵃḁạảấầẩẫậắằẳẵặₐⓐ"),
    ("ae", "æǣǽᴭ"),
    ("b", "ƀᴮᵇḃḅḇⓑℬ"),
    ("c", "çćĉċčȼḉⓒℂℭ"),
    ("d", "ðďđᴰᵈḋḍḏḑḓⓓⅅⅆ"),
    ("dz", "ǆǳ"),
    ("e", "èéêëēĕėęěȅȇȩɇᴱᵉḕḗḙḛḝẹẻẽếềểễệₑⓔℯℰⅇ"),
    ("f", "ḟⓕℱ"),
    ("ff", "ﬀ"),
    ("fi", "ﬁ"),
    ("fl", "ﬂ"),
    ("g", "ĝğġģǥǧǵᴳᵍḡⓖℊ"),
    ("h", "ĥħȟʰᴴḣḥḧḩḫẖⓗℋℌℍℎ"),
    ("i", "ìíîïĩīĭįıǐȉȋɨᴵᵢḭḯỉịⁱⓘℐℑⅈ"),
    ("ij", "ĳ"),
    ("j", "ĵǰȷɉʲᴶⓙⅉ"),
    ("k", "ķĸǩᴷᵏḱḳḵⓚ"),
    ("l", "ĺļľłˡᴸḷḹḻḽⓛℒℓ"),
    ("lj", "ǉ"),
    ("m", "ᴹᵐḿṁṃⓜℳ"),
    ("n", "ñńņňŋǹᴺᵑṅṇṉṋⁿⓝℕ"),
    ("nj", "ǌ"),
    ("o", "ºòóôõöøōŏőơǒǫǭǿȍȏȫȭȯȱᴼᵒṍṏṑṓọỏốồổỗộớờởỡợₒⓞℴ"),
    ("oe", "œ"),
    ("p", "ᴾᵖṕṗⓟℙ"),
    ("q", "ⓠℚ"),
    ("r", "ŕŗřȑȓɍʳᴿᵣṙṛṝṟⓡℛℜℝ"),
    ("s", "śŝşšſșˢṡṣṥṧṩẛⓢ"),
    ("ss", "ßẞ"),
    ("st", "ﬅﬆ"),
    ("t", "ţťŧțᵀᵗṫṭṯṱẗⓣ"),
    ("th", "þ"),
    ("u", "ùúûüũūŭůűųưǔǖǘǚǜȕȗʉᵁᵘᵤṳṵṷṹṻụủứừửữựⓤ"),
    ("v", "ᵛᵥṽṿⓥ"),
    ("w", "ŵʷᵂẁẃẅẇẉẘⓦ"),
    ("x", "ˣẋẍₓⓧ"),
    ("y", "ýÿŷȳɏʸẏẙỳỵỷỹⓨ"),
    ("z", "źżžƶẑẓẕⓩℤℨ"),
    ("α", "άἀἁἂἃἄἅἆἇὰάᾀᾁᾂᾃᾄᾅᾆᾇᾰᾱᾲᾳᾴᾶᾷ"),
    ("β", "ϐᵝᵦ"),
    ("γ", "ᵞᵧ"),
    ("δ", "ᵟ"),
    ("ε", "έϵἐἑἒἓἔἕὲέ"),
    ("η", "ήἠἡἢἣἤἥἦἧὴήᾐᾑᾒᾓᾔᾕᾖᾗῂῃῄῆῇ"),
    ("θ", "ϑ"),
    ("ι", "ΐίϊἰἱἲἳἴἵἶἷὶίιῐῑῒΐῖῗ"),
    ("κ", "ϰ"),
    ("μ", "µ"),
    ("ο", "όὀὁὂὃὄὅὸό"),
    ("π", "ϖ"),
    ("ρ", "ϱᵨῤῥ"),
    ("σ", "ςϲ"),
    ("υ", "ΰϋύϒϓϔὐὑὒὓὔὕὖὗὺύῠῡῢΰῦῧ"),
    ("φ", "ϕᵠᵩ"),
    ("χ", "ᵡᵪ"),
    ("ω", "ώὠὡὢὣὤὥὦὧὼώᾠᾡᾢᾣᾤᾥᾦᾧῲῳῴῶῷ"),
    ("а", "ӑӓ"),
    ("г", "ѓґ"),
    ("е", "ѐёӗ"),
    ("ж", "ӂӝ"),
    ("з", "ӟ"),
    ("и", "йѝӣӥ"),
    ("к", "ќ"),
    ("о", "ӧ"),
    ("у", "ўӯӱӳ"),
    ("ч", "ӵ"),
    ("ы", "ӹ"),
    ("э", "ӭ"),
    ("і", "ї"),
    ("ѵ", "ѷ"),
    ("ә", "ӛ"),
    ("ө", "ӫ"),
];
/// [`LETTERS`] by the letter that is replaced: pairs of that and a position, sorted, of a type that is sorted elsewhere too.
static BASE_LETTERS: LazyLock<Vec<(u64, u64)>> = LazyLock::new(|| {
    let mut found: Vec<(u64, u64)> = Vec::new();
    for (position, (_, letters)) in (0..).zip(LETTERS) {
        found.extend(letters.chars().map(|char| (char.into(), position)));
    }
    found.sort_unstable();
    found
});

fn base_letter(char: char) -> Option<&'static str> {
    let found = BASE_LETTERS.binary_search_by_key(&u64::from(char), |(char, _)| *char).ok()?;
    Some(LETTERS[BASE_LETTERS[found].1 as usize].0)
}

/// Letters and marks that show nothing but take the room of a space.
const BLANKS: [char; 5] = ['\u{115f}', '\u{1160}', '\u{2800}', '\u{3164}', '\u{ffa0}'];

/// Folds a text. White space, digits and punctuation stay.
pub fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return match text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(text.to_ascii_lowercase()),
            false => Cow::Borrowed(text),
        };
    }
    let mut folded = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            _ if char.is_ascii() => folded.push(char.to_ascii_lowercase()),
            _ if BLANKS.contains(&char) => folded.push(' '),
            _ if is_mark(char) || (is_invisible(char) && !char.is_whitespace()) => {}
            _ => plain(char).to_lowercase().for_each(|char| match base_letter(char) {
                Some(base) => folded.push_str(base),
                None if is_mark(char) => {}
                None => folded.push(char),
            }),
        }
    }
    Cow::Owned(folded)
}

/// Marks above, below and through letters of Latin, Greek and Cyrillic, and the points of Hebrew and Arabic, which may be left out. Marks of
/// other scripts make other letters.
fn is_mark(char: char) -> bool {
    matches!(char,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}' | '\u{5c2}' | '\u{5c4}'
        | '\u{5c5}' | '\u{610}'..='\u{61a}' | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// The ASCII character that a fullwidth or mathematical one is a style of; quotation marks as ASCII has them.
fn plain(char: char) -> char {
    let offset_from = |first: u32| char as u32 - first;
    let ascii = match char {
        '\u{ff01}'..='\u{ff5e}' => offset_from(0xff01) + u32::from(b'!'),
        // Alphabets of 26 capital and 26 small letters, then digits.
        '\u{1d400}'..='\u{1d6a3}' => match offset_from(0x1d400) % 52 {
            letter @ 0..26 => letter + u32::from(b'a'),
            letter => letter - 26 + u32::from(b'a'),
        },
        // In parentheses, squares and circles.
        '\u{249c}'..='\u{24b5}' => offset_from(0x249c) + u32::from(b'a'),
        '\u{1f130}'..='\u{1f149}' => offset_from(0x1f130) + u32::from(b'a'),
        '\u{1f150}'..='\u{1f169}' => offset_from(0x1f150) + u32::from(b'a'),
        '\u{1f170}'..='\u{1f189}' => offset_from(0x1f170) + u32::from(b'a'),
        '\u{1d7ce}'..='\u{1d7ff}' => offset_from(0x1d7ce) % 10 + u32::from(b'0'),
        '\u{2018}' | '\u{2019}' | '\u{2bc}' => u32::from(b'\''),
        '\u{201c}' | '\u{201d}' => u32::from(b'"'),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => u32::from(b'-'),
        _ => return char,
    };
    char::from_u32(ascii).expect("it is ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_alike_is_alike() {
        for (text, folded) in [
            ("", ""),
            ("already plain, 1 + 1\n", "already plain, 1 + 1\n"),
            ("CASINO", "casino"),
            ("Çäśĩñő", "casino"),
            ("c\u{327}a\u{308}sin\u{303}o\u{30b}", "casino"),
            ("c\u{336}a\u{336}s\u{336}i\u{336}n\u{336}o\u{336}", "casino"),
            ("ca\u{200b}si\u{ad}n\u{2060}o\u{feff}", "casino"),
            ("ca\u{e0041}s\u{fe0f}ino", "casino"),
            ("ＣＡＳＩＮＯ１", "casino1"),
            ("𝐂𝐚𝐬𝐢𝐧𝐨 𝒞𝖺𝓈𝚒𝗻𝔬 𝟘𝟙𝟡", "casino casino 019"),
            ("ⓒⓐⓢⓘⓝⓞ ⒸⒶ", "casino ca"),
            ("Straße ŒUVRE Łódź Ørsted ﬁn", "strasse oeuvre lodz orsted fin"),
            ("İstanbul ISPARTA ısı", "istanbul isparta isi"),
            ("Việt Nam", "viet nam"),
            ("ΆΣΟΣ ἄσος", "ασοσ ασοσ"),
            ("ЁЛКА елка Й", "елка елка и"),
            ("שָׁלוֹם", "שלום"),
            ("مَرْحَبًا مرحـــبا", "مرحبا مرحبا"),
            ("a\u{a0}b\u{3000}c\u{2800}d\u{3164}e", "a\u{a0}b\u{3000}c d e"),
            ("don’t – “x”", "don't - \"x\""),
            ("が か ばか", "が か ばか"),
            ("👍\u{fe0f}", "👍"),
        ] {
            assert_eq!(fold(text), folded, "{text} {}", text.escape_unicode());
        }
    }

    #[test]
    fn each_letter_of_the_table_is_replaced_once_by_a_letter_that_stays() {
        let letters = || LETTERS.iter().flat_map(|(_, letters)| letters.chars());
        assert_eq!(BASE_LETTERS.len(), letters().count());
        for (base, letters) in LETTERS {
            assert_eq!(fold(base), base);
            for letter in letters.chars() {
                assert_eq!(fold(&letter.to_string()), base, "{letter}");
                let capital = letter.to_uppercase().to_string();
                assert_eq!(fold(&fold(&capital)), fold(&capital), "{letter}");
            }
        }
    }
}
