# METADATA
# title: The person's own view
package kiroku.person

import data.kiroku.base

# METADATA
# title: R01 The person reads all own data
# description: UNTOLD and NOTPROV are not among the opened labels, so they leave no trace.
# custom:
#   rule: R01
#   title_ja: 本人による自己情報の閲覧
#   source: access-rules.md R01
#   attributes: [person.link, purpose]
r01 := [g |
	input.purpose == "PATRQT"
	base.reading
	base.person
	input.person.link.state in data.tables.link_ok
	g := {
		"rules": ["R01"],
		"precedence": 7,
		"clauses": [{
			"rule": "R01",
			"precedence": 7,
			"categories": [k | some k in data.tables.categories; k != "LOG"],
			"labels": data.tables.labels_person,
		}],
		"obligations": ["LOG"],
		"until": null,
		"consent": null,
	}
]

# METADATA
# title: R02 The person reads consents and the access log, always
# description: While the link is in doubt only entries of visits that this very card proved.
# custom:
#   rule: R02
#   title_ja: 本人による同意とアクセス記録の閲覧
#   source: access-rules.md R02
#   attributes: [action, bulk, person.link, purpose, stage]
r02 := [g |
	input.purpose == "PATRQT"
	input.stage == "whole"
	input.action in ["read", "search", "export", "read_log"]
	input.bulk == false
	base.person
	g := {
		"rules": ["R02"],
		"precedence": 7,
		"clauses": [
			{"rule": "R02", "precedence": 7, "categories": ["CONSENT"], "labels": data.tables.labels_person},
			{
				"rule": "R02",
				"precedence": 7,
				"categories": ["LOG"],
				"labels": data.tables.labels_person,
				"flags": log_flags,
			},
		],
		"obligations": ["LOG"],
		"until": null,
		"consent": null,
	}
]

log_flags := [] if {
	input.person.link.state in data.tables.link_ok
} else := ["own-card-visits"]
