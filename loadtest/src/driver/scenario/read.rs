//! One resource by id, random among the set.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};

use super::super::drive::{Job, Load, drive};
use super::super::http::{Answer, Connection, write_request};
use super::super::process::Server;
use super::super::recorded::Recorder;
use super::super::token::Tokens;
use super::super::world::{Item, World};
use super::{ask, check_released, same_content};
use crate::population::Dice;

/// A hundred thousand answers take some five seconds.
const RECORDING_MAX: Duration = Duration::from_secs(300);

/// Reads of the items of a world.
pub struct Read {
    items: Vec<Item>,
    /// CRC of the whole answer, for items that the pass before compared with what was sent; 0 for the others.
    known: Vec<u32>,
}

impl Read {
    /// Compares about `sample` items in full, evenly spread over the set.
    pub async fn verified(world: &World, server: &Server, tokens: &Tokens, sample: usize) -> Result<Self> {
        let items = world.items();
        let mut known = vec![0; items.len()];
        let mut connection = Connection::open(server.address).await?;
        let step = (items.len() / sample.max(1)).max(1);
        let mut person = (usize::MAX, world.person(0));
        for at in (0..items.len()).step_by(step) {
            let item = items[at];
            if person.0 != item.person {
                person = (item.person, world.person(item.person));
            }
            let (bytes, read) = ask(&mut connection, tokens, &path(&item)).await?;
            let sent = world.sent(&person.1, &world.shelves[item.person], item.k);
            ensure!(read["id"] == item.id.to_string().as_str(), "another resource was read than was asked for");
            ensure!(same_content(&sent, &read), "`{}` is not read as it was sent", item.resource_type);
            known[at] = crc32c::crc32c(&bytes);
        }
        Ok(Self { items, known })
    }

    /// The same of at most `count` items, evenly spread.
    pub fn part(&self, count: usize) -> Self {
        let step = self.items.len().div_ceil(count).max(1);
        let items = self.items.iter().step_by(step).copied().collect();
        Self { items, known: self.known.iter().step_by(step).copied().collect() }
    }

    /// Asks for every item once and keeps the answers in `file`, for the bare endpoint.
    pub fn record(self: &Arc<Self>, server: &Server, tokens: &Arc<Tokens>, file: &Path) -> Result<()> {
        let (limit, recorder) = (self.items.len() as u64, Mutex::new(Recorder::create(file)?));
        let job = Arc::new(Recording { read: self.clone(), next: AtomicU64::new(0), recorder });
        let load = Load { connections: 64, threads: 2, rate: None, lasting: RECORDING_MAX, limit, seed: 0 };
        let measured = drive(server.address, job.clone(), Some(tokens.clone()), load)?;
        ensure!(measured.answers == limit && measured.wrong == 0, "not every item was recorded: {:?}", measured.faults);
        let job = Arc::into_inner(job).context("the job has ended")?;
        job.recorder.into_inner().map_err(|_| anyhow!("a recording thread panicked"))?.finish()
    }
}

/// Every item once, in order.
struct Recording {
    read: Arc<Read>,
    next: AtomicU64,
    recorder: Mutex<Recorder>,
}

impl Job for Recording {
    fn write(&self, token: &str, _: &mut Dice, out: &mut Vec<u8>) -> u64 {
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        write_request(out, ("GET", &path(&self.read.items[at as usize])), token, "", b"");
        at
    }

    fn check(&self, ticket: u64, answer: &Answer<'_>) -> Result<(), String> {
        self.read.check(ticket, answer)?;
        let mut recorder = self.recorder.lock().map_err(|_| "another thread panicked".to_owned())?;
        recorder.add(&path(&self.read.items[ticket as usize]), answer).map_err(|error| error.to_string())
    }
}

fn path(item: &Item) -> String {
    format!("/fhir/{}/{}", item.resource_type, item.id)
}

impl Job for Read {
    fn write(&self, token: &str, dice: &mut Dice, out: &mut Vec<u8>) -> u64 {
        let at = dice.below(self.items.len() as u64);
        write_request(out, ("GET", &path(&self.items[at as usize])), token, "", b"");
        at
    }

    fn check(&self, ticket: u64, answer: &Answer<'_>) -> Result<(), String> {
        check_released(answer, 200)?;
        let at = ticket as usize;
        match self.known[at] {
            0 => {
                let id = format!("\"id\":\"{}\"", self.items[at].id);
                let found = memchr::memmem::find(answer.body, id.as_bytes()).is_some() && answer.body.ends_with(b"}");
                if found { Ok(()) } else { Err("not the resource that was asked for".to_owned()) }
            }
            crc if crc == crc32c::crc32c(answer.body) => Ok(()),
            _ => Err("the resource changed since it was compared with what was sent".to_owned()),
        }
    }
}
