//! Durable creates: an Observation of a known person, each one different.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result, ensure};
use schemas::{Pid, ResourceId, ResourceType};

use super::super::drive::Job;
use super::super::fill::location;
use super::super::http::{Answer, Connection, write_head};
use super::super::process::Server;
use super::super::token::Tokens;
use super::super::world::World;
use super::{ask, check_released};
use crate::population::{Dice, Kind};

/// Bodies that are made before the run: making one costs the generator more than sending it.
const BODIES: usize = 2_000;
/// One in so many is read back after the run.
const KEPT: u64 = 64;
const DIGITS: usize = 10;
const MINIMAL: &str = "Content-Type: application/fhir+json\r\nPrefer: return=minimal\r\n";

/// A body around the place of a serial number in its identifier.
struct Body {
    person: Pid,
    before: String,
    after: String,
}

/// Creates.
pub struct Create {
    bodies: Vec<Body>,
    serial: AtomicU64,
    /// Serial and id of some that were acknowledged.
    kept: Mutex<Vec<(u64, ResourceId)>>,
}

impl Create {
    /// Laboratory results of random persons of the world.
    pub fn new(world: &World) -> Result<Self> {
        let population = world.population();
        let bodies = (0..BODIES)
            .map(|number| {
                let shelf = number * 7 % world.shelves.len();
                let person = world.person(shelf);
                let subject = world.shelves[shelf].subject();
                let k = 1_000_000 + number as u64;
                let text = population.item(Kind::Laboratory, &person, &subject, k).to_string();
                let mark = format!("-I{k}\"");
                let at = text.find(&mark).context("an identifier ends with the number of the item")? + mark.len() - 1;
                let (before, after) = (format!("{}-", &text[..at]), text[at..].to_owned());
                Ok(Body { person: world.shelves[shelf].pid, before, after })
            })
            .collect::<Result<_>>()?;
        // Serials of one run never meet those of an earlier run on the same folder.
        let start = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis() as u64 * 10;
        Ok(Self { bodies, serial: AtomicU64::new(start % 10_u64.pow(DIGITS as u32)), kept: Mutex::new(Vec::new()) })
    }

    /// Reads back some of what was acknowledged. Returns how many.
    pub async fn read_back(&self, server: &Server, tokens: &Tokens) -> Result<usize> {
        let kept = std::mem::take(&mut *self.kept.lock().expect("nobody panics with the lock held"));
        let mut connection = Connection::open(server.address).await?;
        let step = (kept.len() / 200).max(1);
        let mut read = 0;
        for (serial, id) in kept.iter().step_by(step) {
            let (_, resource) = ask(&mut connection, tokens, &format!("/fhir/Observation/{id}")).await?;
            let value = resource["identifier"][0]["value"].as_str().unwrap_or("");
            ensure!(
                value.ends_with(&format!("-{serial:010}")),
                "an acknowledged create is read back as something else"
            );
            read += 1;
        }
        Ok(read)
    }
}

impl Job for Create {
    fn write(&self, token: &str, _: &mut Dice, out: &mut Vec<u8>) -> u64 {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed) % 10_u64.pow(DIGITS as u32);
        let body = &self.bodies[serial as usize % self.bodies.len()];
        let length = body.before.len() + DIGITS + body.after.len();
        write_head(out, ("POST", "/fhir/Observation"), token, MINIMAL, length);
        out.extend_from_slice(body.before.as_bytes());
        out.extend_from_slice(format!("{serial:010}").as_bytes());
        out.extend_from_slice(body.after.as_bytes());
        serial
    }

    fn check(&self, ticket: u64, answer: &Answer<'_>) -> Result<(), String> {
        check_released(answer, 201)?;
        let person = self.bodies[ticket as usize % self.bodies.len()].person;
        match answer.header("location").and_then(location) {
            Some((ResourceType::Observation, id)) if id.pid == person => {
                if ticket.is_multiple_of(KEPT) {
                    self.kept.lock().expect("nobody panics with the lock held").push((ticket, id));
                }
                Ok(())
            }
            _ => Err("no Location of an Observation of the person".to_owned()),
        }
    }
}
