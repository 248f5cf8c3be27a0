//! Stable codes of failures: one table of code, class and title. Each has a page in `docs/errors`.
//!
//! A code is never given to something else and never taken back: people search for it, and programs
//! compare with it. The first digit says who has to act: 1 the data, 2 the request or the
//! declarations, 3 a store or a coordinator that does not answer as it should, 4 too many requests,
//! 5 this machine or another process, 9 Tenfold itself.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::FailureClass::{self, Bug, Dependency, Infra, RateLimit, UserConfig, UserData};

macro_rules! codes {
    ($($number:ident $name:ident $class:ident $title:literal)*) => {
        /// What kind of failure it is, for people who look it up and programs that compare.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ErrorCode {
            $(#[doc = $title] $name,)*
        }

        impl ErrorCode {
            /// All codes, in their order.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code as it is written, such as `E1101`.
            pub fn number(self) -> &'static str {
                match self { $(Self::$name => stringify!($number),)* }
            }

            /// What it stands for, in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// Who has to act.
            pub fn class(self) -> FailureClass {
                match self { $(Self::$name => $class,)* }
            }

            /// The page about it, as Markdown.
            pub fn page(self) -> &'static str {
                match self {
                    $(Self::$name => include_str!(concat!(
                        "../../../docs/errors/", stringify!($number), ".md"
                    )),)*
                }
            }
        }
    };
}

codes! {
    E1000 Data UserData "The input is not what the project declares"
    E1101 MissingColumn UserData "A file lacks a column"
    E1102 WrongType UserData "A column has a type that does not fit"
    E1103 UnreadableFile UserData "An input file cannot be read"
    E1104 BrokenText UserData "A text file is not well formed"
    E1105 InputChanged UserData "An input file has changed"
    E1106 InputGone UserData "An input file is gone"
    E1107 NoFiles UserData "A source has no files"
    E1108 TooManyRefused UserData "Too many rows were refused"
    E1109 NothingBefore UserData "No event is before as_of"
    E1110 SumTooLarge UserData "A sum does not fit"
    E1111 NoZone UserData "A time has no zone"
    E1112 ShardTooLarge UserData "A shard has too many rows"
    E1113 DataNeverCame UserData "Data that a run waited for did not come"
    E1114 ContractBroken UserData "A user table is not what it was declared to be"
    E2000 Config UserConfig "The request or the declarations cannot be carried out"
    E2101 Lint UserConfig "tenfold.yaml has errors"
    E2102 NoProject UserConfig "tenfold.yaml cannot be read"
    E2103 Expression UserConfig "An expression cannot be used"
    E2104 AsOfBeforeHead UserConfig "as_of is before that of the newest snapshot"
    E2105 WrongLocation UserConfig "A location cannot be used"
    E2106 WrongShards UserConfig "The number of shards does not fit"
    E2107 Credentials UserConfig "A store refuses the credentials"
    E2108 NotPlainFiles UserConfig "A source's files belong to a table format"
    E2109 ConfigFile UserConfig "The configuration cannot be used"
    E2110 UnknownContext UserConfig "There is no such context"
    E2111 NewerRecord UserConfig "A record is newer than this program"
    E2112 WrongSchedule UserConfig "The file of a schedule cannot be used"
    E2113 WrongBackfill UserConfig "These days cannot be backfilled"
    E2114 NotifyTargets UserConfig "Targets of notifications cannot be used"
    E2115 StateDirectory UserConfig "The state directory cannot be used"
    E2116 OtherVersion UserConfig "A snapshot was computed by another version"
    E2117 WrongQuery UserConfig "A query cannot be answered as it is"
    E2118 UserTable UserConfig "A user table cannot be computed"
    E2119 BatchTakesNot UserConfig "A batch cannot take this in"
    E2123 WrongDelivery UserConfig "A destination or delivery cannot be used as it is declared"
    E2124 DeliveryGuarded UserData "A delivery would change too much"
    E2120 WrongMessage UserConfig "A message cannot be taken"
    E2121 WrongSignature UserConfig "A request is not signed by its sender"
    E2122 WrongAudience UserConfig "An audience cannot be used"
    E2125 WrongDashboard UserConfig "A dashboard cannot be used"
    E2126 WrongFetch UserConfig "Nothing can be fetched as it was asked for"
    E2201 UnknownRun UserConfig "There is no such run"
    E2202 UnknownWorker UserConfig "There is no such worker"
    E2203 UnknownSnapshot UserConfig "There is no such snapshot"
    E2204 UnknownCustomer UserConfig "The snapshot has no such customer"
    E2205 UnknownDecile UserConfig "There is no such decile"
    E2206 Ambiguous UserConfig "A beginning of a name fits several"
    E2207 UnknownCode UserConfig "There is no such error code"
    E2208 UnknownErasure UserConfig "There is no such erasure"
    E2209 UnknownBackfill UserConfig "There is no such backfill"
    E2210 UnknownMark UserConfig "There is no such tag or pin"
    E2211 SnapshotExpired UserConfig "The snapshot has expired"
    E2212 UnknownTarget UserConfig "There is no such target of notifications"
    E2213 UnknownSchedule UserConfig "There is no such schedule"
    E2214 UnknownQuery UserConfig "There is no such query"
    E2215 UnknownAddress UserConfig "There is nothing at this address"
    E2216 UnknownTemplate UserConfig "There is no such template"
    E2217 UnknownName UserConfig "A query names something that is not there"
    E2218 UnknownBatch UserConfig "There is no such batch"
    E2220 UnknownDelivery UserConfig "There is no such destination or delivery"
    E2221 UnknownCampaign UserConfig "There is no such campaign"
    E2219 UnknownAudience UserConfig "There is no such audience"
    E2222 UnknownDashboard UserConfig "There is no such dashboard"
    E2301 LostRace UserConfig "Another run published first"
    E2302 PlanMoved UserConfig "The plan is not the one that was looked at"
    E2303 KeyTaken UserConfig "An idempotency key stands for another request"
    E2304 RunOver UserConfig "The run is over"
    E2305 RunLive UserConfig "The run has not ended"
    E2306 TooLate UserConfig "The run is being published"
    E2307 RunTimedOut UserConfig "The run took too long"
    E2308 WaitTimedOut UserConfig "Waiting took too long"
    E2309 ErasedSince UserConfig "People were erased meanwhile"
    E2310 SnapshotKept UserConfig "The snapshot is pinned or tagged"
    E2311 BackfillOver UserConfig "The backfill is over"
    E2312 RunCancelled UserConfig "The run was cancelled"
    E2313 NoRollback UserConfig "A rollback to this snapshot is not possible"
    E2314 TagTaken UserConfig "The tag names another snapshot"
    E2315 QueryTimedOut UserConfig "A query took too long"
    E2316 AnswerTooLong UserConfig "An answer has too many rows"
    E2317 QueryCancelled UserConfig "The query was cancelled"
    E2318 NewerLoaded UserConfig "The database has a newer snapshot"
    E2319 BatchConflict UserConfig "A batch is not at a stage for this"
    E2320 DeliveryTaken UserConfig "A delivery is not finished, or another process goes on with it"
    E2321 DeclarationChanged UserConfig "Somebody else changed a declaration"
    E2322 NeedsRefresh UserConfig "What came since the newest snapshot cannot be looked at"
    E2323 WideEngine UserConfig "A table asks for an engine that is not there"
    E2401 Unauthenticated UserConfig "The coordinator does not know the caller"
    E2402 Forbidden UserConfig "The caller's role does not suffice"
    E2403 Exposed UserConfig "An address would be open to everybody"
    E2404 Certificates UserConfig "Certificates or keys cannot be used"
    E2405 TokensFile UserConfig "The file of tokens cannot be used"
    E2406 ForeignRequest UserConfig "A request comes from another site"
    E3000 Dependency Dependency "A store or service answered with an error"
    E3101 StoreUnreachable Dependency "The store does not answer"
    E3102 NoCoordinator Dependency "No coordinator answers"
    E3103 Damaged Dependency "An object of the store is damaged"
    E3104 NotCommitted Dependency "A table could not be committed"
    E3105 CleaningUp Dependency "Another process cleans up the store"
    E3106 AuditNotWhole Dependency "Audit records are not as they were written"
    E3107 Database Dependency "A PostgreSQL database failed"
    E4000 RateLimited RateLimit "A store or service asks to slow down"
    E4101 Busy RateLimit "The coordinator has as many calls as it can answer"
    E4102 QueriesBusy RateLimit "There are as many queries as there may be"
    E4104 CallerBusy RateLimit "A caller has as many queries as one may have"
    E4103 TooManyMessages RateLimit "Messages come too fast"
    E5000 Machine Infra "This machine failed"
    E5101 AddressInUse Infra "An address cannot be listened on"
    E5102 Deposed Infra "Another coordinator is in office"
    E5103 WorkerLost Infra "A worker was lost"
    E5104 Stalled Infra "A task did not get on"
    E5105 VersionMismatch UserConfig "Worker and coordinator are of different versions"
    E5106 NotWritten Infra "Output cannot be written"
    E5109 ProjectNotWritten Infra "The project cannot be written to"
    E5110 QueryMemory Infra "A query needs more memory"
    E5107 GivenUp Infra "A task was given up"
    E5108 DestinationFailed Dependency "A destination does not take what is sent"
    E9000 Mistake Bug "Tenfold broke one of its own promises"
}

impl ErrorCode {
    /// The code that is written so, in any case.
    pub fn of(number: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|code| code.number().eq_ignore_ascii_case(number))
    }

    /// The code of failures of a class about which nothing more is known.
    pub fn general(class: FailureClass) -> Self {
        match class {
            UserData => Self::Data,
            UserConfig => Self::Config,
            Dependency => Self::Dependency,
            RateLimit => Self::RateLimited,
            Infra => Self::Machine,
            Bug => Self::Mistake,
        }
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.number())
    }
}

/// Reads a code. One that a newer program wrote is as good as none: the message says it all.
pub(super) fn known<'de, D: Deserializer<'de>>(read: D) -> Result<Option<ErrorCode>, D::Error> {
    let number = Option::<String>::deserialize(read)?;
    Ok(number.as_deref().and_then(ErrorCode::of))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn codes_and_pages_agree() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors");
        let index = std::fs::read_to_string(folder.join("README.md")).unwrap();
        let mut pages: BTreeSet<String> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert!(pages.remove("README.md"));
        for code in ErrorCode::ALL {
            let (number, title) = (code.number(), code.title());
            assert!(pages.remove(&format!("{number}.md")), "no page of {number}");
            let heading = format!("# {number}: {title}\n");
            assert!(code.page().starts_with(&heading), "heading of {number}");
            let row = format!("| [{number}]({number}.md) | {title} |");
            assert!(index.contains(&row), "the index lacks: {row}");
        }
        assert_eq!(pages, BTreeSet::new(), "pages without a code");
        let rows = index
            .lines()
            .filter(|line| line.starts_with("| [E"))
            .count();
        assert_eq!(
            rows,
            ErrorCode::ALL.len(),
            "the index names codes that are none"
        );
    }

    #[test]
    fn no_code_is_given_twice() {
        let numbers: BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.number()).collect();
        assert_eq!(numbers.len(), ErrorCode::ALL.len());
        for &code in ErrorCode::ALL {
            assert_eq!(ErrorCode::of(&code.number().to_lowercase()), Some(code));
            let general = ErrorCode::general(code.class());
            assert_eq!(general.class(), code.class());
        }
    }
}
