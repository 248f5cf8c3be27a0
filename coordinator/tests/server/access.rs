//! Who may do what: each method, by each role, with tokens and with certificates.

use std::collections::BTreeSet;
use std::sync::Arc;

use prost::Message;
use prost_types::FileDescriptorSet;
use tenfold_coordinator::serve::access::{Access, METHODS, Needs, Role, needs};
use tenfold_coordinator::serve::check_exposure;
use tonic::Code;

use crate::support::{Authority, Served, call, token, tokens};

/// Every method that the server has, by the descriptors of its services.
fn methods() -> BTreeSet<String> {
    let sets = [
        tenfold_proto::DESCRIPTORS,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
    ];
    let mut methods = BTreeSet::new();
    for set in sets {
        for file in FileDescriptorSet::decode(set).unwrap().file {
            for service in &file.service {
                for method in &service.method {
                    let (package, service) = (file.package(), service.name());
                    methods.insert(format!("/{package}.{service}/{}", method.name()));
                }
            }
        }
    }
    methods
}

#[test]
fn every_method_has_a_row_and_every_row_a_method() {
    let rows: BTreeSet<String> = METHODS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(rows.len(), METHODS.len(), "a method has two rows");
    assert_eq!(rows, methods());
}

#[test]
fn only_methods_that_look_are_for_viewers() {
    let looks = [
        "Get",
        "List",
        "Watch",
        "Plan",
        "RunEvents",
        "ClusterStatus",
        "Preview",
        "ScheduleHistory",
        "ScheduleHistory",
    ];
    for method in methods() {
        let Some(name) = method.strip_prefix("/tenfold.v1.Operator/") else {
            continue;
        };
        let looks = looks.iter().any(|word| name.starts_with(word));
        match needs(&method) {
            Some(Needs::Look(Role::Viewer)) => assert!(looks, "{method} changes something"),
            Some(Needs::Change(Role::Operator | Role::Admin)) => {
                assert!(!looks, "{method} only looks");
            }
            other => panic!("{method} needs {other:?}"),
        }
    }
}

/// Who may call a method.
fn allowed(method: &str, role: Option<Role>) -> bool {
    match needs(method).unwrap() {
        Needs::Nothing => true,
        Needs::Look(needed) | Needs::Change(needed) => role.is_some_and(|role| role.may(needed)),
    }
}

#[tokio::test]
async fn each_role_may_call_what_the_table_says_by_token() {
    let access = Access::from_tokens(&tokens(), "tokens").unwrap();
    let served = Served::start(access, None).await;
    let channel = served.plain();
    for method in methods() {
        for role in Role::ALL {
            let code = call(&channel, &method, Some(&token(role))).await;
            let refused = code == Code::PermissionDenied;
            assert_eq!(
                refused,
                !allowed(&method, Some(role)),
                "{method} {role:?}: {code}"
            );
            assert_ne!(code, Code::Unauthenticated, "{method} {role:?}");
        }
        let nobody = call(&channel, &method, None).await;
        let refused = nobody == Code::Unauthenticated;
        assert_eq!(refused, !allowed(&method, None), "{method}: {nobody}");
    }
    served.stop().await;
}

#[tokio::test]
async fn roles_are_what_they_are() {
    use Role::{Admin, Operator, Viewer, Worker};
    let may = |role: Role| {
        Role::ALL
            .into_iter()
            .filter(move |needed| role.may(*needed))
    };
    let may = |role| may(role).collect::<Vec<_>>();
    assert_eq!(may(Viewer), [Viewer]);
    assert_eq!(may(Operator), [Viewer, Operator]);
    assert_eq!(may(Admin), [Viewer, Operator, Admin]);
    assert_eq!(may(Worker), [Worker]);
}

const STATUS: &str = "/tenfold.v1.Operator/ClusterStatus";
const DRAIN: &str = "/tenfold.v1.Operator/DrainWorker";
const WORK: &str = "/tenfold.v1.WorkerLink/Work";

#[tokio::test]
async fn each_role_may_call_what_the_table_says_by_certificate() {
    let authority = Authority::new("ours");
    let served = Served::start(Access::default(), Some(authority.server())).await;
    for role in Role::ALL {
        let own = authority.sign(&format!("{}.tenfold", role.name()));
        let channel = authority.channel(served.address, Some(&own));
        for method in methods() {
            let code = call(&channel, &method, None).await;
            let refused = code == Code::PermissionDenied;
            assert_eq!(
                refused,
                !allowed(&method, Some(role)),
                "{method} {role:?}: {code}"
            );
        }
    }
    served.stop().await;
}

#[tokio::test]
async fn certificates_that_prove_no_role_are_refused() {
    let authority = Authority::new("ours");
    let served = Served::start(Access::default(), Some(authority.server())).await;
    // A name that is no role, and none at all.
    let other = authority.sign("someone.example");
    for own in [Some(&other), None] {
        let channel = authority.channel(served.address, own);
        let code = call(&channel, STATUS, None).await;
        assert_eq!(code, Code::Unauthenticated);
    }
    // An authority of somebody else, and a certificate of ours that has expired: no connection.
    let foreign = Authority::new("foreign").sign("admin.tenfold");
    let expired = authority.sign_expired("admin.tenfold");
    for own in [&foreign, &expired] {
        let channel = authority.channel(served.address, Some(own));
        let code = call(&channel, DRAIN, None).await;
        assert!(matches!(code, Code::Unavailable | Code::Unknown), "{code}");
    }
    // A client that does not believe the server.
    let own = authority.sign("admin.tenfold");
    let channel = Authority::new("foreign").channel(served.address, Some(&own));
    let code = call(&channel, STATUS, None).await;
    assert!(matches!(code, Code::Unavailable | Code::Unknown), "{code}");
    served.stop().await;
}

#[tokio::test]
async fn a_server_with_tls_answers_nobody_without() {
    let authority = Authority::new("ours");
    let access = Access::from_tokens(&tokens(), "tokens").unwrap();
    let served = Served::start(access, Some(authority.server())).await;
    let plain = served.plain();
    let mut client = tenfold_proto::operator_client::OperatorClient::new(plain);
    let refused = client.cluster_status(tenfold_proto::ClusterStatusRequest {});
    assert!(refused.await.is_err());
    // Over TLS, a token alone is enough.
    let channel = authority.channel(served.address, None);
    let code = call(&channel, STATUS, Some(&token(Role::Viewer))).await;
    assert_eq!(code, Code::Ok);
    served.stop().await;
}

#[tokio::test]
async fn a_token_that_is_taken_away_ends_at_once() {
    let access = Access::from_tokens(&tokens(), "tokens").unwrap();
    let served = Served::start(access, None).await;
    let channel = served.plain();
    let viewer = token(Role::Viewer);
    assert_eq!(call(&channel, STATUS, Some(&viewer)).await, Code::Ok);
    served.access.send_replace(Arc::new(Access::default()));
    let code = call(&channel, STATUS, Some(&viewer)).await;
    assert_eq!(code, Code::Unauthenticated);
    served.stop().await;
}

#[tokio::test]
async fn changes_and_refused_calls_are_recorded_and_tell_no_secret() {
    let access = Access::from_tokens(&tokens(), "tokens").unwrap();
    let served = Served::start(access, None).await;
    let channel = served.plain();
    let viewer = token(Role::Viewer);
    let admin = token(Role::Admin);
    call(&channel, STATUS, Some(&viewer)).await;
    call(&channel, WORK, Some(&token(Role::Worker))).await;
    assert!(
        served.records().await.is_empty(),
        "looking leaves no record"
    );
    call(&channel, DRAIN, Some(&admin)).await;
    call(&channel, DRAIN, Some(&viewer)).await;
    for number in 0..50 {
        call(&channel, STATUS, Some("a-planted-secret")).await;
        call(&channel, &format!("/made.up/Method{number}"), None).await;
    }
    let records = served.records().await;
    let mut told: Vec<String> = records
        .iter()
        .map(|record| {
            assert_eq!(record["from"], "127.0.0.1");
            let word = |key: &str| record[key].as_str().unwrap().to_owned();
            format!(
                "{} {} {} {}",
                word("caller"),
                word("method").rsplit('/').next().unwrap(),
                word("decision"),
                word("code")
            )
        })
        .collect();
    told.sort();
    assert_eq!(
        told,
        [
            " ClusterStatus refused Unauthenticated",
            " unknown method refused Unimplemented",
            "the-admin DrainWorker allowed NotFound",
            "the-viewer DrainWorker refused PermissionDenied",
        ]
    );
    let store = served.store.clone();
    served.stop().await;
    let mut times = 0;
    for meta in store.list("").await.unwrap() {
        let bytes = store.get(&store.relative(&meta.location)).await.unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for secret in ["secret", "Bearer"] {
            assert!(!text.contains(secret), "{}: {text}", meta.location);
        }
        if meta.location.as_ref().starts_with("_audit") {
            let record: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            times += record["times"].as_u64().unwrap();
        }
    }
    assert_eq!(
        times, 102,
        "every refused call and every change is in a record"
    );
}

#[test]
fn beyond_this_machine_tls_and_authentication_are_needed() {
    let cases = [
        ("127.0.0.1:7400", false, false, None),
        ("[::1]:7400", false, false, None),
        ("0.0.0.0:7400", true, true, None),
        ("0.0.0.0:7400", false, false, Some("TLS and authentication")),
        ("0.0.0.0:7400", true, false, Some("no authentication")),
        ("10.1.2.3:7400", false, true, Some("no TLS")),
        ("[::]:7400", false, true, Some("no TLS")),
    ];
    for (address, tls, authenticates, refused) in cases {
        let checked = check_exposure(address.parse().unwrap(), tls, authenticates);
        match (checked, refused) {
            (Ok(()), None) => {}
            (Err(failure), Some(lacks)) => {
                assert!(failure.message.contains(lacks), "{failure}");
                assert!(failure.remedy.contains("--tls-cert"), "{failure}");
            }
            (checked, _) => panic!("{address}: {checked:?}"),
        }
    }
}
