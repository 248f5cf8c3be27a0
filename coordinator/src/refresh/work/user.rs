//! User tables of a refresh: computed one group after the other, then checked.

use std::collections::BTreeMap;

use tenfold_core::failure::Failure;
use tenfold_core::refresh::identities::{identity_tasks, shared_identities};
use tenfold_core::refresh::plan::Plan;
use tenfold_core::refresh::task::{CheckOutput, TablePart, TaskOutput};
use tenfold_core::refresh::user::{Setting, check_tasks, groups, user_table_task, verdict};
use tenfold_core::snapshot::TableEntry;
use tenfold_store::publish::table_entries;

use super::{Work, mixed_up};

impl Work<'_> {
    /// Adds the user tables to the tables that there are.
    ///
    /// # Errors
    /// When one cannot be computed, or is not what it was declared to be.
    pub(super) async fn user_tables(
        &mut self,
        plan: &Plan,
        of: Setting<'_>,
        parts: &mut Vec<TablePart>,
        warnings: &mut Vec<String>,
    ) -> Result<(), Failure> {
        self.identities(plan, of, parts, warnings).await?;
        if plan.project.tables.is_empty() {
            return Ok(());
        }
        for group in groups(&plan.project) {
            let tables = entries(plan, parts)?;
            let task = |table| user_table_task(of, table, &tables);
            let computed = self.step("model", group.into_iter().map(task).collect());
            for output in computed.await? {
                match output {
                    TaskOutput::UserTable(output) => parts.extend(output.parts),
                    _ => return Err(mixed_up()),
                }
            }
        }
        let tables = entries(plan, parts)?;
        let checked = self.step("model", check_tasks(of, &tables)).await?;
        let checked: Vec<CheckOutput> = checked
            .into_iter()
            .map(check_output)
            .collect::<Result<_, _>>()?;
        warnings.extend(verdict(&plan.project, &checked)?);
        let kept = plan.project.tables.iter().zip(&checked);
        let kept = kept.filter(|(table, _)| table.is_table());
        self.summary.user_tables = kept
            .map(|(table, checked)| (table.name.clone(), checked.rows))
            .collect();
        Ok(())
    }

    /// Tells how many values of identities several customers share.
    async fn identities(
        &mut self,
        plan: &Plan,
        of: Setting<'_>,
        parts: &[TablePart],
        warnings: &mut Vec<String>,
    ) -> Result<(), Failure> {
        let tasks = identity_tasks(of, &entries(plan, parts)?);
        if tasks.is_empty() {
            return Ok(());
        }
        let counted = self.step("model", tasks).await?.into_iter();
        let counted: Vec<CheckOutput> = counted.map(check_output).collect::<Result<_, _>>()?;
        warnings.extend(shared_identities(&plan.project, &counted));
        Ok(())
    }
}

fn entries(plan: &Plan, parts: &[TablePart]) -> Result<BTreeMap<String, TableEntry>, Failure> {
    table_entries(parts.to_vec(), |table| format!("{}/{table}", plan.tables))
}

fn check_output(output: TaskOutput) -> Result<CheckOutput, Failure> {
    if let TaskOutput::Check(output) = output {
        Ok(output)
    } else {
        Err(mixed_up())
    }
}
