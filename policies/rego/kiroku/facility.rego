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
	g := {
		"rules": ["R16"],
		"precedence": 4,
		"clauses": [{
			"rule": "R16",
			"precedence": 4,
			"categories": own_writing,
			"labels": "labels_own_writing",
			"author_organisations": [input.organisation.id],
		}],
		"obligations": ["LOG"],
	}
]

own_writing := "categories_but_log" if {
	input.purpose == "TREAT"
	base.clinician
} else := ["CLAIMS"] if {
	input.purpose == "HPAYMT"
	base.professional
}
