# METADATA
# title: The person gives, withdraws, denies, objects
# description: Either signed in with the own card, or at a desk with a reader's attestation inside the consent.
package kiroku.consenting

import data.kiroku.base

# METADATA
# title: R03 Give, change, withdraw, deny
# custom:
#   rule: R03
#   title_ja: 本人による同意・撤回・拒否
#   source: access-rules.md R03
#   attributes: [action]
r03 := [grant(["R03"]) |
	asked
	proven
	not stale_terms
	input.action in ["give_consent", "withdraw_consent"]
]

# METADATA
# title: R59 The person objects, with an equal button
# custom:
#   rule: R59
#   title_ja: 受診・施設・区分を共有しない意思表示
#   source: access-rules.md R59
#   attributes: [action]
r59 := [grant(["R59"]) |
	asked
	input.action == "object"
	proven
]

# METADATA
# title: R04 A new consent under stale terms, the difference is shown first
# custom:
#   rule: R04
#   title_ja: 規約改定後の同意には差分の提示が必要
#   source: access-rules.md R04
terms_stale if {
	asked
	proven
	stale_terms
}

# METADATA
# title: R03 The proof is there but too old
# custom:
#   helper: proof_old
#   attributes: [stage]
proof_old if {
	asked
	not proven
	input.stage in ["door", "whole"]
	base.person
}

# METADATA
# title: What is asked for is a sound consent, withdrawal or objection
# custom:
#   helper: asked
#   attributes: [action, purpose, write.biometrics, write.consent, write.objection]
asked if {
	input.purpose == "PATRQT"
	input.write.biometrics == false
	sound
	link_allows
}

sound if {
	input.action == "withdraw_consent"
	artefact.status in ["inactive", "entered-in-error"]
	artefact.giver == "self"
}

sound if {
	input.action == "give_consent"
	artefact.status == "active"
	artefact.giver == "self"
	enforceable
	fits
}

sound if {
	input.action == "object"
	is_number(input.write.objection.from)
}

artefact := input.write.consent

# What cannot be enforced is refused on write. Restricted labels are ticked one by one; SEALED is no label to give.
enforceable if {
	every i in artefact.items { i.meaning in ["instance", "related"] }
	every l in artefact.labels { l in labels_allowed }
}

labels_allowed := data.tables.labels_restricted if {
	artefact.type == "permit"
} else := data.tables.labels_check

fits if denial

fits if {
	artefact.type == "permit"
	terms_known
	artefact.kind in ["visit", "stay"]
	count(artefact.facilities) == 1
	count(artefact.categories) > 0
	not "DOC" in artefact.categories
	artefact.method in ["reader-face", "reader-pin", "app"]
}

fits if {
	artefact.type == "permit"
	terms_known
	artefact.kind == "document"
	count(artefact.facilities) > 0
	artefact.method in ["reader-face", "reader-pin", "app", "oral"]
}

fits if {
	no_card
	terms_known
	count(artefact.facilities) == 1
	count(artefact.categories) > 0
	count(artefact.labels) == 0
	not "DOC" in artefact.categories
}

denial if {
	artefact.kind == "denial"
	artefact.type == "deny"
}

no_card if {
	artefact.kind == "no-card"
	artefact.type == "permit"
}

# METADATA
# title: Terms, as id and version
# custom:
#   helper: terms
#   attributes: [action]
terms_version := to_number(parts[1]) if {
	parts := split(artefact.terms, "|")
	count(parts) == 2
	data.tables.terms[parts[0]]
	regex.match(`^[0-9]{1,6}$`, parts[1])
}

terms_newest := data.tables.terms[split(artefact.terms, "|")[0]]

terms_known if {
	terms_version <= terms_newest
	terms_version > 0
}

stale_terms if {
	input.action == "give_consent"
	artefact.type == "permit"
	terms_version < terms_newest
}

# METADATA
# title: While the link is in doubt only withdrawals and denials
# custom:
#   helper: link_allows
#   attributes: [action, person.link, stage]
link_allows if input.stage == "door"

link_allows if data.tables.link_ok[input.person.link.state]

link_allows if input.action in ["withdraw_consent", "object"]

link_allows if {
	input.action == "give_consent"
	denial
}

# METADATA
# title: R03 Who says so, and how that is proven
# custom:
#   helper: proven
#   attributes: [actor.is_subject, actor.proof, actor.type, now, stage]
proven if {
	input.stage in ["door", "whole"]
	base.person
	input.now - input.actor.proof.authenticated_at <= data.parameters.step_up_ms
}

proven if {
	input.stage == "log"
	input.actor.type == "person"
	input.actor.is_subject == true
}

proven if {
	input.actor.type in ["professional", "system"]
	desk
	by_card
}

proven if {
	input.actor.type in ["professional", "system"]
	desk
	refuses_here
}

proven if {
	input.actor.type in ["professional", "system"]
	desk
	artefact.kind == "document"
	artefact.method == "oral"
	count({name | some name in artefact.staff; name != ""}) >= 1
}

# METADATA
# title: R10p Consent of a person without card, certificate seen and paper or two staff names
# custom:
#   rule: R10p
#   title_ja: カードを持たない人の同意の登録
#   source: access-rules.md R10p
#   attributes: [action, actor.type, client.rights, now, organisation.id, stage, visit.closed_at, visit.facility, visit.opened_at, visit.proof, write.attestation, write.author_organisation, write.objection]
r10p := [grant(["R03", "R10p"]) |
	asked
	input.action == "give_consent"
	input.actor.type in ["professional", "system"]
	desk
	no_card
	not stale_terms
	here
	seen
	witnessed
]

seen if input.stage == "door"

seen if input.visit.proof in ["certificate", "paper"]

witnessed if artefact.method == "paper"

witnessed if {
	artefact.method == "oral"
	count({name | some name in artefact.staff; name != ""}) >= data.parameters.no_card_staff_min
}

# The facility's part is asked at the door, the person's presence at log time.
desk if {
	input.stage == "door"
	desk_client
}

desk if {
	input.stage == "log"
	present
}

desk if {
	input.stage == "whole"
	desk_client
	present
}

desk_client if {
	base.facility
	"visits" in input.client.rights
	input.write.author_organisation == input.organisation.id
}

present if {
	input.visit.facility == input.write.author_organisation
	input.visit.opened_at <= base.latest
	not input.visit.closed_at
}

by_card if {
	input.stage == "log"
	input.visit.proof == "card"
	for_this_desk
}

by_card if {
	input.stage in ["door", "whole"]
	input.write.attestation.issuer == "national"
	input.write.attestation.assurance in data.tables.desk_assurances
	input.write.attestation.authenticated_at <= base.latest
	input.now - input.write.attestation.authenticated_at <= data.parameters.step_up_ms
	for_this_desk
}

for_this_desk if input.action in ["withdraw_consent", "object"]

for_this_desk if denial

for_this_desk if artefact.kind == "document"

for_this_desk if {
	artefact.kind in ["visit", "stay"]
	here
}

here if artefact.facilities == [input.write.author_organisation]

# Refusing is as easy as agreeing: without a card too, as long as it binds only this facility.
refuses_here if {
	input.action == "object"
	input.write.objection.facility == input.write.author_organisation
}

refuses_here if {
	input.action == "give_consent"
	denial
	here
}

refuses_here if {
	input.action == "withdraw_consent"
	artefact.type == "permit"
	here
}

grant(rules) := {
	"rules": rules,
	"precedence": 7,
	"clauses": [],
	"obligations": ["LOG", "NP"],
}
