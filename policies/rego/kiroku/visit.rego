# METADATA
# title: Care under a consent given at the desk
package kiroku.visit

import data.kiroku.base
import data.kiroku.consent

# METADATA
# title: A licensed professional of the care team of an open visit asks for treatment
# custom:
#   helper: team
#   attributes: [actor.id, purpose, visit.team]
team if {
	input.purpose == "TREAT"
	base.reading
	base.fresh
	base.clinician
	base.visit_open
	input.actor.id in input.visit.team
}

# METADATA
# title: R10 Ticked categories under a visit consent at the same facility
# description: DOC is in no row of the profession table, so it never passes here.
# custom:
#   rule: R10
#   title_ja: 受付での同意に基づく診療中の閲覧
#   source: access-rules.md R10
#   attributes: [now]
r10 := [g |
	team
	some c in consent.permits
	c.artefact.kind == "visit"
	until := consent.until(c, data.parameters.visit_consent_ms)
	until > input.now
	opened := consent.opened(c)
	g := grant("R10", c, until, opened, array.concat(opened, data.tables.labels_clinician), ["LOG", "EXP"])
	count(g.clauses[0].categories) > 0
]

# METADATA
# title: R10a The same for a stay, until discharge
# custom:
#   rule: R10a
#   title_ja: 入院中の同意に基づく閲覧
#   source: access-rules.md R10a
#   attributes: [now, visit.id, visit.kind]
r10a := [g |
	team
	input.visit.kind == "inpatient"
	some c in consent.permits
	c.artefact.kind == "stay"
	c.artefact.visit == input.visit.id
	until := consent.until(c, data.parameters.stay_consent_ms)
	until > input.now
	opened := consent.opened(c)
	g := grant("R10a", c, until, opened, array.concat(opened, data.tables.labels_clinician), ["LOG", "EXP"])
	count(g.clauses[0].categories) > 0
]

# METADATA
# title: R10p A person without card; normal items only
# custom:
#   rule: R10p
#   title_ja: カードを持たない人の紙・口頭同意に基づく閲覧
#   source: access-rules.md R10p
#   attributes: [now, visit.proof]
r10p := [g |
	team
	input.visit.proof in ["certificate", "paper"]
	some c in consent.permits
	c.artefact.kind == "no-card"
	witnessed(c.artefact)
	until := consent.until(c, data.parameters.no_card_consent_ms)
	until > input.now
	g := grant("R10p", c, until, [], [], ["LOG", "NP", "EXP"])
	count(g.clauses[0].categories) > 0
]

witnessed(artefact) if artefact.method == "paper"

witnessed(artefact) if {
	artefact.method == "oral"
	count({name | some name in artefact.staff; name != ""}) >= data.parameters.no_card_staff_min
}

grant(rule, c, until, opened, labels, obligations) := {
	"rules": array.concat([rule], [r | count(opened) > 0; r := "R12"]),
	"precedence": 7,
	"clauses": [{
		"rule": rule,
		"precedence": 7,
		"categories": [k | some k in c.artefact.categories; k in base.clinician.categories],
		"labels": labels,
		"author_organisations": c.artefact.authors,
		"period": c.artefact.data_period,
		"items": consent.items(c),
	}],
	"obligations": obligations,
	"until": until,
	"consent": consent.basis(c),
}

# METADATA
# title: R11 A clinician without a live consent
# custom:
#   rule: R11
#   title_ja: 有効な同意がない場合の拒否
#   source: access-rules.md R11
#   attributes: [purpose]
r11 if {
	input.purpose == "TREAT"
	base.reading
	base.clinician
}
