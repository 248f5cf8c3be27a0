//! How many messages a second somebody may send: a bucket of tokens, as a function of time.

/// A bucket that fills by so many tokens a second, up to as many as one second brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// Thousandths of a token that a millisecond brings, and so tokens that a second does.
    per_second: i64,
    /// Thousandths of a token; less than none where more were taken than there were.
    thousandths: i64,
    at_ms: u64,
}

impl Bucket {
    /// A full bucket, at a time in milliseconds.
    pub fn full(per_second: u32, at_ms: u64) -> Self {
        let per_second = i64::from(per_second.max(1));
        Self {
            per_second,
            thousandths: per_second * 1000,
            at_ms,
        }
    }

    /// Takes tokens out. More than the bucket holds are taken out of a full one, which then owes them:
    /// a request of many messages waits for the others, and is not refused for ever.
    ///
    /// # Errors
    /// With the milliseconds after which it is worth asking again.
    pub fn take(&mut self, tokens: u32, now_ms: u64) -> Result<(), u64> {
        self.fill(now_ms);
        let taken = i64::from(tokens) * 1000;
        let lacking = taken.min(self.per_second * 1000) - self.thousandths;
        if lacking > 0 {
            let milliseconds = lacking
                .unsigned_abs()
                .div_ceil(self.per_second.unsigned_abs());
            return Err(milliseconds);
        }
        self.thousandths -= taken;
        Ok(())
    }

    /// Whether nothing was taken out for so long that it is as a new one.
    pub fn is_full(&mut self, now_ms: u64) -> bool {
        self.fill(now_ms);
        self.thousandths >= self.per_second * 1000
    }

    fn fill(&mut self, now_ms: u64) {
        let passed = now_ms.saturating_sub(self.at_ms);
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        let brought = passed.saturating_mul(self.per_second);
        let full = self.per_second * 1000;
        self.thousandths = self.thousandths.saturating_add(brought).min(full);
        self.at_ms = self.at_ms.max(now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_brings_as_many_as_are_declared() {
        let mut bucket = Bucket::full(10, 0);
        for _ in 0..10 {
            assert_eq!(bucket.take(1, 0), Ok(()));
        }
        assert_eq!(bucket.take(1, 0), Err(100));
        assert_eq!(bucket.take(1, 99), Err(1));
        assert_eq!(bucket.take(1, 100), Ok(()));
        assert_eq!(bucket.take(5, 100), Err(500));
        assert!(!bucket.is_full(1099));
        assert!(bucket.is_full(1100));
    }

    #[test]
    fn more_than_a_second_brings_are_owed_and_not_refused_for_ever() {
        let mut bucket = Bucket::full(10, 0);
        assert_eq!(bucket.take(30, 0), Ok(()));
        assert_eq!(bucket.take(1, 1000), Err(1100));
        assert_eq!(bucket.take(1, 2100), Ok(()));
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing() {
        let mut bucket = Bucket::full(1, 5000);
        assert_eq!(bucket.take(1, 5000), Ok(()));
        assert_eq!(bucket.take(1, 1000), Err(1000));
        assert_eq!(bucket.take(1, 6000), Ok(()));
    }
}
