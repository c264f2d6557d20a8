# METADATA
# title: The automatic safety check of an order
package kiroku.safety

import data.kiroku.base
import data.kiroku.denials

# METADATA
# title: Someone who orders, dispenses or administers, with an order in an open visit
# custom:
#   helper: asks
#   attributes: [action, bulk, order.id, order.kind, order.state, purpose, stage]
asks if {
	input.purpose == "TREAT"
	input.action == "check"
	input.stage == "whole"
	input.bulk == false
	base.professional.checks == true
	base.visit_open
	input.order.id != ""
	input.order.kind in data.tables.order_kinds
	input.order.state in data.tables.order_states_check
	base.linked
}

# METADATA
# title: R25 Safety check over all items, sealed ones too; what leaves is the verdict
# custom:
#   rule: R25
#   title_ja: 処方・調剤時の安全確認（全項目を対象、結果のみ表示）
#   source: access-rules.md R25
#   attributes: [counters.checks_cancelled_day]
r25 := [g |
	asks
	not probing
	is_number(input.counters.checks_cancelled_day)
	g := {
		"rules": array.concat(["R25"], [r | count(denials.neither) > 0; r := "R14"]),
		"precedence": 4,
		"clauses": [{
			"rule": "R25",
			"precedence": 4,
			"categories": ["SAFETY", "MED"],
			"labels": "labels_check",
		}],
		"obligations": ["LOG", "MASK"],
	}
]

# METADATA
# title: R25 Checked and cancelled too often
# custom:
#   helper: probing
#   attributes: [counters.checks_cancelled_day]
probing if {
	asks
	input.counters.checks_cancelled_day >= data.parameters.checks_cancelled_max
}
