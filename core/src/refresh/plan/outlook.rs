//! How the accounts of each shard will be made, as far as that is known before anything runs: what new
//! files hold is not.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Plan;
use crate::refresh::reach::{Anew, Months, moved, pays};
use crate::refresh::state::{ShardState, StateIndex};
use crate::refresh::steps::accounts_spec;

/// What will become of the shards.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Outlook {
    /// Those whose accounts are brought forward, unless new events lie in so many months that this
    /// does not pay.
    pub forward: Vec<u32>,
    /// Those whose accounts are added up from all days, by the reason.
    pub anew: BTreeMap<String, Vec<u32>>,
}

impl Outlook {
    /// Looks at each shard of a plan that goes on from a state.
    pub fn of(plan: &Plan, state: Option<&StateIndex>) -> Self {
        let mut outlook = Self::default();
        let months = touched(plan, state);
        for shard in 0..plan.shards {
            let of_shard = state.and_then(|state| state.state.get(shard as usize));
            let verdict = months.as_ref().map_err(|why| *why);
            match verdict.and_then(|months| pays_in(of_shard, months)) {
                Ok(()) => outlook.forward.push(shard),
                Err(why) => outlook.anew.entry(why.to_string()).or_default().push(shard),
            }
        }
        outlook
    }
}

fn pays_in(shard: Option<&ShardState>, months: &BTreeMap<String, Months>) -> Result<(), Anew> {
    pays(shard.ok_or(Anew::Empty)?, months)
}

/// The months of each source that have to be read in every shard.
fn touched(plan: &Plan, state: Option<&StateIndex>) -> Result<BTreeMap<String, Months>, Anew> {
    let state = state.ok_or(Anew::NoState)?;
    if plan.shards_before.is_some() {
        return Err(Anew::Split);
    }
    let spec = accounts_spec(plan);
    let of_source = |source: &String| {
        let mut months = Months::of(&moved(&state.accounts, &spec, source)?);
        if let Some(restated) = plan.restated.get(source) {
            months.add_days(&restated.days);
        }
        Ok((source.clone(), months))
    };
    plan.project.sources.keys().map(of_source).collect()
}
