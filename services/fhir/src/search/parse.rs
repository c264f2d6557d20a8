//! From the parameters of a request to a [`Query`].

use std::collections::HashSet;

use schemas::{Problem, ProblemCode, ResourceId, ResourceType};

use super::clause::{Clause, Composite, Place};
use super::escape::split;
use super::meta::MetaField;
use super::value::{Modifier, Reading, Test};
use super::{CHAIN_MAX, Fault, Handling, PARAMS_MAX, Query, VALUES_MAX, control};
use crate::params::{COMMON, Kind, Param, UNSUPPORTED, table};

pub(super) fn parse(
    base_url: &str,
    resource_type: Option<ResourceType>,
    params: &[(String, String)],
    handling: Handling,
) -> Result<Query, Vec<Problem>> {
    if params.len() > PARAMS_MAX {
        return Err(vec![Problem::new(ProblemCode::TooLong, "", format!("more than {PARAMS_MAX} parameters"))]);
    }
    let mut query = Query { resource_type, ..Query::default() };
    let mut parser = Parser { base_url, slots: 0, values: 0 };
    let mut problems = Vec::new();
    let mut once = HashSet::new();
    for (index, (name, value)) in params.iter().enumerate() {
        let done = control::take(&mut query, &mut once, name, value)
            .unwrap_or_else(|| parser.clause(resource_type, name, value, 0).map(|clause| query.clauses.push(clause)));
        if let Err(fault) = done {
            let path = shown_name(name, index);
            match (handling, fault.lenient) {
                (Handling::Lenient, true) => {
                    let message = format!("left out of the search: {}", fault.message);
                    query.ignored.push(Problem::warning(fault.code, path, message));
                }
                _ => problems.push(Problem::new(fault.code, path, fault.message)),
            }
        }
    }
    query.slots = parser.slots;
    query.clauses.sort_by_key(Clause::cost);
    if problems.is_empty() { Ok(query) } else { Err(problems) }
}

/// The name of a parameter as it may be shown: a name that is none could hold anything, so it is shown by its place.
fn shown_name(name: &str, index: usize) -> String {
    let base = name.split([':', '.']).next().unwrap_or_default();
    let plain = !base.is_empty()
        && name.len() <= 100
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-:.".contains(&b));
    let known = COMMON.iter().any(|(code, _)| *code == base)
        || base.starts_with('_')
        || ResourceType::ALL.iter().any(|t| table(*t).by_code(base).is_some());
    if plain && known { name.to_owned() } else { format!("parameter[{index}]") }
}

struct Parser<'a> {
    base_url: &'a str,
    slots: usize,
    values: usize,
}

impl Parser<'_> {
    fn clause(
        &mut self,
        resource_type: Option<ResourceType>,
        name: &str,
        value: &str,
        depth: usize,
    ) -> Result<Clause, Fault> {
        if depth > CHAIN_MAX {
            return Err(Fault::too_long(format!("a chain of more than {CHAIN_MAX} links")));
        }
        if let Some(rest) = name.strip_prefix("_has:") {
            return self.has(resource_type, rest, value, depth);
        }
        if let Some((head, tail)) = name.split_once('.') {
            return self.chain(resource_type, head, tail, value, depth);
        }
        let (code, modifier) = match name.split_once(':') {
            None => (name, None),
            Some((code, text)) => {
                let modifier =
                    Modifier::parse(text).ok_or_else(|| Fault::unsupported("this modifier is not supported"))?;
                (code, Some(modifier))
            }
        };
        if let Some(field) = MetaField::parse(code) {
            return self.meta(field, modifier, value);
        }
        let param = find(resource_type, code)?;
        if modifier.is_some_and(|m| !m.fits(param.kind)) {
            return Err(Fault::unsupported(format!("a {} parameter does not take this modifier", param.kind.as_str())));
        }
        if let Some(Modifier::Type(wanted)) = modifier
            && !param.targets.contains(&wanted)
        {
            return Err(Fault::value("this reference never leads to that type"));
        }
        if param.kind == Kind::Composite {
            return self.composite(resource_type, param, modifier, value);
        }
        let place = Place::Stored(param.sources());
        self.on_place(place, param.kind, modifier, implied_system(resource_type, param), value)
    }

    fn on_place(
        &mut self,
        place: Place,
        kind: Kind,
        modifier: Option<Modifier>,
        implied_system: Option<&str>,
        value: &str,
    ) -> Result<Clause, Fault> {
        if modifier == Some(Modifier::Missing) {
            return Ok(Clause::Missing { place, missing: truth(value)? });
        }
        let reading = Reading { kind, modifier, implied_system, base_url: self.base_url };
        let tests = self.alternatives(value, |text| Test::parse(&reading, text))?;
        Ok(Clause::Any { place, tests, negate: modifier == Some(Modifier::Not) })
    }

    fn alternatives<T>(&mut self, value: &str, one: impl Fn(&str) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
        let parts = split(value, ',');
        self.values += parts.len();
        if self.values > VALUES_MAX {
            return Err(Fault::too_long(format!("more than {VALUES_MAX} values")));
        }
        parts.into_iter().map(one).collect()
    }

    fn meta(&mut self, field: MetaField, modifier: Option<Modifier>, value: &str) -> Result<Clause, Fault> {
        let kind = match field {
            MetaField::Id | MetaField::Tag | MetaField::Security => Kind::Token,
            MetaField::LastUpdated => Kind::Date,
            MetaField::Profile | MetaField::Source => Kind::Uri,
        };
        let place = Place::Meta(field);
        if modifier.is_some_and(|m| !m.fits(kind) || field == MetaField::Id) {
            return Err(Fault::unsupported("this parameter does not take this modifier"));
        }
        if field == MetaField::Id {
            // Headers know the local part of their id; what is no id of ours finds nothing.
            let reading = Reading { kind, modifier: None, implied_system: None, base_url: "" };
            let local = |id: &str| id.parse::<ResourceId>().map_or_else(|_| "-".to_owned(), |id| id.local.to_string());
            let tests = self.alternatives(value, |id| match id {
                "" => Err(Fault::value("a value is missing")),
                id => Test::parse(&reading, &local(id)),
            })?;
            return Ok(Clause::Any { place, tests, negate: false });
        }
        self.on_place(place, kind, modifier, None, value)
    }

    fn composite(
        &mut self,
        resource_type: Option<ResourceType>,
        param: &Param,
        modifier: Option<Modifier>,
        value: &str,
    ) -> Result<Clause, Fault> {
        let table = resource_type.map(table);
        let of_number = |n: &u16| table.and_then(|t| t.by_number(*n)).map(|p| Place::Stored(p.sources()));
        let split_places = param.split.iter().map(of_number).collect::<Option<Vec<_>>>().filter(|p| !p.is_empty());
        let mut composite = Composite { split: split_places, stored: param.sources(), tests: Vec::new() };
        if modifier == Some(Modifier::Missing) {
            return Ok(Clause::CompositeMissing { composite, missing: truth(value)? });
        }
        let base_url = self.base_url;
        composite.tests = self.alternatives(value, |text| {
            let parts = split(text, '$');
            if parts.len() != param.components.len() {
                return Err(Fault::value(format!("{} values joined by $ are wanted", param.components.len())));
            }
            let one = |(part, component): (&str, &crate::params::Component)| {
                let implied_system = component.paths.iter().find_map(|p| p.system.as_deref());
                Test::parse(&Reading { kind: component.kind, modifier: None, implied_system, base_url }, part)
            };
            parts.into_iter().zip(&param.components).map(one).collect()
        })?;
        Ok(Clause::Composite(composite))
    }

    /// `subject:Patient.name=...`: without a type, every possible target that has the parameter is tried.
    fn chain(
        &mut self,
        resource_type: Option<ResourceType>,
        head: &str,
        tail: &str,
        value: &str,
        depth: usize,
    ) -> Result<Clause, Fault> {
        let (code, wanted) = match head.split_once(':') {
            None => (head, None),
            Some((code, name)) => {
                let wanted = name.parse().map_err(|_| Fault::unsupported("no type that is kept here"))?;
                (code, Some(wanted))
            }
        };
        let param = reference_param(resource_type, code)?;
        let targets: Vec<ResourceType> = match wanted {
            Some(wanted) if !param.targets.contains(&wanted) => {
                return Err(Fault::value("this reference never leads to that type"));
            }
            Some(wanted) => vec![wanted],
            None => param.targets.clone(),
        };
        let values_before = self.values;
        let mut branches = Vec::new();
        let mut first_fault = None;
        for target in targets {
            self.values = values_before;
            match self.clause(Some(target), tail, value, depth + 1) {
                Ok(clause) => branches.push((target, vec![clause])),
                Err(fault) => first_fault = first_fault.or(Some(fault)),
            }
        }
        match (branches.is_empty(), first_fault) {
            (true, fault) => {
                Err(fault.unwrap_or_else(|| Fault::unsupported("no target of this reference is kept here")))
            }
            // A bad value is bad for every target that has the parameter.
            (false, Some(fault)) if !fault.lenient => Err(fault),
            (false, _) => Ok(Clause::Chain { sources: param.sources(), branches }),
        }
    }

    /// `_has:Observation:patient:code=...`, after `_has:`.
    fn has(
        &mut self,
        resource_type: Option<ResourceType>,
        rest: &str,
        value: &str,
        depth: usize,
    ) -> Result<Clause, Fault> {
        let target = resource_type.ok_or_else(|| Fault::unsupported("_has needs a type in the path"))?;
        let mut parts = rest.splitn(3, ':');
        let (Some(source), Some(code), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Fault::value("_has:Type:reference:parameter is wanted"));
        };
        let source: ResourceType = source.parse().map_err(|_| Fault::unsupported("no type that is kept here"))?;
        let param = reference_param(Some(source), code)?;
        if !param.targets.contains(&target) {
            return Err(Fault::value("that reference never leads to this type"));
        }
        let clause = Box::new(self.clause(Some(source), name, value, depth + 1)?);
        let slot = self.slots;
        self.slots += 1;
        Ok(Clause::Has { slot, resource_type: source, sources: param.sources(), clause })
    }
}

fn implied_system(resource_type: Option<ResourceType>, param: &Param) -> Option<&str> {
    let of_source = |n| resource_type.map(table).and_then(|t| t.by_number(n)).and_then(Param::implied_system);
    param.sources().iter().find_map(|source| of_source(source.n))
}

/// The parameter of a type, or what is wrong with asking for it.
pub(super) fn find(resource_type: Option<ResourceType>, code: &str) -> Result<&'static Param, Fault> {
    if UNSUPPORTED.contains(&code) {
        return Err(Fault::unsupported("this parameter is not supported"));
    }
    let Some(resource_type) = resource_type else {
        return Err(Fault::unsupported("over all types only the parameters of every resource are known"));
    };
    match table(resource_type).by_code(code) {
        Some(param) if param.kind == Kind::Special => Err(Fault::unsupported("this parameter is not supported")),
        Some(param) => Ok(param),
        None => Err(Fault::unsupported(format!("{resource_type} has no such parameter"))),
    }
}

pub(super) fn reference_param(resource_type: Option<ResourceType>, code: &str) -> Result<&'static Param, Fault> {
    match find(resource_type, code)? {
        param if param.kind == Kind::Reference => Ok(param),
        _ => Err(Fault::value("this parameter is no reference")),
    }
}

fn truth(value: &str) -> Result<bool, Fault> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Fault::value("true or false is wanted")),
    }
}
