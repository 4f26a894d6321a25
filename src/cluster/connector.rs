//! Connects to Redis within a deadline that holds for looking up its host name, too.
//!
//! The operating system looks a name up for as long as it likes, and nothing stops it. So each connection is made by a thread of its own, which
//! nobody has to wait for. Knows neither addresses nor what a connection is for.

use std::{io, sync::Arc, time::Duration};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use redis::RedisResult;

use crate::util::threads;

/// Makes connections, one at a time.
pub struct Connector<C> {
    connect: Arc<dyn Fn() -> RedisResult<C> + Send + Sync>,
    /// What the thread brings that was not done in time.
    late: Option<Receiver<RedisResult<C>>>,
}

impl<C: Send + 'static> Connector<C> {
    /// Makes connections by `connect`, which may take any time.
    pub fn new(connect: impl Fn() -> RedisResult<C> + Send + Sync + 'static) -> Connector<C> {
        Connector { connect: Arc::new(connect), late: None }
    }

    /// Connects. A thread that is not done after `timeout` goes on, and the next call waits for it instead of starting a second one.
    ///
    /// # Errors
    /// Fails if there is no connection by then, and if there can be none.
    pub fn connect(&mut self, timeout: Duration) -> RedisResult<C> {
        let made = match self.late.take() {
            Some(late) => late,
            None => self.start()?,
        };
        match made.recv_timeout(timeout) {
            Ok(connection) => connection,
            Err(RecvTimeoutError::Timeout) => {
                self.late = Some(made);
                Err(io::Error::from(io::ErrorKind::TimedOut).into())
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(io::Error::other("the thread that connects has panicked").into())
            }
        }
    }

    fn start(&self) -> io::Result<Receiver<RedisResult<C>>> {
        let (take, made) = bounded(1);
        let connect = self.connect.clone();
        threads::start("connect", move || drop(take.send(connect())))?;
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use super::*;

    #[test]
    fn nobody_waits_for_a_name_that_is_looked_up_for_long_and_what_comes_of_it_is_used() {
        let (find, found) = bounded::<()>(0);
        let lookups = Arc::new(AtomicU32::new(0));
        let counted = lookups.clone();
        let mut connector = Connector::new(move || {
            // Blocks as the operating system does, until the name is found.
            let _ = found.recv();
            Ok(counted.fetch_add(1, Relaxed))
        });
        for _ in 0..3 {
            let error = connector.connect(Duration::from_millis(1)).unwrap_err();
            assert!(error.is_timeout(), "{error}");
        }
        find.send(()).unwrap();
        assert_eq!(connector.connect(Duration::MAX).unwrap(), 0);
        drop(find);
        assert_eq!(connector.connect(Duration::MAX).unwrap(), 1);
        assert_eq!(lookups.load(Relaxed), 2);
    }
}
