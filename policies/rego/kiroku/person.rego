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
#   attributes: [purpose]
r01 := [g |
	input.purpose == "PATRQT"
	base.reading
	base.person
	base.linked
	g := {
		"rules": ["R01"],
		"precedence": 7,
		"clauses": [{
			"rule": "R01",
			"precedence": 7,
			"categories": "categories_but_log",
			"labels": "labels_person",
		}],
		"obligations": ["LOG"],
	}
]

# METADATA
# title: R02 The person reads consents and the access log, always
# description: While the link is in doubt only entries of visits that this very card proved.
# custom:
#   rule: R02
#   title_ja: 本人による同意とアクセス記録の閲覧
#   source: access-rules.md R02
#   attributes: [action, bulk, purpose, stage]
r02 := [g |
	input.purpose == "PATRQT"
	input.stage == "whole"
	data.tables.actions_own[input.action]
	input.bulk == false
	base.person
	g := {
		"rules": ["R02"],
		"precedence": 7,
		"clauses": [
			{"rule": "R02", "precedence": 7, "categories": ["CONSENT"], "labels": "labels_person"},
			{
				"rule": "R02",
				"precedence": 7,
				"categories": ["LOG"],
				"labels": "labels_person",
				"flags": log_flags,
			},
		],
		"obligations": ["LOG"],
	}
]

log_flags := [] if {
	base.linked
} else := ["own-card-visits"]
