# METADATA
# title: Supervision
package kiroku.regulator

import data.kiroku.base

# METADATA
# title: R43 The regulator reads the access log of a case, without clinical content
# custom:
#   rule: R43
#   title_ja: 規制当局による事案のアクセス記録の閲覧
#   source: access-rules.md R43
#   attributes: [action, actor.is_subject, actor.status, actor.type, authority.until, bulk, client.organisation, organisation.id, organisation.status, organisation.type, purpose, stage]
r43 := [g |
	input.purpose == "HCOMPL"
	input.action == "read_log"
	input.stage == "whole"
	input.bulk == false
	base.fresh
	base.client_proven
	input.actor.type == "official"
	input.actor.status == "active"
	input.actor.is_subject == false
	input.organisation.type in data.tables.regulator_types
	input.organisation.status == "active"
	input.client.organisation == input.organisation.id
	case_open
	some organisations in within
	g := {
		"rules": ["R43"],
		"precedence": 4,
		"clauses": [{
			"rule": "R43",
			"precedence": 4,
			"categories": ["LOG"],
			"labels": [],
			"author_organisations": organisations,
			"flags": ["no-clinical-content"],
		}],
		"obligations": ["LOG", "EXP"],
		"until": input.authority.until,
	}
]

# METADATA
# title: A case of two different officials, one of them the reader, of at most 30 days
# custom:
#   helper: case_open
#   attributes: [actor.id, authority.id, authority.kind, authority.opened_at, authority.persons, authority.status, authority.until, now]
case_open if {
	input.authority.kind == "case"
	input.authority.id != ""
	input.authority.status == "active"
	count(input.authority.persons) == 2
	count({p | some p in input.authority.persons; p != ""}) == 2
	input.actor.id in input.authority.persons
	input.authority.opened_at <= base.latest
	input.authority.until > input.now
	input.authority.until - input.authority.opened_at <= data.parameters.case_ms
}

# METADATA
# title: Scope of the case, as the organisations whose entries are shown; empty means all entries of the person
# custom:
#   helper: within
#   attributes: [authority.scope, person.pid]
within := [[]] if {
	input.person.pid in input.authority.scope.persons
} else := [o | o := input.authority.scope.organisations; count(o) > 0]
