# METADATA
# title: The desk asks whether the insurance is valid
package kiroku.reception

import data.kiroku.base
import data.kiroku.consent

# METADATA
# title: R22 Reception reads eligibility with an open visit, and nothing clinical
# description: While identity is in doubt the answer is "being checked" and nothing is opened.
# custom:
#   rule: R22
#   title_ja: 受付による資格確認
#   source: access-rules.md R22
#   attributes: [person.link, purpose]
r22 := [g |
	data.tables.purposes_desk[input.purpose]
	base.reading
	base.professional.reception == true
	base.visit_open
	g := {
		"rules": array.concat(["R22"], [r | not certain; r := "R50"]),
		"precedence": 4,
		"clauses": [c | certain; some c in clauses],
		"obligations": array.concat(["LOG"], [o | not certain; o := "BAN"]),
	}
]

# An attribute mismatch stops health information only.
certain if base.linked

certain if {
	input.person.link.state == "suspect"
	input.person.link.kind == "attributes"
}

clauses := array.concat(
	array.concat([clause(["ELIG"], [], [])], presented),
	array.concat(ticked_certificates, ticked_cost),
)

# METADATA
# title: Certificates that were presented and are usable at this class of facility
# custom:
#   helper: presented
#   attributes: [identification.presented, organisation.type]
presented := [clause(["CERT"], classes, []) |
	classes := [class |
		some class in input.identification.presented
		class in usable
	]
	count(classes) > 0
]

usable := [class |
	some certificate in data.tables.certificates
	input.organisation.type in certificate.usable_at
	class := certificate.class
]

# METADATA
# title: Certificates are ticked each alone, so the consent names them
# custom:
#   helper: ticked_certificates
#   attributes: [now, visit.id]
ticked_certificates := [clause(["CERT"], usable, consent.items(c)) |
	some c in consent.permits
	at_desk(c)
	"CERT" in c.artefact.categories
	count(consent.items(c)) > 0
	count(usable) > 0
]

ticked_cost := [clause(["COST"], [], []) |
	some c in consent.permits
	at_desk(c)
	"COST" in c.artefact.categories
]

at_desk(c) if {
	c.artefact.kind == "visit"
	consent.until(c, data.parameters.visit_consent_ms) > input.now
}

at_desk(c) if {
	c.artefact.kind == "stay"
	c.artefact.visit == input.visit.id
	consent.until(c, data.parameters.stay_consent_ms) > input.now
}

clause(categories, classes, items) := {
	"rule": "R22",
	"precedence": 4,
	"categories": categories,
	"labels": [],
	"classes": classes,
	"items": items,
}
