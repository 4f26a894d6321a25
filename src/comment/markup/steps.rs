//! Counts the steps of a rendering, so that tests can compare them with the length of the text. Does nothing in the program.

#[cfg(test)]
thread_local! {
    static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Counts steps, each of which takes at most a constant time.
#[inline]
pub fn count(_steps: usize) {
    #[cfg(test)]
    STEPS.set(STEPS.get() + _steps);
}

/// The steps of this thread since the last call.
#[cfg(test)]
pub fn take() -> usize {
    STEPS.take()
}
