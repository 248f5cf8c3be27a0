//! Runs tasks on threads of this process, as many at a time as threads and memory allow.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use tenfold_coordinator::Executor;
use tenfold_core::failure::Failure;
use tenfold_core::refresh::task::{Task, TaskOutput};
use tenfold_worker::TaskContext;
use tenfold_worker::link::run_caught;

/// A pool of threads with a budget of memory.
pub struct Pool {
    /// What tasks may use.
    pub context: TaskContext,
    /// Threads of all tasks together.
    pub threads: usize,
    /// Memory that running tasks may take together, in bytes.
    pub memory: u64,
}

struct State {
    waiting: VecDeque<usize>,
    free: u64,
    running: usize,
    answers: Vec<Option<TaskOutput>>,
    failure: Option<Failure>,
}

impl Executor for Pool {
    fn execute<'a>(
        &'a self,
        tasks: &'a [Task],
        finished: &'a (dyn Fn() + Sync),
    ) -> BoxFuture<'a, Result<Vec<TaskOutput>, Failure>> {
        // The threads are this executor's own; the runtime's are left to requests.
        let run = move || self.execute_all(tasks, finished);
        async move { tokio::task::block_in_place(run) }.boxed()
    }
}

impl Pool {
    fn execute_all(
        &self,
        tasks: &[Task],
        finished: &(dyn Fn() + Sync),
    ) -> Result<Vec<TaskOutput>, Failure> {
        let state = Mutex::new(State {
            waiting: (0..tasks.len()).collect(),
            free: self.memory,
            running: 0,
            answers: tasks.iter().map(|_| None).collect(),
            failure: None,
        });
        let changed = Condvar::new();
        std::thread::scope(|scope| {
            for _ in 0..self.context.processors.tasks().min(tasks.len()) {
                scope.spawn(|| self.work(tasks, &state, &changed, finished));
            }
        });
        let state = state.into_inner().unwrap_or_else(PoisonError::into_inner);
        match state.failure {
            Some(failure) => Err(failure),
            None => Ok(state.answers.into_iter().flatten().collect()),
        }
    }

    fn work(
        &self,
        tasks: &[Task],
        state: &Mutex<State>,
        changed: &Condvar,
        finished: &(dyn Fn() + Sync),
    ) {
        while let Some((place, memory)) = self.take(tasks, state, changed) {
            let answer = self.run(&tasks[place], tasks.len());
            let mut state = lock(state);
            state.free += memory;
            state.running -= 1;
            match answer {
                Ok(answer) => state.answers[place] = Some(answer),
                Err(failure) => {
                    state.waiting.clear();
                    state.failure.get_or_insert(failure);
                }
            }
            drop(state);
            changed.notify_all();
            finished();
        }
    }

    /// Takes the next task once there is memory for it; a task alone always runs.
    fn take(
        &self,
        tasks: &[Task],
        state: &Mutex<State>,
        changed: &Condvar,
    ) -> Option<(usize, u64)> {
        let mut state = lock(state);
        loop {
            let place = *state.waiting.front()?;
            let memory = tasks[place].memory_bytes().min(self.memory);
            if memory <= state.free || state.running == 0 {
                state.waiting.pop_front();
                state.free = state.free.saturating_sub(memory);
                state.running += 1;
                return Some((place, memory));
            }
            state = changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Runs one task.
    fn run(&self, task: &Task, tasks: usize) -> Result<TaskOutput, Failure> {
        // Where there are fewer tasks than threads, each may use several.
        let context = TaskContext {
            threads: (self.threads / tasks).max(1),
            ..self.context.clone()
        };
        run_caught(task, &context)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
