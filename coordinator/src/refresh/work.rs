//! The steps of a refresh, from what was planned to what is published.

mod shared;
mod user;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use tenfold_core::failure::{ErrorCode, Failure};
use tenfold_core::project::Quarantine;
use tenfold_core::refresh::before::Before;
use tenfold_core::refresh::counts::{Counts, CountsBySource};
use tenfold_core::refresh::part::PartRef;
use tenfold_core::refresh::plan::{Head, Plan};
use tenfold_core::refresh::state::{ShardState, StateIndex};
use tenfold_core::refresh::steps;
use tenfold_core::refresh::task::{
    AbsorbOutput, AssignOutput, Fits, GroupSummary, MergeOutput, ModelOutput, ScoreOutput,
    ShardValues, SplitOutput, TablePart, Task, TaskOutput,
};
use tenfold_core::refresh::user::Setting;
use tenfold_core::snapshot::RunSummary;
use tenfold_store::record;

use super::{Prepared, Refresh};
use crate::account::{absorbed_rows, check_balance, count_merged, next_state, warnings};
use crate::costs::Costs;
use crate::quarantine::by_reason;
use crate::run::RunRecord;
use crate::{Executor, Progress, Stopped, publish};

/// A refresh on its way.
pub(crate) struct Work<'a> {
    refresh: &'a Refresh<'a>,
    executor: &'a dyn Executor,
    progress: &'a dyn Progress,
    recorded: HashSet<String>,
    /// All tasks so far, and their parts: swept after publication.
    pub(super) tasks: BTreeSet<String>,
    pub(super) parts: Vec<PartRef>,
    summary: RunSummary,
    /// Parts of rows that this run refused.
    pub(super) refused: Vec<PartRef>,
    /// What the steps took.
    pub(super) costs: Costs<'a>,
}

/// What the steps up to the tables gave.
pub(crate) struct Computed {
    absorbed: Vec<(String, AbsorbOutput)>,
    merged: Vec<MergeOutput>,
    pub(crate) tables: Tables,
}

/// The tables, with what was found on the way to them.
pub(crate) struct Tables {
    pub(crate) parts: Vec<TablePart>,
    pub(crate) fits: Option<Fits>,
    groups: Vec<GroupSummary>,
    cuts: Option<PartRef>,
    /// What changed since the snapshot before, as far as a person should know.
    warnings: Vec<String>,
}

impl<'a> Work<'a> {
    pub(crate) async fn new(
        refresh: &'a Refresh<'a>,
        executor: &'a dyn Executor,
        progress: &'a dyn Progress,
        costs: Costs<'a>,
    ) -> Result<Self, Failure> {
        let recorded = record::recorded_tasks(refresh.store).await?;
        Ok(Self {
            refresh,
            executor,
            progress,
            recorded,
            tasks: BTreeSet::new(),
            parts: Vec::new(),
            summary: RunSummary::default(),
            refused: Vec::new(),
            costs,
        })
    }

    /// All steps, and publication.
    pub(super) async fn refresh(
        &mut self,
        prepared: Prepared,
        record: &mut RunRecord,
    ) -> Result<(), Stopped> {
        let plan = &prepared.planned.plan;
        let head = prepared.head.as_ref().filter(|_| !plan.from_scratch);
        self.summary.files_reused = prepared.planned.reused_files;
        // A backfill has no snapshot before it: the head is of a later day.
        let before = prepared.head.as_ref();
        let before = before.filter(|_| self.refresh.backfill.is_none());
        let computed = self.compute(plan, head, before).await?;
        let Computed {
            absorbed,
            merged,
            mut tables,
        } = computed;
        record
            .warnings
            .extend(warnings(&merged, tables.fits.as_ref()));
        record.warnings.append(&mut tables.warnings);
        record.summary = self.summary.clone();
        let state = next_state(plan, head, &absorbed, &merged, &self.summary.rows);
        let manifest = publish::Draft {
            prepared: &prepared,
            run: &record.run,
            backfill: self.refresh.backfill.clone(),
            published: (self.refresh.now)(),
            summary: self.summary.clone(),
            warnings: record.warnings.clone(),
            state,
            parts: tables.parts,
            fits: tables.fits,
            groups: tables.groups,
            cuts: tables.cuts,
            customers: merged.iter().map(|output| output.customers).sum(),
        };
        self.progress.step("publish", 1, 0);
        let published = manifest
            .publish(self.refresh.store, self.refresh.gate)
            .await?;
        self.progress.task_done();
        self.progress.step_done();
        self.costs.end("publish", 0);
        record.snapshot = Some(published.number);
        record.snapshot_hash = Some(published.snapshot_hash);
        Ok(())
    }

    /// All steps up to the tables: `head` has the state to go on from, `before` is the snapshot that
    /// the tables are compared with.
    pub(crate) async fn compute(
        &mut self,
        plan: &Plan,
        head: Option<&Head>,
        before: Option<&Head>,
    ) -> Result<Computed, Failure> {
        let absorbed = self.absorb(plan).await?;
        let mut rows = absorbed_rows(plan, &absorbed);
        self.refuse_too_many(plan, &rows)?;
        let previous = head.map(|head| &head.state);
        let split = match previous {
            Some(previous) if plan.shards_before.is_some() => {
                Some(self.split(plan, previous).await?)
            }
            _ => None,
        };
        let previous = split.as_ref().or(previous);
        let merged = self.merge(plan, &absorbed, previous).await?;
        count_merged(plan, head, &absorbed, &mut rows, &merged);
        check_balance(&rows)?;
        self.summary.rows = rows;
        let tables = self.tables(plan, before, &merged).await?;
        Ok(Computed {
            absorbed,
            merged,
            tables,
        })
    }

    /// Runs the tasks of a step, apart from those whose answer an earlier run left.
    async fn step(
        &mut self,
        name: &'static str,
        tasks: Vec<Task>,
    ) -> Result<Vec<TaskOutput>, Failure> {
        let mut answers: BTreeMap<usize, TaskOutput> = BTreeMap::new();
        let mut left = Vec::new();
        for (place, task) in tasks.into_iter().enumerate() {
            let id = task.id().map_err(|error| Failure::bug(error.to_string()))?;
            let adopted = match self.recorded.contains(&id) {
                true => record::adopt(self.refresh.store, &id).await?,
                false => None,
            };
            self.tasks.insert(id);
            match adopted {
                Some(output) => drop(answers.insert(place, output)),
                None => left.push((place, task)),
            }
        }
        self.summary.tasks_adopted += answers.len() as u64;
        self.summary.tasks_run += left.len() as u64;
        self.progress
            .step(name, answers.len() + left.len(), answers.len());
        let (places, tasks): (Vec<usize>, Vec<Task>) = left.into_iter().unzip();
        let outputs = self
            .executor
            .execute(&tasks, &|| self.progress.task_done())
            .await?;
        self.progress.step_done();
        self.costs.end(name, answers.len() + tasks.len());
        answers.extend(places.into_iter().zip(outputs));
        let answers: Vec<TaskOutput> = answers.into_values().collect();
        self.parts
            .extend(answers.iter().flat_map(|answer| answer.parts()).cloned());
        Ok(answers)
    }

    async fn absorb(&mut self, plan: &Plan) -> Result<Vec<(String, AbsorbOutput)>, Failure> {
        let tasks = plan.absorb.iter().cloned().map(Task::Absorb).collect();
        let sources = plan.absorb.iter().map(|task| task.mapping.source.clone());
        let outputs = self
            .step("absorb", tasks)
            .await?
            .into_iter()
            .map(absorb_output);
        let outputs = outputs.collect::<Result<Vec<_>, _>>()?;
        self.refused = outputs
            .iter()
            .filter_map(|output| output.quarantine.clone())
            .collect();
        let files: BTreeSet<&str> = outputs
            .iter()
            .flat_map(|output| &output.files)
            .map(|f| f.location.as_str())
            .collect();
        self.summary.files_read = files.len() as u64;
        Ok(sources.zip(outputs).collect())
    }

    /// Stops when more rows were refused than the project bears. What restated files hold now counts
    /// whole, whatever they held before.
    fn refuse_too_many(&self, plan: &Plan, rows: &CountsBySource) -> Result<(), Failure> {
        let restated = plan.restated.values().map(|restated| &restated.released);
        let rows: Vec<&Counts> = rows.values().chain(restated).collect();
        let read: i64 = rows.iter().map(|counts| counts.read).sum();
        let mut reasons = BTreeMap::new();
        for (reason, count) in rows.iter().flat_map(|counts| &counts.quarantined) {
            *reasons.entry(reason.clone()).or_default() += *count;
        }
        reasons.retain(|_, count| *count > 0);
        let refused: i64 = reasons.values().sum();
        let Quarantine {
            max_share,
            max_rows,
        } = self.refresh.project.quarantine;
        let too_many = max_rows.is_some_and(|max| refused.unsigned_abs() > max)
            || max_share.is_some_and(|max| refused as f64 > max * read as f64);
        if refused == 0 || !too_many {
            return Ok(());
        }
        Err(Failure::data(format!(
            "{refused} of {read} rows were refused, more than the project bears: {}",
            by_reason(&reasons)
        ))
        .code(ErrorCode::TooManyRefused)
        .remedy(
            "look at them with `tenfold quarantine ls`; mend the files or the mapping, or raise \
             `quarantine` in tenfold.yaml",
        ))
    }

    /// Splits the rows of the state over another number of shards.
    async fn split(&mut self, plan: &Plan, previous: &StateIndex) -> Result<StateIndex, Failure> {
        let outputs = self
            .step("split", steps::split_tasks(plan, previous))
            .await?
            .into_iter()
            .map(split_output);
        let outputs = outputs.collect::<Result<Vec<_>, _>>()?;
        for output in &outputs {
            self.summary.merge.bytes_read += output.bytes_read;
            self.summary.merge.bytes_written += output.bytes_written;
        }
        Ok(steps::split_state(plan, previous, outputs))
    }

    async fn merge(
        &mut self,
        plan: &Plan,
        absorbed: &[(String, AbsorbOutput)],
        previous: Option<&StateIndex>,
    ) -> Result<Vec<MergeOutput>, Failure> {
        let outputs = self
            .step("merge", steps::merge_tasks(plan, absorbed, previous))
            .await?;
        let outputs: Vec<MergeOutput> = outputs
            .into_iter()
            .map(merge_output)
            .collect::<Result<_, _>>()?;
        let outputs = self.settle_shared(plan, previous, outputs).await?;
        outputs
            .iter()
            .for_each(|output| self.summary.merge.add(&output.reach));
        Ok(outputs)
    }

    /// From the state to the tables: fit, score, cut, assign, model.
    async fn tables(
        &mut self,
        plan: &Plan,
        head: Option<&Head>,
        merged: &[MergeOutput],
    ) -> Result<Tables, Failure> {
        let fits = self.fit(plan, merged).await?;
        let mut values = steps::shard_values(merged);
        if values.is_empty() {
            return Err(
                Failure::data(format!("no event is before as_of {}", plan.as_of)).code(ErrorCode::NothingBefore).remedy(
                    "give a later --as-of, or check the filter and the time column of the sources",
                ),
            );
        }
        let before = Before::new(plan, head, fits.as_ref());
        let scored = self
            .score(plan, fits.as_ref(), &before, merged, &mut values)
            .await?;
        let (cuts, groups) = self.cut(plan, &before, &scored, &values).await?;
        let assigned: Vec<AssignOutput> = self
            .step("assign", steps::assign_tasks(plan, &before, &values, &cuts))
            .await?
            .into_iter()
            .map(assign_output)
            .collect::<Result<_, _>>()?;
        let model = steps::model_task(plan, &before, merged, &assigned, fits.as_ref());
        let model = model_output(self.one("model", model).await?)?;
        let mut parts: Vec<TablePart> = assigned
            .into_iter()
            .flat_map(|output| output.tables)
            .collect();
        parts.extend(model.tables);
        parts.extend(self.attributes(plan, merged).await?);
        parts.extend(self.responses(plan, merged).await?);
        let mut warnings: Vec<String> = before.notes.into_iter().chain(model.warnings).collect();
        let states: Vec<&ShardState> = merged.iter().map(|output| &output.state).collect();
        let setting = Setting::of(plan, &states, head);
        self.user_tables(plan, setting, &mut parts, &mut warnings)
            .await?;
        Ok(Tables {
            parts,
            fits,
            groups,
            cuts: Some(cuts),
            warnings,
        })
    }

    /// What customers are like, where a source says so.
    async fn attributes(
        &mut self,
        plan: &Plan,
        merged: &[MergeOutput],
    ) -> Result<Vec<TablePart>, Failure> {
        let tasks = steps::attributes_tasks(plan, merged);
        if tasks.is_empty() {
            return Ok(Vec::new());
        }
        let outputs = self.step("attributes", tasks).await?.into_iter();
        let table = |output| match output {
            TaskOutput::Attributes(output) => Ok(output.table),
            _ => Err(mixed_up()),
        };
        outputs.map(table).collect()
    }

    /// What became of campaigns, where a source says so.
    async fn responses(
        &mut self,
        plan: &Plan,
        merged: &[MergeOutput],
    ) -> Result<Vec<TablePart>, Failure> {
        let tasks = steps::responses_tasks(plan, merged);
        if tasks.is_empty() {
            return Ok(Vec::new());
        }
        let (mut tables, mut shards) = (Vec::new(), Vec::new());
        for output in self.step("responses", tasks).await? {
            let TaskOutput::Responses(output) = output else {
                return Err(mixed_up());
            };
            tables.push(output.table);
            shards.push(output.campaigns);
        }
        let task = steps::campaigns_task(plan, shards);
        match self.one("campaigns", task).await? {
            TaskOutput::Campaigns(output) => tables.extend(output.tables),
            _ => return Err(mixed_up()),
        }
        Ok(tables)
    }

    /// The models, with how they did in the holdout; none where no CLV is declared.
    async fn fit(&mut self, plan: &Plan, merged: &[MergeOutput]) -> Result<Option<Fits>, Failure> {
        let tasks = steps::fit_tasks(plan, merged);
        if tasks.is_empty() {
            return Ok(None);
        }
        let (mut fits, mut holdout) = (None, Vec::new());
        for output in self.step("fit", tasks).await? {
            match output {
                TaskOutput::Fit(output) => fits = Some(*output),
                TaskOutput::Holdout(output) => holdout = output.records,
                _ => return Err(mixed_up()),
            }
        }
        let fits = fits.ok_or_else(mixed_up)?;
        Ok(Some(Fits { holdout, ..fits }))
    }

    async fn score(
        &mut self,
        plan: &Plan,
        fits: Option<&Fits>,
        before: &Before<'_>,
        merged: &[MergeOutput],
        values: &mut [ShardValues],
    ) -> Result<Vec<ScoreOutput>, Failure> {
        let tasks = steps::score_tasks(plan, fits, before, merged, values);
        let outputs = self.step("score", tasks).await?;
        let scored: Vec<ScoreOutput> = outputs
            .into_iter()
            .map(score_output)
            .collect::<Result<_, _>>()?;
        for (values, output) in values.iter_mut().zip(&scored) {
            values.scores = output.scores.clone();
            values.totals.extend(output.totals.clone());
        }
        Ok(scored)
    }

    async fn cut(
        &mut self,
        plan: &Plan,
        before: &Before<'_>,
        scored: &[ScoreOutput],
        values: &[ShardValues],
    ) -> Result<(PartRef, Vec<GroupSummary>), Failure> {
        let boundaries = match self
            .one("cells", steps::boundaries_task(plan, before, scored))
            .await?
        {
            TaskOutput::Boundaries(output) => output.boundaries,
            _ => return Err(mixed_up()),
        };
        let gathered = self
            .step(
                "gather",
                steps::gather_tasks(plan, before, values, &boundaries),
            )
            .await?;
        let mut candidates = Vec::new();
        for output in gathered {
            match output {
                TaskOutput::Gather(output) => candidates.extend(output.candidates),
                _ => return Err(mixed_up()),
            }
        }
        match self
            .one(
                "cut",
                steps::cuts_task(plan, before, &boundaries, candidates),
            )
            .await?
        {
            TaskOutput::Cuts(output) => Ok((output.cuts, output.groups)),
            _ => Err(mixed_up()),
        }
    }

    async fn one(&mut self, name: &'static str, task: Task) -> Result<TaskOutput, Failure> {
        self.step(name, vec![task])
            .await?
            .pop()
            .ok_or_else(mixed_up)
    }
}

fn mixed_up() -> Failure {
    Failure::bug("a task was answered by the answer of another step")
}

fn absorb_output(output: TaskOutput) -> Result<AbsorbOutput, Failure> {
    if let TaskOutput::Absorb(output) = output {
        Ok(output)
    } else {
        Err(mixed_up())
    }
}

fn split_output(output: TaskOutput) -> Result<SplitOutput, Failure> {
    if let TaskOutput::Split(output) = output {
        Ok(output)
    } else {
        Err(mixed_up())
    }
}

fn merge_output(output: TaskOutput) -> Result<MergeOutput, Failure> {
    if let TaskOutput::Merge(output) = output {
        Ok(output)
    } else {
        Err(mixed_up())
    }
}

fn score_output(output: TaskOutput) -> Result<ScoreOutput, Failure> {
    if let TaskOutput::Score(output) = output {
        Ok(output)
    } else {
        Err(mixed_up())
    }
}

fn assign_output(output: TaskOutput) -> Result<AssignOutput, Failure> {
    if let TaskOutput::Assign(output) = output {
        Ok(output)
    } else {
        Err(mixed_up())
    }
}

fn model_output(output: TaskOutput) -> Result<ModelOutput, Failure> {
    if let TaskOutput::Model(output) = output {
        Ok(output)
    } else {
        Err(mixed_up())
    }
}
