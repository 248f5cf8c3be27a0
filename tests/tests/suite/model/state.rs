//! What the model knows.

use tenfold_core::snapshot::{Announcement, Cleaning, Event, Marks, ObjectRef, Refused};

/// Snapshots that are wanted: each by a run of its own.
pub const RUNS: usize = 3;
/// The run that no coordinator knows: somebody refreshes the same store in one process.
pub const ALONE: u8 = RUNS as u8 - 1;
/// Stands for a run whose files are gone: what the snapshot before says, once more.
pub const STAND_IN: u8 = RUNS as u8;
/// Whose files there are.
pub const FILES: usize = RUNS + 1;
/// The place of whoever does that among the coordinators.
pub const LONER: u8 = 2;

/// What somebody does who must not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// Nothing: the protocol as it is.
    Right,
    /// Manifests are written without looking whether one is there.
    BlindOverwrite,
    /// A write without an answer counts as failed, and the files of its run are deleted.
    UnknownIsFailed,
    /// "Exists" counts as another writer's, and the files of the run are deleted.
    ExistsIsLost,
    /// Manifests of expired snapshots are deleted.
    SlotsDeleted,
    /// A run publishes without a word to the ledger.
    GateLeftOut,
    /// A coordinator decides on while an entry of its own may still land.
    Unsettled,
    /// A manifest of the run that landed late counts as another run's.
    OwnIsForeign,
    /// Files are not looked up before a manifest names them.
    LookUpLeftOut,
    /// A run announces what it publishes although somebody cleans up.
    NobodyWaits,
    /// A clean-up does not ask what announced publications will name.
    AnnouncementsIgnored,
    /// A clean-up does not say that it begins.
    BeginsUnsaid,
    /// Files of a run that is being published are deleted by hand: the protocol as it is, but for what
    /// that destroys.
    ByHand,
    /// The same, and the run ends without its number being taken.
    NumberLeft,
}

/// What a run wants to publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Body {
    pub run: u8,
    /// The coordinator that wrote it.
    pub by: u8,
    pub number: u8,
}

/// What an entry of the ledger says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mark {
    Office(u8),
    Submitted(u8),
    Started(u8),
    Publishing(Body),
    Ended { run: u8, succeeded: bool },
}

/// An entry of the ledger; its number is its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Line {
    pub epoch: u8,
    pub mark: Mark,
}

/// Where a coordinator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It does not run.
    Down,
    /// It looks what there is to do.
    Idle,
    /// It plans a run, and its tasks write their files.
    Working(u8),
    /// Everything is computed; the ledger is told.
    AtGate(Body),
    /// It looks whether the plan's parent is still the head.
    CheckingHead(Body),
    /// It says what the manifest will name.
    Announcing(Body),
    /// It looks whether everything is there that the manifest will name.
    LookingUp(Body),
    /// It creates the manifest.
    Creating(Body),
    /// It reads the slot back. Whether the answer was an error.
    ReadingBack(Body, bool),
    /// It looks what became of a publication that another coordinator, or it itself, began.
    Settling(Body),
    /// It tells the ledger how a run ended.
    Ending { run: u8, succeeded: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Coordinator {
    pub phase: Phase,
    /// Entries of the ledger that it has read.
    pub seen: u8,
    pub epoch: u8,
    /// An entry that it wrote, with its place, of which it does not know whether it is there.
    pub unsettled: Option<(u8, Line)>,
}

/// Where the clean-up is. Files are sets of runs, as bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cleaner {
    /// Nobody cleans up.
    Away,
    /// It said that it begins, and knows what was announced then.
    Began { announced: u8 },
    /// It deletes files one by one, but for those in use.
    Deleting { used: u8, next: u8 },
}

/// A write that its writer gave up, and that may still land.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Late {
    Manifest(Body),
    Line(u8, Line),
}

/// What the newest mark says, as far as the model needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Said {
    /// By run: the number that it announced.
    pub announced: [Option<u8>; FILES],
    /// Numbers whose objects are still there, as bits.
    pub expiring: u8,
    /// Numbers whose objects are gone, as bits.
    pub deleted: u8,
    /// Whether somebody cleans up.
    pub cleaning: bool,
}

/// The stores, the coordinators, and who cleans up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    pub ledger: Vec<Line>,
    /// Manifests by number.
    pub slots: [Option<Body>; RUNS],
    /// What each slot held first.
    pub first: [Option<Body>; RUNS],
    /// Files of a run, by run: its manifest names them, and that of the next snapshot.
    pub files: [bool; FILES],
    pub said: Said,
    pub cleaner: Cleaner,
    pub late: Vec<Late>,
    /// Two coordinators, and whoever refreshes alone.
    pub coordinators: [Coordinator; 3],
    /// What may still happen.
    pub left: Left,
}

/// How often something may still happen within the model's bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Left {
    pub crashes: u8,
    pub losses: u8,
    pub offices: u8,
    pub clean_ups: u8,
    pub by_hand: u8,
}

/// The model.
pub struct Protocol {
    pub variant: Variant,
}

impl State {
    /// The newest snapshot; 0 when there is none.
    pub fn head(&self) -> u8 {
        self.slots
            .iter()
            .rposition(Option::is_some)
            .map_or(0, |place| place as u8 + 1)
    }

    pub fn slot(&self, number: u8) -> Option<Body> {
        self.slots[usize::from(number.checked_sub(1)?)]
    }

    /// The runs whose files a manifest names: its own, and that of the snapshot before.
    pub fn named_by(&self, body: Body) -> impl Iterator<Item = u8> {
        let parent = self.slot(body.number - 1).map(|parent| parent.run);
        std::iter::once(body.run).chain(parent)
    }

    /// A manifest arrives at its slot; whether it is there now by this.
    pub fn land(&mut self, body: Body, blind: bool) -> bool {
        let place = usize::from(body.number) - 1;
        if self.slots[place].is_some() && !blind {
            return false;
        }
        self.slots[place] = Some(body);
        self.first[place].get_or_insert(body);
        true
    }

    /// An entry arrives at its place in the ledger.
    pub fn land_line(&mut self, place: u8, line: Line) {
        if usize::from(place) == self.ledger.len() {
            self.ledger.push(line);
        }
    }
}

/// A clean-up counts as given up at this time, in milliseconds since 1970.
const GIVEN_UP_MS: i64 = 1;

impl Said {
    /// What is said after an event, by the rules that the program itself goes by.
    pub fn after(self, event: &Event) -> Result<Self, Refused> {
        let marks = self.marks();
        let next = marks.after(event)?;
        Ok(next.map_or(self, |next| Self::of(&next)))
    }

    fn marks(self) -> Marks {
        let announced = (0..FILES as u8).filter_map(|run| {
            let number = self.announced[usize::from(run)]?;
            Some((run.to_string(), announcement(number)))
        });
        Marks {
            announced: announced.collect(),
            expiring: bits(self.expiring)
                .map(|number| (number.into(), 0))
                .collect(),
            deleted: bits(self.deleted)
                .map(|number| (number.into(), number.into()))
                .collect(),
            cleaning: self.cleaning.then(|| cleaning(0, Vec::new())),
            ..Marks::default()
        }
    }

    fn of(marks: &Marks) -> Self {
        let mut said = Self::default();
        for run in 0..FILES {
            let announced = marks.announced.get(&run.to_string());
            said.announced[run] = announced.map(|announced| announced.number as u8);
        }
        for number in 1..=RUNS as u8 {
            let wide = u64::from(number);
            said.expiring |= u8::from(marks.expiring.contains_key(&wide)) << number;
            said.deleted |= u8::from(marks.is_deleted(wide)) << number;
        }
        said.cleaning = marks.cleaning.is_some();
        said
    }
}

/// The numbers in a set.
pub fn bits(set: u8) -> impl Iterator<Item = u8> {
    (0..8).filter(move |number| set >> number & 1 == 1)
}

fn announcement(number: u8) -> Announcement {
    let manifest = ObjectRef {
        path: String::new(),
        sha256: String::new(),
        bytes: 0,
    };
    let number = number.into();
    Announcement {
        number,
        manifest,
        erasures: 0,
    }
}

/// A run says what it will name, while a clean-up that was begun still counts.
pub fn announces(body: Body) -> Event {
    Event::Announced {
        run: body.run.to_string(),
        announcement: announcement(body.number),
        at_ms: 0,
    }
}

/// Somebody says that they clean up, when whoever began before counts as given up.
pub fn begins_cleaning(said: Said) -> Event {
    let of = bits(said.expiring).map(u64::from).collect();
    Event::CleaningBegan(cleaning(GIVEN_UP_MS, of))
}

pub fn ends_cleaning() -> Event {
    let by = String::new();
    Event::CleaningEnded { by }
}

pub fn expires(numbers: impl Iterator<Item = u8>) -> Event {
    Event::Expired {
        numbers: numbers.map(u64::from).collect(),
        at_ms: 0,
    }
}

fn cleaning(at_ms: i64, of: Vec<u64>) -> Cleaning {
    Cleaning {
        by: String::new(),
        at_ms,
        until_ms: GIVEN_UP_MS,
        of,
    }
}
