//! Whose turn it is to call an account.
//!
//! Calls per second are those of an account, whoever calls: deliveries to several destinations of it, and
//! processes on several machines. So time is cut into spans, and a span is the turn of whoever creates
//! `_work/accounts/<account>/<span>.json` first. Nobody has to give a turn back, and one that was killed
//! has none any more when its span is over. Clocks that differ shift turns, and give none twice.

use std::time::Duration;

use bytes::Bytes;
use tenfold_core::activation::TokenBucket;
use tenfold_core::failure::Failure;
use tenfold_core::hash::sha256_hex;
use tenfold_store::object::Store;
use tenfold_store::settle::Settled;
use tokio::sync::Mutex;

const FOLDER: &str = "_work/accounts";

/// Shortest span, in milliseconds: others wait so long, and a request to the store is made so often.
const SPAN_MS: i64 = 10_000;

/// What whoever had the span before waits, so that others come first. It shrinks with each span since, and
/// whoever had none waits for nobody: so those who have waited longest come first.
const COURTESY: Duration = Duration::from_millis(100);

/// The turns of one sending.
pub struct Turns<'a> {
    store: &'a Store,
    folder: String,
    holder: &'a str,
    per_second: f64,
    span_ms: i64,
    now_ms: &'a (dyn Fn() -> i64 + Sync),
    mine: Mutex<Option<Mine>>,
}

/// The newest span that was ours.
#[derive(Clone, Copy)]
struct Mine {
    span: i64,
    bucket: TokenBucket,
}

impl<'a> Turns<'a> {
    /// Turns of an account that takes so many calls per second. No other sending has the name of the holder.
    pub fn new(
        store: &'a Store,
        account: &str,
        holder: &'a str,
        per_second: f64,
        now_ms: &'a (dyn Fn() -> i64 + Sync),
    ) -> Self {
        let one_call = (1000.0 / per_second.max(0.001)).ceil() as i64;
        let hash = sha256_hex(account.as_bytes());
        Self {
            store,
            folder: format!("{FOLDER}/{}", hash.get(..32).unwrap_or(&hash)),
            holder,
            per_second,
            span_ms: one_call.max(SPAN_MS),
            now_ms,
            mine: Mutex::new(None),
        }
    }

    /// Waits until a call may be made.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn wait(&self) -> Result<(), Failure> {
        let mut mine = self.mine.lock().await;
        loop {
            let now = (self.now_ms)();
            let span = now.div_euclid(self.span_ms);
            if let Some(held) = mine.as_mut().filter(|held| held.span == span) {
                let mut bucket = held.bucket;
                let wait = bucket.take(now.saturating_mul(1000));
                let left = self.left(now);
                if wait < left {
                    held.bucket = bucket;
                    tokio::time::sleep(wait).await;
                    return Ok(());
                }
                tokio::time::sleep(left).await;
                continue;
            }
            if let Some(since) = mine.map(|held| span.saturating_sub(held.span)) {
                tokio::time::sleep(COURTESY / u32::try_from(since.max(1)).unwrap_or(u32::MAX))
                    .await;
            }
            let before = mine.filter(|held| held.span == span - 1);
            if self.take(span).await? {
                let one = || TokenBucket::new(self.per_second, now.saturating_mul(1000));
                let bucket = before.map_or_else(one, |before| before.bucket);
                *mine = Some(Mine { span, bucket });
            } else {
                tokio::time::sleep(self.left((self.now_ms)())).await;
            }
        }
    }

    /// What is left of the span of a time.
    fn left(&self, now_ms: i64) -> Duration {
        let left = self.span_ms - now_ms.rem_euclid(self.span_ms);
        Duration::from_millis(left.unsigned_abs())
    }

    async fn take(&self, span: i64) -> Result<bool, Failure> {
        let path = format!("{}/{span}.json", self.folder);
        let holder = serde_json::json!({"holder": self.holder}).to_string();
        let settled = self.store.settle(&path, Bytes::from(holder)).await?;
        Ok(settled == Settled::Ours)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    /// When each of so many senders makes so many calls.
    async fn called(accounts: &[&str], calls: usize, per_second: f64) -> Vec<Vec<Duration>> {
        let store = Store::in_memory();
        let begun = Instant::now();
        let now_ms = move || begun.elapsed().as_millis() as i64;
        let sending = accounts.iter().enumerate().map(|(number, account)| {
            let store = &store;
            async move {
                let holder = format!("sender {number}");
                let turns = Turns::new(store, account, &holder, per_second, &now_ms);
                let mut at = Vec::new();
                for _ in 0..calls {
                    turns.wait().await.unwrap();
                    at.push(begun.elapsed());
                }
                at
            }
        });
        futures::future::join_all(sending).await
    }

    fn together(called: Vec<Vec<Duration>>) -> Vec<Duration> {
        let mut all = called.concat();
        all.sort();
        all
    }

    #[tokio::test(start_paused = true)]
    async fn senders_of_one_account_share_its_calls() {
        let called = called(&["crm", "crm", "crm"], 100, 5.0).await;
        let firsts: Vec<_> = called.iter().map(|at| at[0].as_secs()).collect();
        assert!(firsts.iter().all(|first| *first < 30), "{firsts:?}");
        let all = together(called);
        assert_eq!(all.len(), 300);
        // No window of ten seconds has more than fifty and those of one second.
        for (place, at) in all.iter().enumerate() {
            let until = *at + Duration::from_secs(10);
            let within = all[place..].iter().take_while(|at| **at < until).count();
            assert!(within <= 55, "{within} from {at:?}");
        }
        let took = all[299].as_secs_f64();
        assert!((57.0..70.0).contains(&took), "{took}");
    }

    #[tokio::test(start_paused = true)]
    async fn senders_of_several_accounts_do_not_wait_for_each_other() {
        let called = called(&["crm", "shop"], 100, 5.0).await;
        for at in called {
            assert!((19..23).contains(&at[99].as_secs()), "{:?}", at[99]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slow_accounts_have_long_spans() {
        let all = together(called(&["crm", "crm"], 3, 0.05).await);
        let gaps = all.windows(2).map(|two| (two[1] - two[0]).as_secs());
        assert!(
            gaps.clone().all(|gap| gap >= 19),
            "{:?}",
            gaps.collect::<Vec<_>>()
        );
    }
}
