//! Sorts by one type of key for all that is sorted seldom: each further type is some 4 KB of the program.
//!
//! Knows nothing of what is sorted.

/// Returns the positions of `keys` by rising key; equal keys stay in their order.
pub fn order_by_key(keys: &mut dyn Iterator<Item = u64>) -> Vec<u32> {
    // Pairs of the type that others sort, too.
    let mut order: Vec<(u64, u64)> = keys.zip(0..).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, position)| position as u32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_stay_in_their_order() {
        assert_eq!(order_by_key(&mut [5, 1, 5, 0].into_iter()), [3, 1, 0, 2]);
        assert!(order_by_key(&mut [].into_iter()).is_empty());
    }
}
