//! Dashboards in a bucket, where several processes write.

use bytes::Bytes;
use tenfold_core::failure::ErrorCode;
use tenfold_store::object::Store;

use super::Folder;

const ONE: &str = "title: One\n";
const TWO: &str = "title: Two\n";

#[tokio::test]
async fn of_several_processes_over_a_bucket_one_writes() {
    let store = Store::in_memory();
    store
        .put("tenfold.yaml", Bytes::from_static(b"project: p\n"))
        .await
        .unwrap();
    let (here, there) = (Folder::new(store.clone()), Folder::new(store.clone()));
    assert!(here.is_writable().await.unwrap());
    let first = here.put("ours", ONE, (false, None)).await.unwrap();
    let base = first.newest().unwrap().hash.clone();
    let texts = ["title: A\n", "title: B\n"];
    let how = (false, Some(base.as_str()));
    let (a, b) = tokio::join!(
        here.put("ours", texts[0], how),
        there.put("ours", texts[1], how)
    );
    let failed = [&a, &b].into_iter().filter_map(|done| done.as_ref().err());
    let codes: Vec<_> = failed.map(|failure| failure.code).collect();
    assert_eq!(codes, [Some(ErrorCode::DeclarationChanged)]);
    let kept = here.named("ours").await.unwrap().published.unwrap().text;
    let winner = if a.is_ok() { texts[0] } else { texts[1] };
    assert_eq!(kept, winner);
}

#[tokio::test]
async fn a_draft_that_a_killed_writer_left_is_published_again() {
    let store = Store::in_memory();
    store
        .put("tenfold.yaml", Bytes::from_static(b"project: p\n"))
        .await
        .unwrap();
    let folder = Folder::new(store.clone());
    let draft = folder.put("ours", TWO, (true, None)).await.unwrap();
    let base = draft.newest().unwrap().hash.clone();
    // It was published, and the process ended before the draft was deleted.
    store
        .put("dashboards/ours.yaml", Bytes::from_static(TWO.as_bytes()))
        .await
        .unwrap();
    let done = folder.put("ours", TWO, (false, Some(&base))).await.unwrap();
    assert!(done.draft.is_none());
    assert_eq!(done.published.unwrap().text, TWO);
}
