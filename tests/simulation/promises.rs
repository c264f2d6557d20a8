//! What must hold at the end of each seed.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use chassis::ports::keys::Keys;
use chassis::ports::store::{Store, Table};
use chassis::twins::MemoryStore;
use chassis::verdicts::Verdicts;
use schemas::access::{AccessRow, ReceiptBytes};
use schemas::submission::{Effect, Outcome, OutcomeResult};
use schemas::{ProblemCode, ResourceId, codec};

use crate::clients::{Answer, Told};
use crate::ground::{Ground, URL};
use crate::history::{Entry, History};
use crate::persons::Person;
use crate::tables::CalmKeys;
use crate::world::World;
use crate::{compared, model};

/// True when everything that stands in the log stands in the tables too.
pub(crate) async fn is_quiet(world: &Arc<World>) -> Result<bool> {
    let history = History::read(world).await?;
    for entry in history.entries.values() {
        let row = world.store.get(Table::Verdict, &entry.submission.pid.0, &entry.submission.id.0).await?;
        if entry.outcome.is_none() || row.is_none() {
            return Ok(false);
        }
    }
    let mut indexed = world.store.scan(Table::PersonIndex, None, usize::MAX).await?;
    indexed.dedup_by(|a, b| a.partition == b.partition);
    let report = ledger::verify_lists(&lists(world), world.store.clone(), &mut |_, _| {}).await?;
    Ok(report.pending == 0 && !indexed.is_empty())
}

fn lists(world: &World) -> ledger::ListDeps {
    ledger::ListDeps { log: world.log.clone(), keys: keys(world) }
}

fn keys(world: &World) -> Arc<dyn Keys> {
    Arc::new(CalmKeys(world.keys.clone()))
}

/// All promises; the first one that was broken.
pub(crate) async fn check(world: &Arc<World>, persons: &[Person], told: &[Told]) -> Result<History> {
    let history = History::read(world).await?;
    for told in told {
        let entry = history.entries.get(&told.submission);
        let entry = entry.with_context(|| format!("`{}` was told, and is not in the log", told.key))?;
        let said = is_what_was_told(entry, told);
        said.with_context(|| format!("`{}` was told by process {}: {:?}", told.key, told.process, told.answer))?;
    }
    for person in persons {
        model::check(&history.of(person.pid), person.in_doubt)?;
    }
    lists_are_whole(world, told).await?;
    let fresh: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let deps = projector::Deps {
        log: world.log.clone(),
        store: fresh.clone(),
        keys: keys(world),
        verdicts: Arc::new(Verdicts::default()),
        policies: Ground::shared().policies[0].clone(),
        clock: world.clock(0),
    };
    projector::replay(&deps, fresh.clone(), &mut |_| {}).await?;
    ledger::replay_lists(&lists(world), fresh.clone(), &mut |_| {}).await?;
    compared::check(world.store.clone(), fresh, keys(world)).await?;
    Ok(history)
}

/// What a client heard is the first outcome in log order.
fn is_what_was_told(entry: &Entry, told: &Told) -> Result<()> {
    let outcome = entry.outcome.as_ref().context("nothing was decided")?;
    let Answer { status, etag, location, body, .. } = &told.answer;
    let mut said = format!("{status} {etag} {location}");
    let mut wanted = answer_of(entry, outcome);
    if told.by_url {
        let body: serde_json::Value = serde_json::from_str(body)?;
        said = format!("{} {}", body["status"], body["details"]);
        wanted = by_url(entry, outcome);
    }
    ensure!(said.trim() == wanted.trim(), "the first outcome in the log would be told as `{wanted}`");
    Ok(())
}

fn place(entry: &Entry, outcome: &Outcome) -> Option<(String, u32, Effect)> {
    let OutcomeResult::Accepted(written) = &outcome.result else { return None };
    let one = written.first()?;
    let id = ResourceId { pid: entry.submission.pid, local: one.item.local };
    Some((format!("{}/{id}/_history/{}", one.item.resource_type, one.version), one.version, one.effect))
}

fn answer_of(entry: &Entry, outcome: &Outcome) -> String {
    match (&outcome.result, place(entry, outcome)) {
        (OutcomeResult::Accepted(_), Some((path, version, effect))) => match effect {
            Effect::Created => format!("201 W/\"{version}\" {URL}/fhir/{path}"),
            Effect::Updated | Effect::Matched => format!("200 W/\"{version}\" {URL}/fhir/{path}"),
            Effect::Deleted | Effect::None => format!("204 W/\"{version}\""),
        },
        (OutcomeResult::Refused(problems), _) => match problems.first().map(|p| p.code) {
            Some(ProblemCode::Conflict | ProblemCode::MultipleMatches) => "412".to_owned(),
            Some(ProblemCode::NotFound) => "404".to_owned(),
            Some(ProblemCode::Forbidden) => "403".to_owned(),
            _ => "an answer that no write of the simulation has".to_owned(),
        },
        _ => "an accepted write without an item".to_owned(),
    }
}

fn by_url(entry: &Entry, outcome: &Outcome) -> String {
    match (&outcome.result, place(entry, outcome)) {
        (OutcomeResult::Refused(problems), _) => {
            format!("\"refused\" {}", schemas::problem::operation_outcome(problems))
        }
        (_, Some((path, _, effect))) if effect != Effect::None => format!("\"accepted\" [\"{path}\"]"),
        _ => "\"accepted\" []".to_owned(),
    }
}

/// The lists agree with the log, and every receipt stands in one of them, once.
async fn lists_are_whole(world: &Arc<World>, told: &[Told]) -> Result<()> {
    let report = ledger::verify_lists(&lists(world), world.store.clone(), &mut |_, _| {}).await?;
    ensure!(report.is_good() && report.pending == 0, "the lists of accesses are not what the log says: {report:?}");
    let mut numbered = Vec::new();
    for row in world.store.scan(Table::Access, None, usize::MAX).await? {
        numbered.push(codec::decode::<AccessRow>("access row", &row.value)?.record.id);
    }
    for told in told.iter().filter(|told| !told.by_url) {
        let receipt = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(&told.answer.receipt)?;
        let receipt: ReceiptBytes = codec::decode("receipt", &receipt)?;
        let count = numbered.iter().filter(|id| **id == receipt.entry).count();
        ensure!(count == 1, "the receipt of `{}` stands {count} times in the lists", told.key);
    }
    Ok(())
}
