//! What the policy answers, and how it becomes a [`Decision`]. Short on purpose: building, writing and reading the answer is
//! a good part of a decision's cost. The contract, field by field, stands in the README ("The answer of the policy").

use std::fmt;

use schemas::{OrganisationId, PractitionerId};
use serde::de::{SeqAccess, Visitor, value::SeqAccessDeserializer};
use serde::{Deserialize, Deserializer};

use crate::decision::{ConsentBasis, Decision, Obligation, Outcome, Refusal};
use crate::filter::{Clause, Filter, Flag, ItemRef};
use crate::sets::{CategorySet, LabelSet};

/// The lists of the policy data (`tables`) that a clause may name instead of writing them out.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    categories: Vec<(String, CategorySet)>,
    labels: Vec<(String, LabelSet)>,
}

impl Tables {
    /// Every list in `data.tables` that is one of categories or of labels; other lists have no name here.
    pub(crate) fn of(data: &serde_json::Value) -> Self {
        let mut tables = Self::default();
        for (name, list) in data["tables"].as_object().into_iter().flatten() {
            if name.starts_with("categories")
                && let Ok(set) = CategorySet::deserialize(list)
            {
                tables.categories.push((name.clone(), set));
            } else if name.starts_with("labels")
                && let Ok(set) = LabelSet::deserialize(list)
            {
                tables.labels.push((name.clone(), set));
            }
        }
        tables
    }
}

/// A set written out as a list, or the name of one.
enum Named<S> {
    Set(S),
    Name(String),
}

impl<S: Copy> Named<S> {
    /// `None` where no list has this name.
    fn resolve(&self, known: &[(String, S)]) -> Option<S> {
        match self {
            Self::Set(set) => Some(*set),
            Self::Name(name) => known.iter().find(|(n, _)| n == name).map(|(_, set)| *set),
        }
    }
}

impl<'de, S: Deserialize<'de>> Deserialize<'de> for Named<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<S>(std::marker::PhantomData<S>);
        impl<'de, S: Deserialize<'de>> Visitor<'de> for Either<S> {
            type Value = Named<S>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list, or the name of one")
            }
            fn visit_str<E>(self, name: &str) -> Result<Named<S>, E> {
                Ok(Named::Name(name.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Named<S>, A::Error> {
                S::deserialize(SeqAccessDeserializer::new(list)).map(Named::Set)
            }
        }
        deserializer.deserialize_any(Either(std::marker::PhantomData))
    }
}

/// A [`Clause`] of which the sets may be named.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawClause {
    rule: String,
    precedence: u8,
    categories: Named<CategorySet>,
    labels: Named<LabelSet>,
    #[serde(default)]
    classes: Vec<String>,
    #[serde(default)]
    authors: Vec<PractitionerId>,
    #[serde(default)]
    author_organisations: Vec<OrganisationId>,
    #[serde(default)]
    period: Option<(i64, i64)>,
    #[serde(default)]
    receivers: Vec<OrganisationId>,
    #[serde(default)]
    flags: Vec<Flag>,
    #[serde(default)]
    items: Vec<ItemRef>,
}

impl RawClause {
    fn resolve(self, tables: &Tables) -> Option<Clause> {
        Some(Clause {
            categories: self.categories.resolve(&tables.categories)?,
            labels: self.labels.resolve(&tables.labels)?,
            rule: self.rule,
            precedence: self.precedence,
            classes: self.classes,
            authors: self.authors,
            author_organisations: self.author_organisations,
            period: self.period,
            receivers: self.receivers,
            flags: self.flags,
            items: self.items,
        })
    }
}

fn resolve(clauses: Vec<RawClause>, tables: &Tables) -> Option<Vec<Clause>> {
    clauses.into_iter().map(|clause| clause.resolve(tables)).collect()
}

/// The answer as the policy writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    outcome: Outcome,
    rules: Vec<String>,
    #[serde(default)]
    permit: Vec<RawClause>,
    /// Applies to `permit` and to `waiting`; no default: where one of them is given, leaving it out must not open anything.
    deny: Option<Vec<RawClause>>,
    #[serde(default)]
    waiting: Vec<RawClause>,
    obligations: Vec<Obligation>,
    expires: i64,
    reason: String,
    #[serde(default)]
    consent: Option<ConsentBasis>,
    #[serde(default)]
    rest: Option<Refusal>,
}

impl Answer {
    /// `None` where the answer contradicts itself: no rule, no LOG, a filter beside a denial, clauses that permit without a
    /// word on what is denied, the name of an unknown list, or already over.
    pub(crate) fn complete(
        self,
        tables: &Tables,
        now: i64,
        policy_revision: u64,
        input_hash: [u8; 32],
    ) -> Option<Decision> {
        let opens = !self.permit.is_empty() || !self.waiting.is_empty();
        let sound = !self.rules.is_empty()
            && self.obligations.contains(&Obligation::Log)
            && self.expires > now
            && (self.outcome == Outcome::Permit || self.permit.is_empty())
            && (self.deny.is_some() || !opens);
        if !sound {
            return None;
        }
        let deny = resolve(self.deny.unwrap_or_default(), tables)?;
        let waiting = filter(resolve(self.waiting, tables)?, || deny.clone());
        Some(Decision {
            outcome: self.outcome,
            rules: self.rules,
            filter: filter(resolve(self.permit, tables)?, || deny),
            waiting,
            obligations: self.obligations,
            expires: self.expires,
            reason: self.reason,
            consent: self.consent,
            rest: self.rest,
            policy_revision,
            input_hash,
        })
    }
}

/// Where nothing is permitted there is nothing to deny either: the empty filter.
fn filter(permit: Vec<Clause>, deny: impl FnOnce() -> Vec<Clause>) -> Filter {
    if permit.is_empty() { Filter::default() } else { Filter { permit, deny: deny() } }
}
