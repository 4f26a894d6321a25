//! Which runs of `*`, `_` and `~~` begin and end what (CommonMark 0.31, §6.2 and phase 2 of its appendix; `~~` by the rules of `*`).
//!
//! Knows nothing of links: whoever has found one pairs the runs in it first. Takes time in proportion to the runs.

use super::inline::Mark;
use super::punctuation::is_punctuation;
use super::steps;
use super::writer::Tag;

/// Characters of one kind in a row.
#[derive(Clone, Copy)]
pub struct Run {
    byte: u8,
    /// What is not paired yet.
    start: usize,
    end: usize,
    /// The length of the whole, as the rule of three counts it.
    length: usize,
    opens: bool,
    closes: bool,
}

/// How many kinds of ends there are: characters, whether they open too, and lengths modulo three.
const KINDS: usize = 3 * 2 * 3;

impl Run {
    /// The run that begins at a position.
    pub fn at(text: &str, start: usize) -> Run {
        let byte = text.as_bytes()[start];
        let length = text.as_bytes()[start..].iter().take_while(|next| **next == byte).count();
        let end = start + length;
        let before = text[..start].chars().next_back().unwrap_or('\n');
        let after = text[end..].chars().next().unwrap_or('\n');
        let (mark_before, mark_after) = (is_punctuation(before), is_punctuation(after));
        let (space_before, space_after) = (before.is_whitespace(), after.is_whitespace());
        let left = !space_after && (!mark_after || space_before || mark_before);
        let right = !space_before && (!mark_before || space_after || mark_after);
        let (opens, closes) = match byte {
            b'_' => (left && (!right || mark_before), right && (!left || mark_after)),
            // "~5 to ~7" is no strikethrough.
            b'~' => (length == 2 && !space_after, length == 2 && (right || before == '~')),
            _ => (left, right),
        };
        Run { byte, start, end, length, opens, closes }
    }

    pub fn end(&self) -> usize {
        self.end
    }

    fn kind(&self) -> usize {
        let character = match self.byte {
            b'*' => 0,
            b'_' => 1,
            _ => 2,
        };
        (character * 2 + usize::from(self.opens)) * 3 + self.length % 3
    }

    fn is_paired_with(&self, end: &Run) -> bool {
        let both = self.closes || end.opens;
        let three = (self.length + end.length).is_multiple_of(3) && !end.length.is_multiple_of(3);
        self.byte == end.byte && !(both && three)
    }
}

/// Marks what the runs begin and end, in pairs that never cross.
pub fn pair(runs: &[Run], marks: &mut [Mark]) {
    let mut openers: Vec<Run> = Vec::new();
    // Before these positions, an end of that kind has no beginning.
    let mut bottoms = [0; KINDS];
    for run in runs {
        let mut run = *run;
        steps::count(1);
        while run.closes && run.start < run.end {
            let bottom = &mut bottoms[run.kind()];
            let Some(at) = opener(&openers, &run, *bottom) else {
                *bottom = run.start;
                break;
            };
            steps::count(1);
            openers.truncate(at + 1);
            let opener = &mut openers[at];
            let is_double = opener.end - opener.start >= 2 && run.end - run.start >= 2;
            let (width, tag) = match run.byte {
                b'~' => (2, Tag::Del),
                _ if is_double => (2, Tag::Strong),
                _ => (1, Tag::Em),
            };
            opener.end -= width;
            marks[opener.end..opener.end + width].fill(Mark::Nothing);
            marks[opener.end] = Mark::Start(tag);
            marks[run.start..run.start + width].fill(Mark::Nothing);
            marks[run.start] = Mark::End;
            run.start += width;
            if opener.start == opener.end {
                openers.pop();
            }
        }
        if run.opens && run.start < run.end {
            openers.push(run);
        }
    }
}

/// The nearest beginning for an end.
fn opener(openers: &[Run], end: &Run, bottom: usize) -> Option<usize> {
    let mut at = openers.len();
    while at > 0 && openers[at - 1].start >= bottom {
        at -= 1;
        steps::count(1);
        if openers[at].is_paired_with(end) {
            return Some(at);
        }
    }
    None
}
