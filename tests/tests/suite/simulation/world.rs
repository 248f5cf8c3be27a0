//! One simulation: processes, people, faults, and in the end a time without faults.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use object_store::ObjectStore;
use tenfold_coordinator::book::{Book, Nearby};
use tenfold_core::failure::Failure;
use tenfold_core::ledger::Ledger;
use tenfold_store::object::Store;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::chance::{Chance, Fault, Surroundings};
use super::chaos::{Chaos, Disk};
use super::net::{Addresses, Net};
use super::people::{Acknowledged, person, planner};
use super::plants::Plant;
use super::process::{Complaints, CoordinatorParts, Process, coordinator, worker};
use super::reader::reader;

/// How long faults come, and how long everything may take to end after that.
const FAULTY: Duration = Duration::from_secs(90);
const BOUND: Duration = Duration::from_secs(900);

/// What a simulation left.
pub struct Left {
    pub store: Store,
    pub disk: Arc<Disk>,
    pub ledger: Result<Ledger, Failure>,
    pub acknowledged: Vec<Acknowledged>,
    pub ended: bool,
    /// What went wrong while processes and readers ran.
    pub complaints: Vec<String>,
    pub coordinators: u64,
    pub lasted: Duration,
}

struct World {
    chance: Chance,
    plant: Option<Plant>,
    disk: Arc<Disk>,
    addresses: Addresses,
    /// Copies of the ledger, one for each machine that coordinators run on.
    copies: [Arc<Kept>; 2],
    coordinators: Vec<Process>,
    workers: Vec<Process>,
    began: usize,
    coordinators_began: u64,
    complaints: Complaints,
}

/// Entries of the ledger that a machine keeps.
#[derive(Default)]
struct Kept {
    entries: Mutex<Vec<Vec<u8>>>,
    lies: bool,
}

impl Nearby for Kept {
    fn entries(&self) -> Result<Vec<Vec<u8>>, Failure> {
        let mut entries = self.entries.lock().unwrap().clone();
        let last = entries.len().saturating_sub(1);
        if self.lies {
            for (place, entry) in entries.iter_mut().enumerate() {
                let text = String::from_utf8_lossy(entry);
                if place > 0 && place < last && text.contains("\"submitted\"") {
                    *entry = text.replace("\"key\":\"key", "\"key\":\"lie").into_bytes();
                }
            }
        }
        Ok(entries)
    }

    fn keep(&self, first: u64, entries: &[Vec<u8>]) -> Result<(), Failure> {
        let mut kept = self.entries.lock().unwrap();
        if first as usize <= kept.len() + 1 {
            kept.truncate(first as usize - 1);
            kept.extend_from_slice(entries);
        }
        Ok(())
    }

    fn clear(&self) -> Result<(), Failure> {
        self.entries.lock().unwrap().clear();
        Ok(())
    }
}

impl World {
    fn new(chance: Chance, plant: Option<Plant>) -> Self {
        let copy = || {
            Arc::new(Kept {
                lies: plant == Some(Plant::CopyLies),
                ..Kept::default()
            })
        };
        Self {
            chance,
            plant,
            disk: Arc::default(),
            addresses: Addresses::default(),
            copies: [copy(), copy()],
            coordinators: Vec::new(),
            workers: Vec::new(),
            began: 0,
            coordinators_began: 0,
            complaints: Complaints::default(),
        }
    }

    fn store(&self, chance: &Chance, plant: Option<Plant>) -> Store {
        let objects: Arc<dyn ObjectStore> = Arc::new(Chaos {
            disk: self.disk.clone(),
            chance: chance.clone(),
            plant,
        });
        Store::over(objects)
    }

    fn net(&self) -> Net {
        Net {
            chance: self.chance.clone(),
            addresses: self.addresses.clone(),
            plant: self.plant,
        }
    }

    fn start_coordinator(&mut self) {
        let machine = self.chance.below(2) as usize;
        let lies = self.plant == Some(Plant::CopyLies);
        if self.began > 0 && !lies && self.chance.strikes(Fault::CopyLost) {
            let _ = self.copies[machine].clear();
        } else if self.began > 0 {
            self.chance.fired(Fault::CopyKept);
        }
        self.began += 1;
        let parts = CoordinatorParts {
            name: format!("coordinator-{}", self.began),
            store: self.store(&self.chance, self.plant),
            nearby: Some(self.copies[machine].clone()),
            chance: self.chance.clone(),
            plant: self.plant,
            skew_ms: (machine as i64) * 7_200_000,
        };
        let (tell, calls) = mpsc::unbounded_channel();
        self.addresses.lock().unwrap().push(tell);
        self.coordinators_began += 1;
        let life = coordinator(parts, calls);
        self.coordinators
            .push(Process::start(life, self.complaints.clone()));
    }

    fn start_worker(&mut self) {
        self.began += 1;
        let name = format!("worker-{}", self.began);
        let slots = 1 + self.chance.below(2) as u32;
        let store = self.store(&self.chance, None);
        let life = worker(name, slots, store, self.net(), self.plant);
        self.workers
            .push(Process::start(life, self.complaints.clone()));
    }

    /// What may happen to the processes, each few seconds.
    fn strike(&mut self) {
        let chance = self.chance.clone();
        let which = chance.below(self.workers.len() as u64) as usize;
        if chance.strikes(Fault::WorkerCrashed) {
            chance.note("a worker crashes");
            drop(self.workers.swap_remove(which));
            self.start_worker();
        }
        let which = chance.below(self.workers.len() as u64) as usize;
        if chance.strikes(Fault::WorkerPaused) {
            self.workers[which].pause(Duration::from_secs(3) + chance.delay(17_000));
        }
        if chance.strikes(Fault::CoordinatorPaused) {
            let newest = self.coordinators.last().unwrap();
            newest.pause(Duration::from_secs(1) + chance.delay(20_000));
        }
        if chance.strikes(Fault::CoordinatorCrashed) {
            chance.note("a coordinator crashes");
            drop(self.coordinators.pop());
            self.start_coordinator();
        }
        if chance.strikes(Fault::TwoCoordinators) {
            chance.note("another coordinator begins");
            self.start_coordinator();
        }
        if self.coordinators.last().is_none_or(Process::is_over) {
            self.start_coordinator();
        }
    }

    async fn read_ledger(&self) -> Result<Ledger, Failure> {
        let around = Arc::new(Surroundings {
            chance: Chance::quiet(0),
            skew_ms: 0,
        });
        let store = self.store(&around.chance, None);
        let book = Book::open(store, None, around.clone(), around).await?;
        Ok(book.ledger().clone())
    }
}

/// What people want.
#[derive(Debug, Clone, Copy)]
pub struct Wishes {
    /// The days that they submit, in the order in which they do.
    pub days: &'static [&'static str],
    /// Whether somebody wants a refresh each minute.
    pub schedule: bool,
}

/// Lives through a seed. Without faults when `chance` is quiet.
pub async fn simulate(chance: Chance, plant: Option<Plant>, wishes: Wishes) -> Left {
    let mut world = World::new(chance.clone(), plant);
    world.start_coordinator();
    for _ in 0..1 + chance.below(3) {
        world.start_worker();
    }
    let mut people = tokio::task::JoinSet::new();
    for (place, day) in wishes.days.iter().enumerate() {
        people.spawn(person(world.net(), format!("key-{place}"), day));
    }
    if wishes.schedule {
        people.spawn(planner(world.net()));
    }
    let looks = world.store(&Chance::quiet(1), None);
    let reader = Process::start(
        reader(looks, world.complaints.clone()),
        world.complaints.clone(),
    );
    let begun = Instant::now();
    let calm = plant.is_none() && !Fault::ALL.iter().any(|fault| chance.has(*fault));
    while begun.elapsed() < FAULTY && !calm {
        sleep(Duration::from_secs(2) + chance.delay(2_000)).await;
        world.strike();
    }
    chance.note("calm");
    chance.calm();
    let mut acknowledged = Vec::new();
    let told = async {
        while let Some(told) = people.join_next().await {
            acknowledged.extend(told.unwrap());
        }
    };
    let everybody = timeout(BOUND, keep_one_coordinator(&mut world, told)).await;
    let until = Instant::now() + BOUND;
    let mut ledger = world.read_ledger().await;
    let over = |ledger: &Result<Ledger, Failure>| {
        ledger.as_ref().is_ok_and(|ledger| ledger.queue.is_empty())
    };
    while everybody.is_ok() && !over(&ledger) && Instant::now() < until {
        sleep(Duration::from_secs(2)).await;
        if world.coordinators.last().is_none_or(Process::is_over) {
            world.start_coordinator();
        }
        ledger = world.read_ledger().await;
    }
    drop(reader);
    acknowledged.sort();
    let complaints = world.complaints.lock().unwrap().clone();
    Left {
        store: world.store(&Chance::quiet(0), None),
        disk: world.disk.clone(),
        ended: everybody.is_ok() && over(&ledger),
        ledger,
        acknowledged,
        complaints,
        coordinators: world.coordinators_began,
        lasted: begun.elapsed(),
    }
}

/// Whoever is in charge starts a coordinator again that is gone.
async fn keep_one_coordinator(world: &mut World, told: impl Future<Output = ()>) {
    tokio::pin!(told);
    loop {
        tokio::select! {
            biased;
            () = &mut told => return,
            () = sleep(Duration::from_secs(2)) => {
                if world.coordinators.last().is_none_or(Process::is_over) {
                    world.start_coordinator();
                }
            }
        }
    }
}
