//! The comments' ids by rising number, 4 bytes each.
//!
//! An id is stored as its distance from the base of its segment; a new segment begins where that no longer fits into 32 bits, which
//! is hardly ever.

/// Ids, rising.
#[derive(Debug, Default)]
pub(super) struct Ids {
    distances: Vec<u32>,
    /// Where each segment begins, and the id there.
    segments: Vec<(u32, u64)>,
}

impl Ids {
    pub(super) fn len(&self) -> u32 {
        self.distances.len() as u32
    }

    /// Appends an id above all others.
    pub(super) fn push(&mut self, id: u64) {
        let base = self.segments.last().map(|segment| segment.1);
        let distance = base.and_then(|base| u32::try_from(id - base).ok());
        if distance.is_none() {
            self.segments.push((self.len(), id));
        }
        self.distances.push(distance.unwrap_or(0));
    }

    /// Removes the last id.
    pub(super) fn pop(&mut self) {
        self.distances.pop();
        if self.segments.last().is_some_and(|segment| segment.0 == self.len()) {
            self.segments.pop();
        }
    }

    pub(super) fn get(&self, number: u32) -> u64 {
        let base = match self.segments[..] {
            [(_, base)] => base,
            _ => {
                let after = self.segments.partition_point(|segment| segment.0 <= number);
                self.segments[after - 1].1
            }
        };
        base + u64::from(self.distances[number as usize])
    }

    pub(super) fn last(&self) -> Option<u64> {
        Some(self.get(self.len().checked_sub(1)?))
    }

    /// How many ids are below `id`; so the number of `id`, if it is one of them.
    pub(super) fn below(&self, id: u64) -> u32 {
        let after = self.segments.partition_point(|segment| segment.1 < id);
        let Some(&(start, base)) = after.checked_sub(1).map(|at| &self.segments[at]) else {
            return 0;
        };
        let end = self.segments.get(after).map_or(self.len(), |segment| segment.0);
        let distances = &self.distances[start as usize..end as usize];
        start + distances.partition_point(|&distance| u64::from(distance) < id - base) as u32
    }

    /// The number of `id`.
    pub(super) fn find(&self, id: u64) -> Option<u32> {
        let number = self.below(id);
        (number < self.len() && self.get(number) == id).then_some(number)
    }

    /// The number of `id`, if that is below `number`. Faster than [`Ids::find`] where it is not far below.
    pub(super) fn find_before(&self, number: u32, id: u64) -> Option<u32> {
        // Ids rise at least as fast as numbers.
        let distance = self.get(number).checked_sub(id).filter(|&distance| distance > 0)?;
        let mut low = number - u32::try_from(distance).unwrap_or(number).min(number);
        let mut step = 1;
        while step < number - low && self.get(low + step) <= id {
            low += step;
            step *= 2;
        }
        let mut high = number.min(low.saturating_add(step));
        while low + 1 < high {
            let middle = low.midpoint(high);
            if self.get(middle) <= id {
                low = middle;
            } else {
                high = middle;
            }
        }
        (self.get(low) == id).then_some(low)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.len()).map(|number| self.get(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_any_distance_are_found_and_no_others() {
        let all = [1, 2, 9, 1 << 20, (1 << 32) + 1, (1 << 32) + 2, 1 << 33, 1 << 61, (1 << 61) + 5];
        let mut ids = Ids::default();
        for (number, id) in (0..).zip(all) {
            assert_eq!((ids.find(id), ids.below(id)), (None, number));
            ids.push(id);
            ids.pop();
            assert_eq!(ids.last(), number.checked_sub(1).map(|last| all[last as usize]));
            ids.push(id);
        }
        assert!(ids.iter().eq(all));
        for (number, id) in (0..).zip(all) {
            assert_eq!((ids.find(id), ids.get(number)), (Some(number), id));
            assert_eq!((ids.below(id), ids.below(id + 1)), (number, number + 1));
            for (later, _) in (0..).zip(all) {
                assert_eq!(ids.find_before(later, id), Some(number).filter(|&it| it < later));
                assert_eq!(ids.find_before(later, id + 3), None);
            }
        }
        assert_eq!(
            (ids.find(0), ids.below(0), ids.find(3), ids.below(u64::MAX)),
            (None, 0, None, 9)
        );
    }
}
