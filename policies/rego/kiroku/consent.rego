# METADATA
# title: Which consents count
# description: Only the newest version of each consent counts; a permit must match facility, purpose and time.
package kiroku.consent

# METADATA
# title: The newest version of each consent
# description: The host passes only the newest; two versions of one id make the slow path.
# custom:
#   helper: newest
#   attributes: [consents]
newest := input.consents if {
	count(input.consents) < 2
} else := input.consents if {
	not duplicated
} else := [c | some c in input.consents; not superseded(c)]

duplicated if count({id | some c in input.consents; id := c.id}) != count(input.consents)

superseded(c) if {
	some other in input.consents
	other.id == c.id
	other.version > c.version
}

# METADATA
# title: Permits of the person that are live for this organisation, actor, purpose and time
# description: An unreadable consent takes away all of them.
# custom:
#   helper: permits
#   attributes: [actor.id, consents_unreadable, now, organisation.id, purpose]
permits := [c |
	input.consents_unreadable == false
	some c in newest
	c.artefact.type == "permit"
	c.artefact.status == "active"
	c.artefact.giver == "self"
	input.purpose in c.artefact.purposes
	input.organisation.id in c.artefact.facilities
	for_actor(c)
	is_number(c.given_at)
	c.given_at <= input.now + data.parameters.skew_ms
	started(c)
	not ended(c)
]

for_actor(c) if {
	count(c.artefact.practitioners) == 0
} else if {
	input.actor.id in c.artefact.practitioners
}

# METADATA
# title: Time of a consent
# custom:
#   helper: time
#   attributes: [now]
started(c) if c.artefact.valid_from <= input.now + data.parameters.skew_ms

ended(c) if {
	is_number(c.artefact.valid_until)
	c.artefact.valid_until <= input.now
}

# METADATA
# title: When a permit ends, at the latest after the rule's own term
# custom:
#   helper: until
until(c, term) := min([c.given_at + term, c.artefact.valid_until]) if {
	is_number(c.artefact.valid_until)
} else := c.given_at + term if {
	c.artefact.valid_until == null
}

# METADATA
# title: R12 Restricted labels open only where each is ticked or the practitioner is named
# custom:
#   rule: R12
#   title_ja: 機微情報は個別の同意または医師の指名がある場合のみ
#   source: access-rules.md R12
#   attributes: [actor.id]
opened(c) := data.tables.labels_restricted if {
	input.actor.id in c.artefact.practitioners
} else := [l | some l in c.artefact.labels; l in data.tables.labels_restricted]

# METADATA
# title: The basis that the entry names
# custom:
#   helper: basis
basis(c) := {"id": c.id, "version": c.version, "given_at": c.given_at}

# METADATA
# title: Items that a consent names
# custom:
#   helper: items
items(c) := [i.reference | some i in c.artefact.items; i.meaning in ["instance", "related"]]
