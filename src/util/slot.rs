//! One answer from another thread.
//!
//! A channel of its own for each kind of answer would be several KB of code, so the channel here only says that the answer is there. Knows
//! nothing of what is asked.

use std::{
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::Instant,
};

use crossbeam_channel::{Receiver, TryRecvError, bounded};

/// Waits for an answer.
pub struct Slot<T> {
    answer: Arc<Mutex<Option<T>>>,
    answered: Receiver<()>,
}

/// What takes an answer, and where it can be waited for. Dropping the first means that there is none.
pub fn slot<T: Send + 'static>() -> (Box<dyn FnOnce(T) + Send>, Slot<T>) {
    let (sender, answered) = bounded(1);
    let slot = Slot { answer: Arc::default(), answered };
    let answer = slot.answer.clone();
    let take = move |told| {
        *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
        let _ = sender.try_send(());
    };
    (Box::new(take), slot)
}

impl<T> Slot<T> {
    /// Waits for the answer; `None` if there is none.
    pub fn wait(self) -> Option<T> {
        // Whoever drops what takes the answer ends the wait, too.
        let _ = self.answered.recv();
        self.taken()
    }

    /// Waits for the answer until `deadline`; `None` if there is none by then.
    pub fn wait_until(self, deadline: Instant) -> Option<T> {
        let _ = self.answered.recv_deadline(deadline);
        self.taken()
    }

    /// The answer, if it is there by now; `None` in its place if there will be none. Waits for nobody.
    pub fn look(&self) -> Poll<Option<T>> {
        match self.answered.try_recv() {
            Err(TryRecvError::Empty) => Poll::Pending,
            _ => Poll::Ready(self.taken()),
        }
    }

    fn taken(&self) -> Option<T> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_arrives_and_one_that_was_dropped_does_not() {
        let (take, slot) = slot::<u32>();
        take(7);
        assert_eq!(slot.wait(), Some(7));
        let (take, slot) = super::slot::<u32>();
        drop(take);
        assert_eq!(slot.wait(), None);
        let (_take, slot) = super::slot::<u32>();
        assert_eq!(slot.wait_until(Instant::now()), None);
        let (take, slot) = super::slot::<u32>();
        assert_eq!(slot.look(), Poll::Pending);
        take(7);
        assert_eq!(slot.look(), Poll::Ready(Some(7)));
        let (take, slot) = super::slot::<u32>();
        drop(take);
        assert_eq!(slot.look(), Poll::Ready(None));
    }
}
