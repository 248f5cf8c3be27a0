//! What each event makes of a task in each state, printed and compared.

use super::*;

/// A task, the lease that decides, and the worker that has it.
type Setup = (&'static str, fn() -> (Desk, Token));

const NEVER: Token = Token {
    epoch: 7,
    number: 99,
};

fn ready() -> (Desk, Token) {
    (Desk::of_tasks(1), NEVER)
}

fn leased() -> (Desk, Token) {
    let mut desk = Desk::of_tasks(1);
    let token = desk.reports("a", &[])[0];
    (desk, token)
}

fn running() -> (Desk, Token) {
    let (mut desk, token) = leased();
    desk.reports("a", &[(token, 1)]);
    (desk, token)
}

fn pending() -> (Desk, Token) {
    let (mut desk, token) = running();
    desk.finishes("a", token, Err(infra()));
    (desk, token)
}

fn lost() -> (Desk, Token) {
    let (mut desk, token) = running();
    desk.tick(LEASE + 1);
    (desk, token)
}

fn doubled() -> (Desk, Token) {
    let (mut desk, token) = running();
    // A second attempt under the rules needs other tasks; the table is of one task alone.
    let state = desk.state.as_mut().unwrap();
    state.batches.get_mut(&1).unwrap().durations.push(1);
    desk.now += 9_000;
    assert_eq!(desk.reports("b", &[]).len(), 1);
    desk.reports("a", &[(token, 2)]);
    (desk, token)
}

fn succeeded() -> (Desk, Token) {
    let (mut desk, token) = running();
    desk.finishes("a", token, Ok(()));
    (desk, token)
}

fn failed() -> (Desk, Token) {
    let (mut desk, token) = running();
    desk.finishes("a", token, Err(Failure::data("row 7")));
    (desk, token)
}

fn cancelled() -> (Desk, Token) {
    let (mut desk, token) = running();
    desk.happens(Event::Withdraw { batch: 1 });
    (desk, token)
}

const STATES: [Setup; 9] = [
    ("ready", ready),
    ("leased", leased),
    ("running", running),
    ("pending", pending),
    ("lost", lost),
    ("doubled", doubled),
    ("succeeded", succeeded),
    ("failed", failed),
    ("cancelled", cancelled),
];

type Happening = (&'static str, fn(&mut Desk, Token));

const EVENTS: [Happening; 12] = [
    ("a names it", |desk, token| {
        desk.reports("a", &[(token, 3)]);
    }),
    ("a names nothing", |desk, _| {
        desk.reports("a", &[]);
    }),
    ("a drains", |desk, _| {
        desk.reports_as(Report {
            draining: true,
            ..report("a")
        });
    }),
    ("c asks for work", |desk, _| {
        desk.reports("c", &[]);
    }),
    ("a answers", |desk, token| {
        desk.finishes("a", token, Ok(()));
    }),
    ("a fails: infra", |desk, token| {
        desk.finishes("a", token, Err(infra()));
    }),
    ("a fails: user_data", |desk, token| {
        desk.finishes("a", token, Err(Failure::data("row 7")));
    }),
    ("a lease passes", |desk, _| {
        desk.tick(LEASE + 1);
    }),
    ("a stall passes", |desk, token| {
        desk.now += Rules::default().stall_ms;
        let leases = &mut desk.state.as_mut().unwrap().leases;
        if let Some(lease) = leases.get_mut(&token) {
            lease.renewed = desk.now;
        }
        desk.tick(1);
    }),
    ("a is cordoned", |desk, _| {
        let worker = "a".to_owned();
        desk.happens(Event::Cordon { worker });
    }),
    ("withdrawn", |desk, _| {
        desk.happens(Event::Withdraw { batch: 1 });
    }),
    ("forgotten", |desk, _| {
        desk.happens(Event::Forget { batch: 1 });
    }),
];

fn named(effect: &Effect) -> String {
    match effect {
        Effect::Grant { worker, token, .. } => format!("grant {token} to {worker}"),
        Effect::Revoke { worker, token } => format!("revoke {token} of {worker}"),
        Effect::Fenced { token, .. } => format!("fence {token}"),
        Effect::Refused { worker, .. } => format!("refuse {worker}"),
        Effect::Accepted { token, .. } => format!("accept {token}"),
        Effect::AttemptFailed { worker, lost, .. } => {
            let how = if *lost { "lost" } else { "failed" };
            format!("attempt of {worker} {how}")
        }
        Effect::TaskFailed { .. } => "task failed".to_owned(),
    }
}

fn state_of(desk: &Desk) -> String {
    match desk.state().tasks(1).first() {
        Some(task) => format!("{:?}", task.state).to_lowercase(),
        None => "gone".to_owned(),
    }
}

#[test]
fn the_table_of_task_states_is_this() {
    let mut table = String::new();
    for (state, setup) in STATES {
        for (event, happens) in EVENTS {
            let (mut desk, token) = setup();
            happens(&mut desk, token);
            let effects: Vec<String> = desk.effects.iter().map(named).collect();
            let line = format!(
                "{state:<11}{event:<20}{:<11}{}",
                state_of(&desk),
                effects.join(", ")
            );
            table += &format!("{}\n", line.trim_end());
        }
        table.push('\n');
    }
    assert_eq!(
        table,
        include_str!("table.txt"),
        "the table is now:\n{table}"
    );
}
