//! Ids that several customers share are settled between merging and what follows.

use std::collections::BTreeMap;

use tenfold_core::failure::Failure;
use tenfold_core::refresh::plan::Plan;
use tenfold_core::refresh::shared::{Suspected, contenders_tasks, contest_tasks, suspects_tasks};
use tenfold_core::refresh::state::StateIndex;
use tenfold_core::refresh::task::{
    ContendersTask, Contest, MergeOutput, SuspectsTask, Task, TaskOutput,
};

use super::{Work, merge_output, mixed_up};

impl Work<'_> {
    /// Lets one event count for each id, whoever its customers are. Shards without suspects stay as
    /// they were merged.
    pub(super) async fn settle_shared(
        &mut self,
        plan: &Plan,
        previous: Option<&StateIndex>,
        mut merged: Vec<MergeOutput>,
    ) -> Result<Vec<MergeOutput>, Failure> {
        let suspected = self
            .suspects(suspects_tasks(plan, previous, &merged))
            .await?;
        if suspected.is_empty() {
            return Ok(merged);
        }
        let tasks = contenders_tasks(plan, &merged, &suspected);
        let contests = self.contests(tasks, suspected).await?;
        let tasks = contest_tasks(plan, &merged, &contests);
        let shards: Vec<u32> = tasks.iter().map(|task| task.shard).collect();
        let tasks = tasks.into_iter().map(Task::Merge).collect();
        let outputs = self.step("merge", tasks).await?;
        for (shard, output) in shards.into_iter().zip(outputs) {
            let output = merge_output(output)?;
            let earlier = merged.get_mut(shard as usize).ok_or_else(mixed_up)?;
            *earlier = output.after(earlier);
        }
        Ok(merged)
    }

    /// The suspects of each source that has some.
    async fn suspects(
        &mut self,
        tasks: Vec<SuspectsTask>,
    ) -> Result<BTreeMap<String, Suspected>, Failure> {
        let mut suspected: BTreeMap<String, Suspected> = BTreeMap::new();
        if tasks.is_empty() {
            return Ok(suspected);
        }
        let source = |task: &SuspectsTask| task.source.source.clone();
        let sources: Vec<String> = tasks.iter().map(source).collect();
        let tasks = tasks.into_iter().map(Task::Suspects).collect();
        let outputs = self.step("ids", tasks).await?;
        for (source, output) in sources.into_iter().zip(outputs) {
            let TaskOutput::Suspects(output) = output else {
                return Err(mixed_up());
            };
            self.summary.merge.bytes_read += output.bytes_read;
            if let Some(part) = output.suspects {
                let of_source = suspected.entry(source).or_default();
                of_source.parts.push(part);
                of_source.shards.extend(output.shards);
            }
        }
        Ok(suspected)
    }

    /// The events that have their ids.
    async fn contests(
        &mut self,
        tasks: Vec<ContendersTask>,
        suspected: BTreeMap<String, Suspected>,
    ) -> Result<BTreeMap<String, Contest>, Failure> {
        let contest = |(source, suspected): (String, Suspected)| {
            let contest = Contest {
                suspects: suspected.parts,
                contenders: Vec::new(),
            };
            (source, contest)
        };
        let mut contests: BTreeMap<String, Contest> = suspected.into_iter().map(contest).collect();
        let place = |task: &ContendersTask| (task.source.source.clone(), task.shard);
        let places: Vec<(String, u32)> = tasks.iter().map(place).collect();
        let tasks = tasks.into_iter().map(Task::Contenders).collect();
        let outputs = self.step("contenders", tasks).await?;
        for ((source, shard), output) in places.into_iter().zip(outputs) {
            let TaskOutput::Contenders(output) = output else {
                return Err(mixed_up());
            };
            self.summary.merge.bytes_read += output.bytes_read;
            let contest = contests.entry(source).or_default();
            contest.contenders.push((shard, output.contenders));
        }
        Ok(contests)
    }
}
