//! Whatever is done to records but cutting off the newest, shows.

use super::*;

type Kept = Vec<(String, Vec<u8>)>;

/// Records of offices that wrote so many each.
fn written(offices: &[(u64, u64)]) -> Kept {
    let mut kept = Kept::new();
    let mut before = None;
    for (epoch, records) in offices {
        for number in 1..=*records {
            let record = Record {
                format: Record::FORMAT,
                epoch: *epoch,
                number,
                before: before.take(),
                call: Call {
                    at: format!("2024-05-01T00:00:{number:02}Z"),
                    caller: "jane".to_owned(),
                    from: None,
                    method: "/tenfold.v1.Operator/SubmitRun".to_owned(),
                    decision: "allowed".to_owned(),
                    code: "Ok".to_owned(),
                    times: 1,
                    until: None,
                },
            };
            let bytes = serde_json::to_vec(&record).unwrap();
            before = Some(Link {
                epoch: *epoch,
                number,
                sha256: sha256_hex(&bytes),
            });
            kept.push((record_path(*epoch, number), bytes));
        }
    }
    kept
}

fn seven() -> Kept {
    written(&[(3, 4), (8, 3)])
}

/// What is wrong, as (place, kind).
fn wrong(kept: &Kept) -> Vec<(String, Wrong)> {
    let findings = verify(kept, None).unwrap().findings;
    findings
        .into_iter()
        .map(|finding| (finding.record, finding.wrong))
        .collect()
}

#[test]
fn records_that_are_whole_give_the_newest_to_note() {
    let kept = seven();
    let verified = verify(&kept, None).unwrap();
    assert_eq!(verified.findings, []);
    assert_eq!((verified.records, verified.offices), (7, 2));
    let head = verified.head.unwrap();
    assert_eq!((head.epoch, head.number), (8, 3));
    assert_eq!(head.sha256, sha256_hex(&kept[6].1));
    assert_eq!(verify(&Kept::new(), None).unwrap(), Verified::default());
}

#[test]
fn one_that_is_gone_shows_wherever_it_was() {
    for gone in 0..6 {
        let mut kept = seven();
        let (place, _) = kept.remove(gone);
        assert_eq!(wrong(&kept), [(place, Wrong::Missing)]);
    }
    let mut kept = seven();
    kept.drain(1..4);
    let findings = verify(&kept, None).unwrap().findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].record, record_path(3, 2));
    assert!(findings[0].detail.contains("and 2 after it"));
    // A whole office.
    kept.remove(0);
    let findings = verify(&kept, None).unwrap().findings;
    assert_eq!(findings[0].record, record_path(3, 1));
    assert!(findings[0].detail.contains("and 3 after it"));
}

#[test]
fn one_that_was_changed_shows_wherever_it_is() {
    for changed in 0..6 {
        let mut kept = seven();
        let text = String::from_utf8(kept[changed].1.clone()).unwrap();
        kept[changed].1 = text.replace("jane", "mary").into_bytes();
        let place = kept[changed].0.clone();
        assert_eq!(wrong(&kept), [(place, Wrong::Changed)]);
    }
    let mut damaged = seven();
    damaged[2].1.truncate(40);
    let place = damaged[2].0.clone();
    assert!(wrong(&damaged).contains(&(place, Wrong::Changed)));
}

#[test]
fn one_that_is_there_twice_or_elsewhere_shows() {
    let mut kept = seven();
    let copy = ("_audit/copy.json".to_owned(), kept[1].1.clone());
    kept.push(copy);
    assert_eq!(
        wrong(&kept),
        [("_audit/copy.json".to_owned(), Wrong::Doubled)]
    );
    // The copy takes the place of another one.
    let mut kept = seven();
    kept[2].1 = kept[1].1.clone();
    let place = kept[2].0.clone();
    assert_eq!(
        wrong(&kept),
        [(place.clone(), Wrong::Missing), (place, Wrong::Doubled)]
    );
}

#[test]
fn the_newest_is_missed_by_its_noted_hash_alone() {
    let mut kept = seven();
    let head = verify(&kept, None).unwrap().head.unwrap();
    assert_eq!(verify(&kept, Some(&head.sha256)).unwrap().findings, []);
    kept.pop();
    assert_eq!(wrong(&kept), []);
    let findings = verify(&kept, Some(&head.sha256)).unwrap().findings;
    assert_eq!(findings.len(), 1);
    assert_eq!(
        (&findings[0].record, findings[0].wrong),
        (&head.sha256, Wrong::Missing)
    );
}

#[test]
fn records_from_before_there_were_links_are_counted_and_newer_ones_refused() {
    let mut kept = seven();
    let old = r#"{"format":1,"at":"2024-04-01T00:00:00Z","caller":"","method":"m","decision":"refused","code":"Ok","times":1}"#;
    kept.push(("_audit/2024-04-01/x.json".to_owned(), old.into()));
    let verified = verify(&kept, None).unwrap();
    assert_eq!((verified.unlinked, verified.findings.len()), (1, 0));
    let newer = br#"{"format":3,"epoch":9}"#.to_vec();
    kept.push((record_path(9, 1), newer));
    let failure = verify(&kept, None).unwrap_err();
    assert!(format::is_newer(&failure));
    assert!(failure.message.contains(&record_path(9, 1)), "{failure}");
}
