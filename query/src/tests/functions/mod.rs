//! Functions beside those of DataFusion.

mod events;
mod fuzzy;
mod lists;
mod months;
mod peaks;

use super::*;

async fn shown(sql: &str) -> String {
    show(&session().await, sql).await
}

/// The query is refused, and the message has this in it.
async fn refused(sql: &str, part: &str) {
    let failure = refusal(sql).await;
    assert_eq!(failure.class, FailureClass::UserConfig, "{sql}: {failure}");
    assert!(failure.message.contains(part), "{sql}: {failure}");
}
