//! [`Lifetime`]: the ends of a connection that are nobody's fault. A limit of time is reached, or
//! the application ends it from outside.
//!
//! ```text
//! reached by the time that either side of the connection is told ─┐
//! RunningConnection::end, by any thread ──────────────────────────┴─> over, once and for all
//!     ─> each side of the connection looks at it in its next call, and fails with the error
//! ```
//!
//! Both sides of a connection share it, also when they are split. Each notes when it last moved
//! application data. Only connections whose configuration asks for it have one.

use core::task::Waker;
use core::time::Duration;

use crate::error::{Error, TimeLimit};
use crate::sync::{AtomicU8, Count, Mutex, MutexGuard, Ordering, PoisonError};

/// The limits of time of a configuration. `None` is no limit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TimeLimits {
    /// How old a connection gets.
    pub(crate) age: Option<Duration>,
    /// How long no application data moves in either direction.
    pub(crate) idle: Option<Duration>,
}

/// When a connection ends, and whether it has ended. All times are on the monotonic clock.
pub(crate) struct Lifetime {
    expires: Option<Duration>,
    idle: Option<Duration>,
    /// When application data was last sent and received, in nanoseconds.
    sent: Count,
    received: Count,
    /// One of the numbers below.
    over: AtomicU8,
    outside: Mutex<Outside>,
}

const RUNNING: u8 = 0;
const TOO_OLD: u8 = 1;
const IDLE: u8 = 2;
const ENDED: u8 = 3;

/// Whom to tell when the connection is ended from outside.
#[derive(Default)]
struct Outside {
    /// The tasks of an async stream.
    waker: Option<Waker>,
    /// The application's own hook.
    hook: Option<Hook>,
}

type Hook = Box<dyn FnOnce() + Send>;

impl Lifetime {
    /// Begins with the complete handshake. The connection was made at `began`.
    pub(super) fn begin(limits: TimeLimits, began: Duration, now: Duration) -> Self {
        let lifetime = Self {
            expires: limits.age.map(|age| began.saturating_add(age)),
            idle: limits.idle,
            sent: Count::default(),
            received: Count::default(),
            over: AtomicU8::new(RUNNING),
            outside: Mutex::default(),
        };
        lifetime.sent(now);
        lifetime
    }

    /// Notes that application data was sent. Called by the sending side alone.
    pub(crate) fn sent(&self, now: Duration) {
        advance(&self.sent, now);
    }

    /// Notes that application data was received. Called by the receiving side alone.
    pub(crate) fn received(&self, now: Duration) {
        advance(&self.received, now);
    }

    /// Returns when a limit is reached, and which. Whoever drives the connection tells it the time
    /// then.
    fn deadline_and_limit(&self) -> Option<(Duration, u8)> {
        let idle = self.idle.map(|idle| {
            let last = Duration::from_nanos(self.sent.get().max(self.received.get()));
            (last.saturating_add(idle), IDLE)
        });
        let age = self.expires.map(|expires| (expires, TOO_OLD));
        idle.into_iter().chain(age).min()
    }

    /// Returns when the connection is over: at once if it is already.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        match self.over() {
            Some(_) => Some(Duration::ZERO),
            None => self.deadline_and_limit().map(|(deadline, _)| deadline),
        }
    }

    /// Tells the time. A limit that is reached stays reached, whatever moves later.
    pub(crate) fn at(&self, now: Duration) {
        if let Some((deadline, limit)) = self.deadline_and_limit()
            && now >= deadline
        {
            self.end_by(limit);
        }
    }

    /// Returns the error that the connection ends with, if it is over.
    pub(crate) fn over(&self) -> Option<Error> {
        match self.over.load(Ordering::Acquire) {
            RUNNING => None,
            TOO_OLD => Some(Error::Expired {
                limit: TimeLimit::ConnectionAge,
            }),
            IDLE => Some(Error::Expired {
                limit: TimeLimit::Idle,
            }),
            _ => Some(Error::Ended),
        }
    }

    /// Ends the connection from outside, and tells those who wait. Returns false if it was over.
    pub(super) fn end(&self) -> bool {
        if !self.end_by(ENDED) {
            return false;
        }
        // Neither is called under the lock: a waker may poll the task at once.
        let Outside { waker, hook } = core::mem::take(&mut *self.outside());
        if let Some(waker) = waker {
            waker.wake();
        }
        if let Some(hook) = hook {
            hook();
        }
        true
    }

    /// Sets whom to wake when the connection is ended from outside.
    #[cfg(feature = "tokio")]
    pub(crate) fn set_waker(&self, waker: Waker) {
        self.outside().waker = Some(waker);
    }

    /// Sets what to call when the connection is ended from outside: at once, if it is already.
    pub(crate) fn on_end(&self, hook: Hook) {
        let mut outside = self.outside();
        // Whoever ends it takes the hook under the lock, after it is marked as over.
        if matches!(self.over(), Some(Error::Ended)) {
            drop(outside);
            hook();
        } else {
            outside.hook = Some(hook);
        }
    }

    /// Returns true for the first end.
    fn end_by(&self, reason: u8) -> bool {
        self.over
            .compare_exchange(RUNNING, reason, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    fn outside(&self) -> MutexGuard<'_, Outside> {
        // Nothing panics under the lock.
        self.outside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Moves a time forward. Only one side changes it.
fn advance(time: &Count, now: Duration) {
    let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
    time.add(now.saturating_sub(time.get()));
}
