//! From the answers of one step to the tasks of the next: the workflow, without running it.

use std::collections::BTreeMap;

use super::before::Before;
use super::part::PartRef;
use super::plan::Plan;
use super::restate::Spans;
use super::state::{ShardState, StateIndex};
use super::task::{
    AbsorbOutput, AccountsSpec, AssignOutput, AssignTask, AttributesTask, BoundariesTask,
    CampaignsTask, CutsTask, DecileSpec, FitTask, Fits, GatherTask, GroupBy, HoldoutShard,
    HoldoutTask, MergeClv, MergeOutput, MergeSource, MergeTask, ModelTask, PieceSegment,
    PurchaseRows, RankedValue, ResponsesTask, ScoreAttributes, ScoreOutput, ScoreTask, ShardRows,
    ShardValues, SplitOutput, SplitTask, Task, TotalsSpec, ValueSpec,
};
use crate::calendar::{Day, LookBack, Window, WindowKind, lookback_window};
use crate::clv;
use crate::hash::shards_with;
use crate::money::minor_per_major;
use crate::project::{
    self, Clv, ClvModel, DecileDeclaration, Holdout, Inactive, Lookback, Project, SourceKind, Ties,
    ValueAt,
};

/// Tasks that split the rows of a state over the shards of a plan with another number of them; none
/// where the number is the same.
pub fn split_tasks(plan: &Plan, previous: &StateIndex) -> Vec<Task> {
    let Some(shards_before) = plan.shards_before else {
        return Vec::new();
    };
    let sources = merge_sources(&plan.project);
    let task = |shard: u32| {
        let from = shards_with(shard, plan.shards, shards_before);
        let from = from.filter_map(|shard| previous.state.get(shard as usize));
        Task::Split(SplitTask {
            shard,
            shards: plan.shards,
            shards_before,
            customer_type: plan.project.customer.key_type,
            sources: sources.clone(),
            from: from.map(ShardState::rows_alone).collect(),
        })
    };
    (0..plan.shards).map(task).collect()
}

/// A state whose rows were split: what no shard has is as it was. The accounts are to be added up
/// anew.
pub fn split_state(plan: &Plan, previous: &StateIndex, split: Vec<SplitOutput>) -> StateIndex {
    StateIndex {
        shards: plan.shards,
        state: split.into_iter().map(|output| output.state).collect(),
        ..previous.clone()
    }
}

/// Tasks that bring each shard's state up to date, from the pieces that were absorbed for it.
pub fn merge_tasks(
    plan: &Plan,
    absorbed: &[(String, AbsorbOutput)],
    previous: Option<&StateIndex>,
) -> Vec<Task> {
    let sources = merge_sources(&plan.project);
    let spec = accounts_spec(plan);
    let mut pieces = pieces_by_shard(plan.shards, absorbed);
    let withdrawn: BTreeMap<String, Spans> = plan
        .restated
        .iter()
        .filter(|(_, restated)| !restated.days.is_empty())
        .map(|(source, restated)| (source.clone(), restated.days.clone()))
        .collect();
    let state = |shard: u32| previous.and_then(|index| index.state.get(shard as usize));
    let task = |shard: u32| {
        Task::Merge(MergeTask {
            shard,
            customer_type: plan.project.customer.key_type,
            sources: sources.clone(),
            spec: spec.clone(),
            pieces: pieces.remove(&shard).unwrap_or_default(),
            previous: state(shard).cloned().unwrap_or_default(),
            previous_spec: previous
                .filter(|_| plan.shards_before.is_none())
                .map(|index| index.accounts.clone()),
            withdrawn: withdrawn.clone(),
            contests: BTreeMap::new(),
        })
    };
    (0..plan.shards).map(task).collect()
}

/// What the accounts of a plan are for.
pub fn accounts_spec(plan: &Plan) -> AccountsSpec {
    AccountsSpec {
        as_of: plan.as_of,
        clv: plan.project.clv.as_ref().map(|clv| MergeClv {
            source: clv.source.clone(),
            value: clv.value.clone(),
            holdout_from: holdout_from(clv, plan.as_of),
        }),
        totals: totals(plan),
    }
}

/// The sources as the merge sees them.
pub(super) fn merge_sources(project: &Project) -> Vec<MergeSource> {
    let source = |(name, source): (&String, &project::Source)| MergeSource {
        source: name.clone(),
        measures: source.measures.keys().cloned().collect(),
        dimensions: source.dimensions.keys().cloned().collect(),
        event_ids: source.event_id.is_some(),
        horizon: source.event_id_horizon,
        kind: source.kind,
    };
    project.sources.iter().map(source).collect()
}

fn pieces_by_shard(
    shards: u32,
    absorbed: &[(String, AbsorbOutput)],
) -> BTreeMap<u32, Vec<PieceSegment>> {
    let mut by_shard: BTreeMap<u32, Vec<PieceSegment>> = BTreeMap::new();
    for (source, output) in absorbed {
        for pieces in &output.pieces {
            for segment in &pieces.segments {
                debug_assert!(segment.shard < shards);
                by_shard
                    .entry(segment.shard)
                    .or_default()
                    .push(PieceSegment {
                        source: source.clone(),
                        path: pieces.part.path.clone(),
                        segment: segment.clone(),
                    });
            }
        }
    }
    by_shard
}

/// First day of the holdout period: the start of the month so many months before `as_of`.
fn holdout_from(clv: &Clv, as_of: Day) -> Option<Day> {
    match clv.holdout {
        Holdout::None => None,
        Holdout::Months(months) => {
            lookback_window(as_of, LookBack::Months(months), WindowKind::CalendarMonths).start
        }
    }
}

fn totals(plan: &Plan) -> Vec<TotalsSpec> {
    let deciles = plan.project.deciles.iter();
    let needed = deciles.filter(|decile| decile.dimension().is_some() || !decile.ranks_clv());
    needed
        .filter_map(|decile| totals_of(plan, decile))
        .collect()
}

fn totals_of(plan: &Plan, decile: &DecileDeclaration) -> Option<TotalsSpec> {
    let (source, _) = plan.project.decile_source(decile)?;
    let windows = decile.lookbacks.iter().map(|lookback| {
        (
            lookback.suffix(),
            window(plan.as_of, *lookback, decile.window),
        )
    });
    Some(TotalsSpec {
        name: decile.name.clone(),
        source: source.clone(),
        measure: (!decile.ranks_clv()).then(|| decile.measure.clone()),
        windows: windows.collect(),
        by: decile.dimension().map(|dimension| GroupBy {
            dimension: dimension.clone(),
            latest: decile.value_at == ValueAt::Latest,
        }),
    })
}

fn window(as_of: Day, lookback: Lookback, kind: project::Window) -> Window {
    let kind = match kind {
        project::Window::Trailing => WindowKind::Trailing,
        project::Window::CalendarMonths => WindowKind::CalendarMonths,
    };
    let lookback = match lookback {
        Lookback::Months(months) => LookBack::Months(months),
        Lookback::Lifetime => LookBack::Lifetime,
    };
    lookback_window(as_of, lookback, kind)
}

/// The tasks that fit the models and check them by a holdout, when CLV is declared. Each takes about as
/// long as the other.
pub fn fit_tasks(plan: &Plan, merged: &[MergeOutput]) -> Vec<Task> {
    let Some(clv) = &plan.project.clv else {
        return Vec::new();
    };
    let buyers = merged.iter().map(|output| output.buyers).sum();
    let sampled = &merged[..sample(buyers, clv.fit_customers, merged.len())];
    let models: Vec<_> = clv.models.iter().copied().map(model).collect();
    let accounts = |output: &MergeOutput| output.state.accounts.clone();
    let fit = Task::Fit(FitTask {
        models: models.clone(),
        unit: unit(clv.unit),
        minor_per_major: minor_per_major(scale(&plan.project)),
        as_of: plan.as_of,
        accounts: sampled.iter().filter_map(accounts).collect(),
        score: score_spec(clv),
        sampled_from: (sampled.len() < merged.len()).then_some(buyers),
    });
    let shard = |output: &MergeOutput| {
        Some(HoldoutShard {
            accounts: output.state.accounts.clone()?,
            basis: output.state.basis.clone(),
        })
    };
    let holdout = holdout_from(clv, plan.as_of).map(|from| {
        Task::Holdout(HoldoutTask {
            models,
            unit: unit(clv.unit),
            from,
            as_of: plan.as_of,
            shards: sampled.iter().filter_map(shard).collect(),
        })
    });
    [fit].into_iter().chain(holdout).collect()
}

/// How many of the shards the models are fitted on. Shards are prefixes of the customers' hashes: the
/// first half, quarter or eighth of them is a sample that depends on nothing but the customers.
fn sample(buyers: u64, wanted: u64, shards: usize) -> usize {
    let halvings = (buyers / wanted.max(1)).max(1).ilog2();
    (shards >> halvings).max(1).min(shards)
}

fn model(declared: ClvModel) -> clv::TransactionModel {
    match declared {
        ClvModel::ParetoNbd => clv::TransactionModel::ParetoNbd,
        ClvModel::BgNbd => clv::TransactionModel::BgNbd,
        ClvModel::MbgNbd => clv::TransactionModel::MbgNbd,
    }
}

fn unit(declared: project::TimeUnit) -> clv::TimeUnit {
    match declared {
        project::TimeUnit::Day => clv::TimeUnit::Day,
        project::TimeUnit::Week => clv::TimeUnit::Week,
        project::TimeUnit::Month => clv::TimeUnit::Month,
    }
}

fn score_spec(clv: &Clv) -> clv::ScoreSpec {
    clv::ScoreSpec {
        without_end: true,
        horizons_months: clv.horizons.clone(),
        month_days: clv.month.days(),
        discount: match clv.discount {
            project::Discount::Annual(rate) => clv::Discount::Annual(rate),
            project::Discount::Monthly(rate) => clv::Discount::Monthly(rate),
        },
        margin: clv.margin,
    }
}

/// Decimal places of the value of a purchase.
fn scale(project: &Project) -> u8 {
    let value = project
        .clv
        .as_ref()
        .and_then(|clv| project.measure(&clv.value));
    value.map_or(0, |(_, _, measure)| measure.scale)
}

/// What the tables show of CLV, when it is declared.
pub fn value_spec(project: &Project) -> Option<ValueSpec> {
    let clv = project.clv.as_ref()?;
    Some(ValueSpec {
        scale: scale(project),
        horizons: clv.horizons.clone(),
    })
}

/// The deciles as the tasks see them.
pub fn decile_specs(project: &Project) -> Vec<DecileSpec> {
    project
        .deciles
        .iter()
        .map(|decile| decile_spec(project, decile))
        .collect()
}

fn decile_spec(project: &Project, decile: &DecileDeclaration) -> DecileSpec {
    let measure = project
        .measure(&decile.measure)
        .map(|(_, _, measure)| measure);
    DecileSpec {
        name: decile.name.clone(),
        value: match measure {
            Some(measure) => RankedValue::Measure {
                scale: measure.scale,
                money: measure.currency.is_some() || measure.scale > 0,
            },
            None => RankedValue::Clv,
        },
        word: decile.tile_word(),
        lookbacks: match measure {
            Some(_) => decile
                .lookbacks
                .iter()
                .map(|lookback| lookback.suffix())
                .collect(),
            None => vec![Lookback::Months(project::ALWAYS_HORIZON).suffix()],
        },
        by: decile.by.clone(),
        tiles: decile.tiles,
        inactive_as_zero: decile.inactive == Inactive::Zero,
        ties_together: decile.ties == Ties::Together,
        population: decile.population.clone(),
    }
}

/// The values of every shard that has customers.
pub fn shard_values(merged: &[MergeOutput]) -> Vec<ShardValues> {
    let values = |(shard, output): (usize, &MergeOutput)| {
        Some(ShardValues {
            shard: u32::try_from(shard).ok()?,
            accounts: output.state.accounts.clone()?,
            scores: None,
            totals: output.totals.clone(),
        })
    };
    merged.iter().enumerate().filter_map(values).collect()
}

/// Tasks that predict and count values, one per shard with customers.
pub fn score_tasks(
    plan: &Plan,
    fits: Option<&Fits>,
    before: &Before<'_>,
    merged: &[MergeOutput],
    values: &[ShardValues],
) -> Vec<Task> {
    let deciles = before.ranked(&plan.project);
    let value = value_spec(&plan.project);
    let task = |values: &ShardValues| {
        Task::Score(ScoreTask {
            values: values.clone(),
            as_of: plan.as_of,
            fits: fits.cloned(),
            held: before.held_fits().cloned(),
            value: value.clone(),
            deciles: deciles.clone(),
            attributes: merged
                .get(values.shard as usize)
                .and_then(|output| score_attributes(&plan.project, &output.state)),
        })
    };
    values.iter().map(task).collect()
}

/// What customers of a shard are like, where a decile ranks them apart by it.
fn score_attributes(project: &Project, state: &ShardState) -> Option<ScoreAttributes> {
    let by = project.deciles.iter();
    let by: BTreeMap<String, String> = by
        .filter_map(|decile| Some((decile.name.clone(), decile.attribute()?.clone())))
        .collect();
    let (name, source) = project.attributes().filter(|_| !by.is_empty())?;
    Some(ScoreAttributes {
        columns: source.dimensions.keys().cloned().collect(),
        runs: state.runs(name).to_vec(),
        by,
    })
}

/// The task that finds the cells with boundaries.
pub fn boundaries_task(plan: &Plan, before: &Before<'_>, scored: &[ScoreOutput]) -> Task {
    Task::Boundaries(BoundariesTask {
        deciles: before.ranked(&plan.project),
        histograms: scored
            .iter()
            .map(|output| output.histograms.clone())
            .collect(),
    })
}

/// Tasks that collect the rows of boundary cells, one per shard with customers.
pub fn gather_tasks(
    plan: &Plan,
    before: &Before<'_>,
    values: &[ShardValues],
    boundaries: &PartRef,
) -> Vec<Task> {
    let deciles = before.ranked(&plan.project);
    let task = |values: &ShardValues| {
        Task::Gather(GatherTask {
            values: values.clone(),
            deciles: deciles.clone(),
            boundaries: boundaries.clone(),
        })
    };
    values.iter().map(task).collect()
}

/// The task that picks the exact cuts.
pub fn cuts_task(
    plan: &Plan,
    before: &Before<'_>,
    boundaries: &PartRef,
    candidates: Vec<PartRef>,
) -> Task {
    Task::Cuts(CutsTask {
        customer_type: plan.project.customer.key_type,
        deciles: before.ranked(&plan.project),
        boundaries: boundaries.clone(),
        candidates,
    })
}

/// Tasks that write the tables keyed by customer, one per shard with customers.
pub fn assign_tasks(
    plan: &Plan,
    before: &Before<'_>,
    values: &[ShardValues],
    cuts: &PartRef,
) -> Vec<Task> {
    let deciles = before.ranked(&plan.project);
    let value = value_spec(&plan.project);
    let task = |values: &ShardValues| {
        Task::Assign(AssignTask {
            values: values.clone(),
            as_of: plan.as_of,
            value: value.clone(),
            deciles: deciles.clone(),
            cuts: cuts.clone(),
            tables: plan.tables.clone(),
            before: before.shard(values.shard),
        })
    };
    values.iter().map(task).collect()
}

/// Tasks that write what customers are like, one per shard; none without a source of attributes.
pub fn attributes_tasks(plan: &Plan, merged: &[MergeOutput]) -> Vec<Task> {
    let Some((name, source)) = plan.project.attributes() else {
        return Vec::new();
    };
    let column = |name: &String| (name.clone(), source.attribute_types.get(name).copied());
    let task = |(shard, output): (u32, &MergeOutput)| {
        Task::Attributes(AttributesTask {
            shard,
            customer_type: plan.project.customer.key_type,
            columns: source.dimensions.keys().map(column).collect(),
            runs: output.state.runs(name).to_vec(),
            as_of: plan.as_of,
            tables: plan.tables.clone(),
        })
    };
    (0..).zip(merged).map(task).collect()
}

/// Tasks that write the responses, one per shard; none without a source of them.
pub fn responses_tasks(plan: &Plan, merged: &[MergeOutput]) -> Vec<Task> {
    let project = &plan.project;
    let (mut responses, mut purchases) = (Vec::new(), None);
    for source in merge_sources(project) {
        let clv = project.clv.as_ref();
        if source.kind == SourceKind::Responses {
            responses.push(source);
        } else if let Some(clv) = clv.filter(|clv| clv.source == source.source) {
            purchases = Some((source, clv.value.clone()));
        }
    }
    if responses.is_empty() {
        return Vec::new();
    }
    let rows = |source: &MergeSource, state: &ShardState| ShardRows {
        runs: state.runs(&source.source).to_vec(),
        lost: state.lost.get(&source.source).cloned(),
        source: source.clone(),
    };
    let task = |(shard, output): (u32, &MergeOutput)| {
        let purchases = purchases.as_ref().map(|(source, value)| PurchaseRows {
            rows: rows(source, &output.state),
            value: value.clone(),
        });
        Task::Responses(ResponsesTask {
            shard,
            customer_type: project.customer.key_type,
            sources: responses
                .iter()
                .map(|source| rows(source, &output.state))
                .collect(),
            purchases,
            window_days: project.campaigns.window_days,
            as_of: plan.as_of,
            tables: plan.tables.clone(),
        })
    };
    (0..).zip(merged).map(task).collect()
}

/// The task that writes what campaigns came to.
pub fn campaigns_task(plan: &Plan, shards: Vec<PartRef>) -> Task {
    Task::Campaigns(CampaignsTask {
        shards,
        scale: value_spec(&plan.project).map(|value| value.scale),
        window_days: plan.project.campaigns.window_days,
        as_of: plan.as_of,
        tables: plan.tables.clone(),
    })
}

/// The task that writes facts and dimensions.
pub fn model_task(
    plan: &Plan,
    before: &Before<'_>,
    merged: &[MergeOutput],
    assigned: &[AssignOutput],
    fits: Option<&Fits>,
) -> Task {
    let first_day = merged.iter().filter_map(|output| output.first_day).min();
    Task::Model(ModelTask {
        as_of: plan.as_of,
        deciles: decile_specs(&plan.project),
        facts: assigned.iter().map(|output| output.facts.clone()).collect(),
        moves: assigned.iter().map(|output| output.moves.clone()).collect(),
        value: value_spec(&plan.project),
        fits: fits.cloned(),
        before: before.model(),
        drift_psi: plan.project.drift.psi,
        first_day: first_day.unwrap_or(plan.as_of),
        tables: plan.tables.clone(),
    })
}
