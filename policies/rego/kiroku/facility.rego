# METADATA
# title: What the facility wrote itself
package kiroku.facility

import data.kiroku.base

# METADATA
# title: R16 The author facility reads its own uploads
# custom:
#   rule: R16
#   title_ja: 作成施設による自施設記録の閲覧
#   source: access-rules.md R16
#   attributes: [organisation.id, purpose]
r16 := [g |
	base.reading
	some categories in own_writing
	g := {
		"rules": ["R16"],
		"precedence": 4,
		"clauses": [{
			"rule": "R16",
			"precedence": 4,
			"categories": categories,
			"labels": data.tables.labels_own_writing,
			"author_organisations": [input.organisation.id],
		}],
		"obligations": ["LOG"],
		"until": null,
		"consent": null,
	}
]

own_writing := [[k | some k in data.tables.categories; k != "LOG"] | base.clinician] if {
	input.purpose == "TREAT"
} else := [["CLAIMS"] | base.professional] if {
	input.purpose == "HPAYMT"
} else := []
