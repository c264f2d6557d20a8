//! What a reader of a list looks for: the parameters of all three doors, and whether an entry matches.

use chassis::http::Refusal;
use schemas::access::{Access, AccessOutcome};
use schemas::vocab::AccessKind;
use schemas::{Category, EntryId, ItemKey, LocalId, Problem, ProblemCode, Purpose, ResourceId, ResourceType};

/// Conditions on entries; all must hold. Texts are compared without regard to case.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Conditions {
    /// Id of a facility, or part of its name or group.
    pub(crate) facility: Option<String>,
    /// Id of a professional, or part of the name.
    pub(crate) professional: Option<String>,
    /// Any of these parts in a name: professional, delegator, facility.
    pub(crate) any_name: Option<String>,
    /// Id of a professional, facility or system.
    pub(crate) agent: Option<String>,
    /// Milliseconds since 1970, from inclusive to exclusive.
    pub(crate) from: Option<i64>,
    pub(crate) to: Option<i64>,
    /// Empty: any.
    pub(crate) kinds: Vec<AccessKind>,
    pub(crate) categories: Vec<Category>,
    pub(crate) purposes: Vec<Purpose>,
    pub(crate) outcomes: Vec<AccessOutcome>,
    pub(crate) item: Option<ItemKey>,
    pub(crate) id: Option<EntryId>,
    /// Words of the sentence.
    pub(crate) text: Option<String>,
}

/// Paging and language.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    pub(crate) conditions: Conditions,
    pub(crate) count: usize,
    /// Entries below this number.
    pub(crate) before: Option<u64>,
}

/// Entries on a page unless `_count` says otherwise, and at the most.
const COUNT: usize = 50;
const COUNT_MAX: usize = 500;

fn wrong(name: &str, text: &str) -> Refusal {
    Refusal::bad_request(vec![Problem::new(ProblemCode::Value, name, text)])
}

/// Comma-separated members of a closed list; a token's `system|` is passed over.
pub(crate) fn members<T: std::str::FromStr>(name: &str, value: &str) -> Result<Vec<T>, Refusal> {
    let member = |text: &str| {
        text.rsplit_once('|').map_or(text, |(_, code)| code).parse().map_err(|_| wrong(name, "is not a known code"))
    };
    value.split(',').map(member).collect()
}

pub(crate) fn interval(name: &str, value: &str) -> Result<(i64, i64), Refusal> {
    fhir::dates::interval(value).ok_or_else(|| wrong(name, "is not a date or time"))
}

/// A pair of parameter lists is the smaller of both.
fn at_least(slot: &mut Option<i64>, value: i64) {
    *slot = Some(slot.map_or(value, |old| old.max(value)));
}

fn below(slot: &mut Option<i64>, value: i64) {
    *slot = Some(slot.map_or(value, |old| old.min(value)));
}

impl Asked {
    pub(crate) fn new() -> Self {
        Self { conditions: Conditions::default(), count: COUNT, before: None }
    }

    /// Takes a parameter that all doors have; false if it is none of them.
    pub(crate) fn take_paging(&mut self, name: &str, value: &str) -> Result<bool, Refusal> {
        match name {
            "_count" => {
                let count = value.parse::<usize>().map_err(|_| wrong(name, "is not a number"))?;
                self.count = count.clamp(1, COUNT_MAX);
            }
            "_page" => {
                self.before =
                    Some(value.parse().map_err(|_| wrong(name, "is not of this list; begin again without it"))?)
            }
            "_format" | "_pretty" => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Takes a parameter of `/me/accesses` and `/audit/accesses`; false if it is none.
    pub(crate) fn take_plain(&mut self, name: &str, value: &str) -> Result<bool, Refusal> {
        let it = &mut self.conditions;
        match name {
            "facility" => it.facility = Some(value.to_lowercase()),
            "professional" => it.professional = Some(value.to_lowercase()),
            "from" => at_least(&mut it.from, interval(name, value)?.0),
            "to" => below(&mut it.to, interval(name, value)?.1),
            "kind" => it.kinds = members(name, value)?,
            "category" => it.categories = members(name, value)?,
            "purpose" => it.purposes = members(name, value)?,
            "text" => it.text = Some(value.to_lowercase()),
            _ => return self.take_paging(name, value),
        }
        Ok(true)
    }

    /// Takes a search parameter of AuditEvent; false if it is none that is supported.
    pub(crate) fn take_fhir(&mut self, name: &str, value: &str) -> Result<bool, Refusal> {
        let it = &mut self.conditions;
        match name {
            "_id" => it.id = Some(value.parse().map_err(|_| wrong(name, "is not an id of an entry"))?),
            "agent" => it.agent = Some(last_part(value).to_lowercase()),
            "agent-name" => it.any_name = Some(value.to_lowercase()),
            "type" | "subtype" => {
                it.kinds = crate::audit_event::kinds_of(value).ok_or_else(|| wrong(name, "is not a known code"))?
            }
            "date" => it.take_date(name, value)?,
            // Newest first is the one order there is.
            "_sort" if matches!(value, "-date" | "-_lastUpdated") => {}
            "outcome" => it.outcomes = members(name, value)?,
            "entity" => it.item = Some(item_of(value).ok_or_else(|| wrong(name, "is not a reference to a resource"))?),
            "entity-type" => it.categories = members(name, value)?,
            "facility" | "professional" | "category" | "purpose" | "kind" => return self.take_plain(name, value),
            _ => return self.take_paging(name, value),
        }
        Ok(true)
    }
}

/// The id in `Type/id` or `system|id`.
fn last_part(value: &str) -> &str {
    value.rsplit(['/', '|']).next().unwrap_or(value)
}

fn item_of(value: &str) -> Option<ItemKey> {
    let mut parts = value.rsplit('/');
    let (id, kind) = (parts.next()?, parts.next()?);
    let resource_type: ResourceType = kind.parse().ok()?;
    let local = id.parse::<ResourceId>().map(|id| id.local).or_else(|_| id.parse::<LocalId>()).ok()?;
    Some(ItemKey { resource_type, local })
}

impl Conditions {
    /// A FHIR date with its prefix.
    fn take_date(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        let (prefix, date) = match value.get(..2) {
            Some(prefix @ ("eq" | "ge" | "gt" | "le" | "lt" | "sa" | "eb")) => (prefix, &value[2..]),
            _ => ("eq", value),
        };
        let (from, to) = interval(name, date)?;
        match prefix {
            "ge" => at_least(&mut self.from, from),
            "gt" | "sa" => at_least(&mut self.from, to),
            "le" => below(&mut self.to, to),
            "lt" | "eb" => below(&mut self.to, from),
            _ => {
                at_least(&mut self.from, from);
                below(&mut self.to, to);
            }
        }
        Ok(())
    }

    /// Whether no entry matches that was logged at `logged_at` or before: an entry is released before it is logged, but for
    /// the second by which clocks may differ.
    pub(crate) fn ends_before(&self, logged_at: i64) -> bool {
        self.from.is_some_and(|from| logged_at + 1000 < from)
    }

    /// Whether the entry matches. `sentence` is asked for only where words are looked for.
    pub(crate) fn match_entry(&self, access: &Access, sentence: impl FnOnce() -> String) -> bool {
        let named = |name: &str, part: &str| name.to_lowercase().contains(part);
        let humans = || access.actor.iter().chain(&access.on_behalf_of);
        let is_of = |part: &String| {
            access.organisation.0.to_lowercase() == *part
                || named(&access.organisation_name, part)
                || named(&access.organisation_group, part)
        };
        self.facility.as_ref().is_none_or(is_of)
            && self
                .professional
                .as_ref()
                .is_none_or(|p| humans().any(|h| h.id.0.to_lowercase() == *p || named(&h.name, p)))
            && self
                .any_name
                .as_ref()
                .is_none_or(|p| named(&access.organisation_name, p) || humans().any(|h| named(&h.name, p)))
            && self.agent.as_ref().is_none_or(|id| {
                let ids = [&access.organisation.0, &access.processor.0];
                ids.iter().any(|known| known.to_lowercase() == *id) || humans().any(|h| h.id.0.to_lowercase() == *id)
            })
            && self.from.is_none_or(|from| access.released_at >= from)
            && self.to.is_none_or(|to| access.released_at < to)
            && any_of(&self.kinds, |k| *k == access.kind)
            && any_of(&self.categories, |c| access.categories.contains(c))
            && any_of(&self.purposes, |p| *p == access.purpose)
            && any_of(&self.outcomes, |o| *o == access.outcome)
            && self.item.is_none_or(|item| access.items.iter().any(|v| v.item == item))
            && self.id.is_none_or(|id| access.id == id)
            && self.text.as_ref().is_none_or(|text| sentence().to_lowercase().contains(text))
    }

    /// Whether any entry matches: then also one whose words are gone.
    pub(crate) fn is_open(&self) -> bool {
        *self == Self::default()
    }
}

fn any_of<T>(list: &[T], holds: impl Fn(&T) -> bool) -> bool {
    list.is_empty() || list.iter().any(holds)
}
