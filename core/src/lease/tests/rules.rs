//! Each rule of leasing by itself.

use super::*;

fn has(effects: &[Effect], which: impl Fn(&Effect) -> bool) -> bool {
    effects.iter().any(which)
}

fn accepted(effects: &[Effect]) -> bool {
    has(effects, |e| matches!(e, Effect::Accepted { .. }))
}

fn failed_for_good(effects: &[Effect]) -> Option<&Failure> {
    effects.iter().find_map(|effect| match effect {
        Effect::TaskFailed { failure, .. } => Some(failure),
        _ => None,
    })
}

#[test]
fn a_late_answer_is_fenced() {
    let mut desk = Desk::of_tasks(1);
    let old = desk.reports("a", &[])[0];
    desk.reports("a", &[(old, 1)]);
    desk.tick(LEASE + 1);
    let new = desk.reports("b", &[])[0];
    assert!(new > old);
    let fenced = Effect::Fenced {
        worker: "a".to_owned(),
        token: old,
    };
    assert_eq!(desk.finishes("a", old, Ok(())), [fenced]);
    assert_eq!(desk.task(0).attempts[0].state, AttemptState::Fenced);
    assert_eq!(desk.task(0).state, TaskState::Running);
    assert!(accepted(desk.finishes("b", new, Ok(()))));
    assert!(!accepted(desk.finishes("b", new, Ok(()))), "answered twice");
}

#[test]
fn an_answer_under_the_lease_of_another_worker_is_fenced() {
    let mut desk = Desk::of_tasks(1);
    let token = desk.reports("a", &[])[0];
    assert!(!accepted(desk.finishes("b", token, Ok(()))));
    assert_eq!(desk.task(0).state, TaskState::Running);
}

#[test]
fn a_token_of_an_earlier_office_is_revoked_and_fenced() {
    let mut desk = Desk::of_tasks(1);
    let earlier = Token {
        epoch: 6,
        number: 1,
    };
    desk.reports("a", &[(earlier, 5)]);
    let revoked = Effect::Revoke {
        worker: "a".to_owned(),
        token: earlier,
    };
    assert_eq!(desk.effects[0], revoked);
    assert!(!accepted(desk.finishes("a", earlier, Ok(()))));
}

#[test]
fn a_silent_worker_loses_its_task_after_the_lease_and_not_before() {
    let mut desk = Desk::of_tasks(1);
    let token = desk.reports("a", &[])[0];
    desk.reports("a", &[(token, 1)]);
    assert!(desk.tick(LEASE).is_empty());
    let effects = desk.tick(1).to_vec();
    assert!(has(&effects, |e| matches!(
        e,
        Effect::AttemptFailed { lost: true, .. }
    )));
    // Nothing is wrong with the task: it does not wait.
    assert_eq!(desk.task(0).state, TaskState::Ready);
}

#[test]
fn a_report_renews_the_lease() {
    let mut desk = Desk::of_tasks(1);
    let token = desk.reports("a", &[])[0];
    for _ in 0..5 {
        desk.now += LEASE;
        desk.reports("a", &[(token, 1)]);
        assert!(desk.tick(0).is_empty());
    }
}

#[test]
fn a_grant_that_was_not_confirmed_is_said_again_with_the_same_token() {
    let mut desk = Desk::of_tasks(2);
    let token = desk.reports("a", &[])[0];
    assert_eq!(desk.reports("a", &[]), [token]);
    assert_eq!(desk.reports("a", &[(token, 0)]), []);
    assert_eq!(desk.task(0).state, TaskState::Running);
}

#[test]
fn a_grant_that_is_never_confirmed_is_lost() {
    let mut desk = Desk::of_tasks(1);
    let token = desk.reports("a", &[])[0];
    desk.now += LEASE;
    assert_eq!(desk.reports("a", &[]), [token]);
    let effects = desk.tick(1).to_vec();
    assert!(has(&effects, |e| matches!(
        e,
        Effect::AttemptFailed { lost: true, .. }
    )));
}

#[test]
fn a_task_that_its_worker_no_longer_names_is_lost() {
    let mut desk = Desk::of_tasks(1);
    let token = desk.reports("a", &[])[0];
    desk.reports("a", &[(token, 0)]);
    desk.reports("a", &[]);
    assert_eq!(desk.task(0).attempts[0].state, AttemptState::Lost);
}

#[test]
fn a_report_that_was_overtaken_by_a_later_one_counts_for_nothing() {
    let mut desk = Desk::of_tasks(1);
    let numbered = |sequence: u64, held: Vec<Held>| Report {
        sequence,
        held,
        ..report("a")
    };
    let token = desk.reports_as(numbered(1, Vec::new()))[0];
    let progress = 0;
    desk.reports_as(numbered(3, vec![Held { token, progress }]));
    desk.reports_as(numbered(2, Vec::new()));
    assert_eq!(desk.task(0).attempts[0].state, AttemptState::Running);
    desk.reports_as(numbered(4, Vec::new()));
    assert_eq!(desk.task(0).attempts[0].state, AttemptState::Lost);
}

#[test]
fn an_attempt_that_does_not_get_on_is_given_up() {
    let mut desk = Desk::of_tasks(1);
    let token = desk.reports("a", &[])[0];
    let stall = Rules::default().stall_ms;
    for _ in 0..stall / LEASE {
        desk.now += LEASE;
        desk.reports("a", &[(token, 0)]);
        assert!(desk.tick(0).is_empty(), "at {}", desk.now);
    }
    let effects = desk.tick(1).to_vec();
    assert!(has(&effects, |e| matches!(e, Effect::Revoke { .. })));
    assert_eq!(desk.task(0).attempts[0].state, AttemptState::Failed);
    assert_eq!(desk.task(0).state, TaskState::Pending);
}

#[test]
fn progress_keeps_an_attempt() {
    let mut desk = Desk::of_tasks(1);
    let token = desk.reports("a", &[])[0];
    for progress in 1..2 * Rules::default().stall_ms / LEASE {
        desk.now += LEASE;
        desk.reports("a", &[(token, progress)]);
        assert!(desk.tick(0).is_empty());
    }
}

/// Two tasks: one that was answered after a second, one that runs on worker `a` since the start.
fn one_answered_one_running() -> (Desk, Token) {
    let mut desk = Desk::of_tasks(2);
    let slow = desk.reports("a", &[])[0];
    let quick = desk.reports("b", &[])[0];
    desk.now += 1_000;
    desk.reports("a", &[(slow, 1)]);
    desk.finishes("b", quick, Ok(()));
    (desk, slow)
}

#[test]
fn a_slow_task_gets_a_second_attempt_on_another_worker() {
    let (mut desk, slow) = one_answered_one_running();
    desk.now = Rules::default().speculate_after_ms;
    assert_eq!(desk.reports("b", &[]), [], "not before the limit");
    desk.now += 1;
    assert_eq!(
        desk.reports("a", &[(slow, 2)]),
        [],
        "never on its own worker"
    );
    let second = desk.reports("b", &[]);
    assert_eq!(second.len(), 1);
    assert_eq!(desk.reports("c", &[]), [], "two are enough");
    let effects = desk.finishes("b", second[0], Ok(())).to_vec();
    assert!(accepted(&effects));
    let revoked = Effect::Revoke {
        worker: "a".to_owned(),
        token: slow,
    };
    assert_eq!(effects[1], revoked);
    assert!(
        !accepted(desk.finishes("a", slow, Ok(()))),
        "answered twice"
    );
}

#[test]
fn a_failure_that_cannot_pass_does_not_wait_for_the_second_attempt() {
    let (mut desk, slow) = one_answered_one_running();
    desk.now = 9_000;
    desk.reports("a", &[(slow, 2)]);
    assert_eq!(desk.reports("b", &[]).len(), 1);
    let effects = desk
        .finishes("a", slow, Err(Failure::data("row 7")))
        .to_vec();
    assert!(failed_for_good(&effects).is_some());
    assert!(has(&effects, |e| matches!(e, Effect::Revoke { .. })));
}

#[test]
fn nothing_is_doubled_before_it_is_known_how_long_tasks_take() {
    let mut desk = Desk::of_tasks(1);
    let token = desk.reports("a", &[])[0];
    for _ in 0..100 {
        desk.now += LEASE;
        desk.reports("a", &[(token, desk.now)]);
        assert_eq!(desk.reports("b", &[]), []);
    }
}

#[test]
fn a_task_that_takes_as_long_as_the_others_is_not_doubled() {
    let mut desk = Desk::of_tasks(2);
    let first = desk.reports("b", &[])[0];
    desk.now = 8_000;
    let second = desk.reports("a", &[])[0];
    desk.finishes("b", first, Ok(()));
    desk.now += 16_000;
    desk.reports("a", &[(second, 1)]);
    assert_eq!(desk.reports("b", &[]), []);
    desk.now += 1;
    assert_eq!(desk.reports("b", &[]).len(), 1);
}

#[test]
fn a_straggler_that_does_not_fit_does_not_hide_another() {
    let mut desk = Desk::new();
    desk.enlist(1, vec![task(90), task(10), task(10), task(60)]);
    let large = desk.reports("a", &[])[0];
    let small = desk.reports("b", &[])[0];
    let quick = desk.reports("c", &[])[0];
    desk.finishes("c", quick, Ok(()));
    let busy = desk.reports("c", &[])[0];
    desk.now = 9_000;
    desk.reports("a", &[(large, 1)]);
    desk.reports("b", &[(small, 1)]);
    let two_slots = Report {
        slots: 2,
        held: vec![Held {
            token: busy,
            progress: 1,
        }],
        ..report("c")
    };
    // 60 of 100 are in use: the task of 90 cannot join, that of 10 can.
    assert_eq!(desk.reports_as(two_slots).len(), 1);
    assert_eq!(desk.task(1).attempts.len(), 2);
}

#[test]
fn what_cannot_pass_by_itself_is_not_tried_again() {
    for (class, again) in [
        (FailureClass::UserData, false),
        (FailureClass::UserConfig, false),
        (FailureClass::Bug, false),
        (FailureClass::Dependency, true),
        (FailureClass::RateLimit, true),
        (FailureClass::Infra, true),
    ] {
        let mut desk = Desk::of_tasks(1);
        let token = desk.reports("a", &[])[0];
        let failure = Failure::new(class, "x");
        let effects = desk.finishes("a", token, Err(failure.clone())).to_vec();
        let expected = (!again).then_some(&failure);
        assert_eq!(failed_for_good(&effects), expected, "{class:?}");
        let state = match again {
            true => TaskState::Pending,
            false => TaskState::Failed,
        };
        assert_eq!(desk.task(0).state, state, "{class:?}");
    }
}

#[test]
fn pauses_between_tries_double_up_to_a_limit() {
    let rules = Rules {
        max_attempts: 100,
        ..Rules::default()
    };
    let mut desk = Desk::with(rules);
    desk.enlist(1, vec![task(10)]);
    for pause in [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
        let token = desk.reports("a", &[])[0];
        desk.finishes("a", token, Err(infra()));
        desk.now += pause - 1;
        assert_eq!(desk.reports("a", &[]), [], "before {pause}");
        desk.now += 1;
    }
}

#[test]
fn a_step_may_retry_as_often_as_it_has_tasks_and_at_least_ten_times() {
    let rules = Rules {
        max_attempts: 100,
        ..Rules::default()
    };
    let mut desk = Desk::with(rules);
    desk.enlist(1, vec![task(10)]);
    for _ in 0..10 {
        desk.now += 30_000;
        let token = desk.reports("a", &[])[0];
        assert_eq!(
            failed_for_good(desk.finishes("a", token, Err(infra()))),
            None
        );
    }
    desk.now += 30_000;
    let token = desk.reports("a", &[])[0];
    let failure = failed_for_good(desk.finishes("a", token, Err(infra()))).cloned();
    let message = failure.unwrap().message;
    assert!(message.contains("tried again 10 times"), "{message}");
    assert!(message.ends_with("disk full"), "{message}");
}

#[test]
fn a_task_that_fails_on_two_workers_is_poison_after_three_attempts() {
    let mut desk = Desk::of_tasks(1);
    desk.reports("b", &[]);
    let Some(Effect::Grant { token, .. }) = desk.effects.first().cloned() else {
        panic!("b asked first and got nothing");
    };
    desk.reports("a", &[]);
    desk.finishes("b", token, Err(infra()));
    desk.now += 1_000;
    // The worker that failed leaves it to the other one.
    assert_eq!(desk.reports("b", &[]), []);
    let token = desk.reports("a", &[])[0];
    assert_eq!(
        failed_for_good(desk.finishes("a", token, Err(infra()))),
        None
    );
    desk.now += 2_000;
    let token = desk.reports("b", &[])[0];
    let failure = failed_for_good(desk.finishes("b", token, Err(infra()))).cloned();
    let failure = failure.unwrap();
    assert_eq!(failure.code, Some(ErrorCode::GivenUp));
    assert_eq!(
        failure.message,
        "a task of step merge was given up after 3 attempts \
         (failed on b, failed on a, failed on b): disk full"
    );
}

#[test]
fn a_task_that_fails_on_the_only_worker_is_poison_after_three_attempts() {
    let mut desk = Desk::of_tasks(1);
    for attempt in 1..=3 {
        desk.now += 30_000;
        let token = desk.reports("a", &[])[0];
        let poison = failed_for_good(desk.finishes("a", token, Err(infra()))).is_some();
        assert_eq!(poison, attempt == 3);
    }
}

#[test]
fn a_task_that_kills_its_workers_is_poison() {
    let mut desk = Desk::of_tasks(1);
    for (attempt, worker) in ["a", "b", "c"].into_iter().enumerate() {
        let token = desk.reports(worker, &[])[0];
        desk.reports(worker, &[(token, 1)]);
        let effects = desk.tick(LEASE + 1).to_vec();
        assert_eq!(failed_for_good(&effects).is_some(), attempt == 2);
    }
}

#[test]
fn a_failed_task_calls_back_the_rest_of_its_batch() {
    let mut desk = Desk::of_tasks(3);
    let first = desk.reports("a", &[])[0];
    let second = desk.reports("b", &[])[0];
    let effects = desk
        .finishes("a", first, Err(Failure::data("row 7")))
        .to_vec();
    let revoked = Effect::Revoke {
        worker: "b".to_owned(),
        token: second,
    };
    assert!(effects.contains(&revoked));
    assert_eq!(desk.task(2).state, TaskState::Cancelled);
    assert_eq!(desk.reports("a", &[]), []);
}

#[test]
fn tasks_share_the_memory_of_their_worker() {
    let mut desk = Desk::new();
    desk.enlist(1, vec![task(60), task(60), task(40)]);
    let roomy = Report {
        slots: 4,
        ..report("a")
    };
    assert_eq!(desk.reports_as(roomy).len(), 2);
    let used = desk.state().workers(desk.now)[0].used;
    assert_eq!(used, 100, "the tasks of 60 and of 40");
}

#[test]
fn a_task_larger_than_all_memory_runs_alone() {
    let mut desk = Desk::new();
    desk.enlist(1, vec![task(1_000), task(1)]);
    let roomy = || Report {
        slots: 4,
        ..report("a")
    };
    let tokens = desk.reports_as(roomy());
    assert_eq!(tokens.len(), 1);
    desk.finishes("a", tokens[0], Ok(()));
    assert_eq!(desk.reports_as(roomy()).len(), 1);
}

fn with(worker: &str, memory: u64) -> Report {
    Report {
        memory,
        ..report(worker)
    }
}

#[test]
fn a_task_too_large_for_a_worker_is_left_to_one_with_room() {
    let mut desk = Desk::new();
    desk.reports_as(Report {
        slots: 0,
        ..with("full", 5_000)
    });
    desk.reports_as(Report {
        draining: true,
        ..with("leaving", 5_000)
    });
    desk.reports_as(with("roomy", 1_000));
    desk.enlist(1, vec![task(1_000)]);
    assert_eq!(desk.reports_as(with("small", 100)), []);
    let token = desk.reports_as(with("roomy", 1_000))[0];
    // What spoilt it there may pass.
    desk.finishes("roomy", token, Err(infra()));
    desk.tick(desk.state().rules.backoff_ms);
    assert_eq!(desk.reports_as(with("small", 100)), []);
    assert_eq!(desk.reports_as(with("roomy", 1_000)).len(), 1);
}

#[test]
fn a_task_that_spoils_on_all_workers_with_room_is_given_up() {
    let mut desk = Desk::new();
    desk.reports_as(with("small", 100));
    desk.enlist(1, vec![task(1_000)]);
    let attempts = desk.state().rules.max_attempts;
    for _ in 0..attempts {
        let token = desk.reports_as(with("roomy", 1_000))[0];
        assert_eq!(desk.reports_as(with("small", 100)), []);
        desk.finishes("roomy", token, Err(infra()));
        desk.tick(desk.state().rules.backoff_max_ms);
    }
    assert_eq!(desk.task(0).state, TaskState::Failed);
}

#[test]
fn a_task_that_can_do_with_little_memory_is_left_to_nobody() {
    let mut desk = Desk::new();
    desk.reports("roomy", &[]);
    let least = 10;
    desk.enlist(
        1,
        vec![NewTask {
            least,
            ..task(1_000)
        }],
    );
    assert_eq!(desk.reports_as(with("small", least)).len(), 1);
}

#[test]
fn a_large_task_that_takes_long_is_begun_by_a_smaller_worker_too() {
    let mut desk = Desk::new();
    desk.reports_as(with("roomy", 1_000));
    desk.enlist(1, vec![task(1_000), task(10)]);
    let slow = desk.reports_as(with("roomy", 1_000))[0];
    let quick = desk.reports_as(with("small", 100))[0];
    desk.finishes("small", quick, Ok(()));
    let held = vec![Held {
        token: slow,
        progress: 1,
    }];
    let renewed = || Report {
        held: held.clone(),
        ..with("roomy", 1_000)
    };
    assert_eq!(desk.reports_as(with("small", 100)), []);
    desk.tick(desk.state().rules.speculate_after_ms);
    desk.reports_as(renewed());
    desk.tick(1);
    assert_eq!(desk.reports_as(with("small", 100)).len(), 1);
}

#[test]
fn a_task_gets_all_threads_where_there_are_fewer_tasks_than_threads() {
    let cases = [
        (1, 1, Threads::All),
        (2, 1, Threads::One),
        (2, 2, Threads::One),
        (2, 3, Threads::All),
    ];
    for (tasks, slots, expected) in cases {
        let mut desk = Desk::of_tasks(tasks);
        desk.reports_as(Report {
            slots,
            ..report("a")
        });
        let Effect::Grant { threads, .. } = &desk.effects[0] else {
            panic!("no grant");
        };
        assert_eq!(*threads, expected);
    }
}

#[test]
fn older_batches_come_first() {
    let mut desk = Desk::of_tasks(1);
    desk.enlist(2, vec![task(10)]);
    desk.reports("a", &[]);
    assert!(matches!(desk.effects[0], Effect::Grant { batch: 1, .. }));
}

#[test]
fn a_draining_worker_finishes_and_gets_nothing_new() {
    let mut desk = Desk::of_tasks(2);
    let token = desk.reports("a", &[])[0];
    let draining = |held: Vec<Held>| Report {
        draining: true,
        held,
        ..report("a")
    };
    let held = vec![Held { token, progress: 1 }];
    assert_eq!(desk.reports_as(draining(held)), []);
    assert!(accepted(desk.finishes("a", token, Ok(()))));
    assert_eq!(desk.reports_as(draining(Vec::new())), []);
    assert_eq!(desk.task(1).state, TaskState::Ready);
}

#[test]
fn a_grant_that_a_draining_worker_never_heard_of_is_taken_back_without_blame() {
    let mut desk = Desk::of_tasks(1);
    desk.reports("a", &[]);
    desk.reports_as(Report {
        draining: true,
        ..report("a")
    });
    assert_eq!(desk.task(0).state, TaskState::Ready);
    assert_eq!(desk.task(0).attempts[0].state, AttemptState::Cancelled);
    assert_eq!(desk.reports("b", &[]).len(), 1);
}

#[test]
fn a_cordoned_worker_gets_nothing_until_it_is_uncordoned() {
    let mut desk = Desk::of_tasks(1);
    let worker = || "a".to_owned();
    desk.happens(Event::Cordon { worker: worker() });
    assert_eq!(desk.reports("a", &[]), []);
    assert!(desk.state().workers(0)[0].cordoned);
    desk.happens(Event::Uncordon { worker: worker() });
    assert_eq!(desk.reports("a", &[]).len(), 1);
}

#[test]
fn a_cordoned_worker_keeps_what_it_runs() {
    let mut desk = Desk::of_tasks(1);
    let token = desk.reports("a", &[])[0];
    let worker = "a".to_owned();
    desk.happens(Event::Cordon { worker });
    desk.reports("a", &[(token, 1)]);
    assert!(accepted(desk.finishes("a", token, Ok(()))));
}

#[test]
fn a_worker_of_another_version_gets_nothing() {
    let mut desk = Desk::of_tasks(1);
    desk.reports_as(Report {
        version: "2".to_owned(),
        ..report("a")
    });
    let [Effect::Refused { reason, .. }] = &desk.effects[..] else {
        panic!("{:?}", desk.effects);
    };
    assert!(reason.message.contains("worker a is of version 2"));
    assert!(reason.remedy.contains("same version"));
    assert!(desk.state().workers(0).is_empty());
}

#[test]
fn a_withdrawn_batch_can_be_looked_at_until_it_is_forgotten() {
    let mut desk = Desk::of_tasks(2);
    let token = desk.reports("a", &[])[0];
    let effects = desk.happens(Event::Withdraw { batch: 1 });
    assert!(has(effects, |e| matches!(e, Effect::Revoke { .. })));
    assert_eq!(desk.task(0).attempts[0].state, AttemptState::Cancelled);
    assert_eq!(desk.task(1).state, TaskState::Cancelled);
    assert!(!accepted(desk.finishes("a", token, Ok(()))));
    desk.happens(Event::Forget { batch: 1 });
    assert!(desk.state().tasks(1).is_empty());
    assert_eq!(desk.state().queued(), 0);
}

#[test]
fn a_worker_that_is_silent_for_long_is_forgotten() {
    let mut desk = Desk::new();
    desk.reports("a", &[]);
    desk.tick(Rules::default().forget_worker_ms);
    assert!(desk.state().workers(desk.now)[0].lost);
    desk.tick(1);
    assert!(desk.state().workers(desk.now).is_empty());
}

#[test]
fn a_worker_without_slots_is_not_waited_for() {
    let mut desk = Desk::of_tasks(1);
    let token = desk.reports("a", &[])[0];
    // Its only slot is taken by a task that it was told to stop, and cannot.
    let stuck = Report {
        slots: 0,
        ..report("b")
    };
    desk.reports_as(stuck.clone());
    desk.finishes("a", token, Err(infra()));
    desk.now += 1_000;
    desk.reports_as(stuck);
    assert_eq!(desk.reports("a", &[]).len(), 1);
}

#[test]
fn a_token_is_read_as_it_is_written() {
    let token = Token {
        epoch: 3,
        number: 14,
    };
    assert_eq!(token.to_string(), "3.14");
    assert_eq!("3.14".parse(), Ok(token));
    for text in ["", "3", "3.", ".14", "3.14.1", "-1.2"] {
        assert!(text.parse::<Token>().is_err(), "{text:?}");
    }
}
