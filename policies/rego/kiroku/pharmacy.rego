# METADATA
# title: A pharmacy that holds a prescription
package kiroku.pharmacy

import data.kiroku.base

# METADATA
# title: R27 The pharmacy reads the prescription that it holds, and no other item
# custom:
#   rule: R27
#   title_ja: 処方箋を受け付けた薬局による当該処方の閲覧
#   source: access-rules.md R27
#   attributes: [order.items, order.kind, order.proof, order.state, organisation.type, purpose]
r27 := [g |
	input.purpose == "TREAT"
	base.reading
	input.organisation.type == "pharmacy"
	base.professional.dispenses == true
	input.order.kind in ["prescription", "paper-prescription"]
	input.order.state in data.tables.order_states_held
	input.order.proof == "proven"
	count(input.order.items) > 0
	g := {
		"rules": ["R27"],
		"precedence": 4,
		"clauses": [{
			"rule": "R27",
			"precedence": 4,
			"categories": ["MED"],
			"labels": "labels_own_writing",
			"items": input.order.items,
		}],
		"obligations": ["LOG"],
	}
]
