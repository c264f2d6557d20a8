//! The processes together: who runs, who owns which partition, and who starts again after a crash.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use schemas::vocab::Topic;
use tokio::time::sleep;

use crate::clients::Told;
use crate::incarnation::Incarnation;
use crate::process::{Running, start};
use crate::trace::Call;
use crate::world::{PARTITIONS, Planted, World};

/// All of them project; the first two are edges and number accesses too.
pub(crate) const PROCESSES: usize = 3;
pub(crate) const DOORS: usize = 2;

/// What is owned, and by how many processes it may be.
const OWNED: [(Topic, u16, usize); 5] = [
    (Topic::Person, PARTITIONS, PROCESSES),
    (Topic::Access, PARTITIONS, DOORS),
    (Topic::Commons, 1, PROCESSES),
    (Topic::Identity, 1, PROCESSES),
    (Topic::Authority, 1, DOORS),
];

pub(crate) struct Cluster {
    pub(crate) world: Arc<World>,
    pub(crate) running: RefCell<Vec<Option<Rc<Running>>>>,
    pub(crate) told: RefCell<Vec<Told>>,
    incarnations: RefCell<Vec<Option<Arc<Incarnation>>>>,
    owners: RefCell<BTreeMap<(Topic, u16), BTreeSet<usize>>>,
}

impl Cluster {
    pub(crate) fn new(world: Arc<World>) -> Rc<Self> {
        // In every other seed all begin with everything.
        let all = world.planted == Some(Planted::BlindReadBack) || world.dice.chance(5000);
        let places = OWNED.iter().flat_map(|(topic, partitions, owners)| {
            let by = move |p: u16| if all { (0..*owners).collect() } else { BTreeSet::from([usize::from(p) % owners]) };
            (0..*partitions).map(move |p| ((*topic, p), by(p)))
        });
        let owners = RefCell::new(places.collect());
        Rc::new(Self {
            world,
            running: RefCell::new(vec![None; PROCESSES]),
            told: RefCell::default(),
            incarnations: RefCell::new(vec![None; PROCESSES]),
            owners,
        })
    }

    /// Starts a process, and again whenever it has crashed or could not start.
    pub(crate) async fn keep(self: Rc<Self>, process: usize) {
        for number in 0.. {
            let incarnation = Incarnation::new(self.world.clone(), process, number);
            for (topic, ..) in OWNED {
                let sender = tokio::sync::watch::channel(self.owned_by(process, topic)).0;
                incarnation.owned.lock().insert(topic, sender);
            }
            self.incarnations.borrow_mut()[process] = Some(incarnation.clone());
            match incarnation.unless_it_dies(start(incarnation.clone(), process < DOORS)).await {
                Some(Ok(running)) => {
                    self.running.borrow_mut()[process] = Some(Rc::new(running));
                    incarnation.died().await;
                    self.running.borrow_mut()[process] = None;
                }
                // A start that fails ends the process.
                Some(Err(_)) => incarnation.die(Call::of("start", 1)),
                None => {}
            }
            sleep(Duration::from_millis(self.world.dice.between(20, 2500))).await;
        }
    }

    /// An edge that runs, if there is one.
    pub(crate) fn door(&self) -> Option<Rc<Running>> {
        let first = self.world.dice.below(DOORS as u64) as usize;
        let running = self.running.borrow();
        (0..DOORS).find_map(|n| running[(first + n) % DOORS].clone())
    }

    /// True if all processes run and none of their roles has given up.
    pub(crate) fn is_well(&self) -> bool {
        self.running.borrow().iter().all(|r| r.as_ref().is_some_and(|r| r.is_well()))
    }

    fn owned_by(&self, process: usize, topic: Topic) -> Vec<u16> {
        let owners = self.owners.borrow();
        owners.iter().filter(|((t, _), by)| *t == topic && by.contains(&process)).map(|((_, p), _)| *p).collect()
    }

    /// Each process hears by itself of what it owns now, and one that is held up when it goes on.
    fn own(self: &Rc<Self>, place: (Topic, u16), owners: BTreeSet<usize>) {
        self.owners.borrow_mut().insert(place, owners);
        for process in 0..PROCESSES {
            let (this, late) = (self.clone(), Duration::from_millis(self.world.dice.below(60)));
            tokio::task::spawn_local(async move {
                let Some(incarnation) = this.incarnations.borrow()[process].clone() else { return };
                sleep(late).await;
                let told = async {
                    incarnation.go_on().await;
                    let now = this.owned_by(process, place.0);
                    if let Some(sender) = incarnation.owned.lock().get(&place.0) {
                        sender.send_if_modified(|before| std::mem::replace(before, now.clone()) != now);
                    }
                };
                incarnation.unless_it_dies(told).await;
            });
        }
    }

    /// Moves partitions, holds processes up and ends them, until nothing goes wrong any more.
    pub(crate) async fn trouble(self: Rc<Self>) {
        let dice = &self.world.dice;
        loop {
            sleep(Duration::from_millis(dice.between(50, 800))).await;
            if self.world.is_calm() {
                return;
            }
            let incarnation = self.incarnations.borrow()[dice.below(PROCESSES as u64) as usize].clone();
            match (dice.below(16), incarnation) {
                (0, Some(it)) if self.world.rates.crash > 0 => it.die(Call::of("kill", 0)),
                (1, Some(it)) if self.world.rates.pause > 0 => {
                    it.hold_up(Duration::from_millis(dice.between(200, 5000)), Call::of("stop", 0));
                }
                _ => self.move_one(),
            }
        }
    }

    /// One partition gets other owners: one, several, or none, so that work piles up for the next.
    fn move_one(self: &Rc<Self>) {
        let dice = &self.world.dice;
        // Mostly where records are decided.
        let (topic, partitions, processes) = if dice.chance(6000) { OWNED[0] } else { *dice.pick(&OWNED) };
        let number = *dice.pick(&[0, 0, 1, 2, 2, 3]);
        let owners = (0..number).map(|_| dice.below(processes as u64) as usize).collect();
        self.own((topic, dice.below(u64::from(partitions)) as u16), owners);
    }

    /// Each partition gets one owner.
    pub(crate) fn settle(self: &Rc<Self>) {
        for (topic, partitions, processes) in OWNED {
            for partition in 0..partitions {
                let owner = self.world.dice.below(processes as u64) as usize;
                self.own((topic, partition), BTreeSet::from([owner]));
            }
        }
    }
}
