# METADATA
# title: Referrals and discharge summaries for a named receiver
package kiroku.documents

import data.kiroku.base
import data.kiroku.consent

# METADATA
# title: A licensed professional of the receiving facility
# custom:
#   helper: receiver
#   attributes: [purpose]
receiver if {
	input.purpose == "TREAT"
	base.reading
	base.fresh
	base.clinician.documents == true
}

# METADATA
# title: Live document consents that name this facility
# custom:
#   helper: agreed
#   attributes: [now]
agreed := [c |
	receiver
	some c in consent.permits
	c.artefact.kind == "document"
	for_documents(c)
	consent.until(c, data.parameters.document_consent_ms) > input.now
]

for_documents(c) if count(c.artefact.categories) == 0

for_documents(c) if "DOC" in c.artefact.categories

# METADATA
# title: R19 A referral for its named receiver
# custom:
#   rule: R19
#   title_ja: 宛先施設による診療情報提供書の閲覧
#   source: access-rules.md R19
#   attributes: [organisation.id]
r19 := [grant("R19", c, ["LOG", "EXP"], "top-level", [input.organisation.id]) | some c in agreed]

# METADATA
# title: R20 A discharge summary, also as a referral's attachment
# description: With single items named in the consent the attachment follows its document; else it must name the receiver itself.
# custom:
#   rule: R20
#   title_ja: 宛先施設による退院時サマリーの閲覧
#   source: access-rules.md R20
#   attributes: [organisation.id]
r20 := [grant("R20", c, ["LOG", "NP", "EXP"], "in-document", attached_to(c)) | some c in agreed]

attached_to(c) := [] if {
	count(consent.items(c)) > 0
} else := [input.organisation.id]

grant(rule, c, obligations, flag, receivers) := {
	"rules": array.concat([rule], [r | count(consent.opened(c)) > 0; r := "R12"]),
	"precedence": 7,
	"clauses": [{
		"rule": rule,
		"precedence": 7,
		"categories": ["DOC"],
		"labels": array.concat(consent.opened(c), data.tables.labels_clinician),
		"author_organisations": c.artefact.authors,
		"period": c.artefact.data_period,
		"receivers": receivers,
		"flags": [flag],
		"items": consent.items(c),
	}],
	"obligations": obligations,
	"until": consent.until(c, data.parameters.document_consent_ms),
	"consent": consent.basis(c),
}

# METADATA
# title: R19 Before the consent the named receiver sees only "waiting for consent"
# custom:
#   helper: waiting
#   attributes: [organisation.id]
waiting := [w |
	receiver
	base.linked
	w := {
		"rule": "R19",
		"precedence": 7,
		"categories": ["DOC"],
		"labels": "labels_own_writing",
		"receivers": [input.organisation.id],
		"flags": ["top-level"],
	}
]
