# METADATA
# title: Who asks, from where, and how
# description: Helpers that several rules use. Each fails where an attribute is missing.
package kiroku.base

# METADATA
# title: Latest time that another ready node may have stamped
# custom:
#   helper: latest
#   attributes: [now]
latest := input.now + data.parameters.skew_ms

# METADATA
# title: Reading in one request about one person
# custom:
#   helper: reading
#   attributes: [action, bulk, stage]
reading if {
	input.stage == "whole"
	data.tables.actions_reading[input.action]
	input.bulk == false
}

# METADATA
# title: The registry of this node is fresh
# custom:
#   helper: fresh
#   attributes: [mode.stale]
fresh if input.mode.stale == false

# METADATA
# title: The client is registered, active, and proved its key
# custom:
#   helper: client_proven
#   attributes: [client.binding_proven, client.status]
client_proven if {
	input.client.binding_proven == true
	input.client.status == "active"
}

# METADATA
# title: A medical facility, asking through its own client
# custom:
#   helper: facility
#   attributes: [client.organisation, organisation.id, organisation.status, organisation.type]
facility if {
	client_proven
	input.organisation.id != ""
	input.organisation.id == input.client.organisation
	input.organisation.status == "active"
	data.tables.facility_types[input.organisation.type]
}

# METADATA
# title: The row of the profession table, for a registered and active professional who is not the person
# custom:
#   helper: professional
#   attributes: [actor.id, actor.is_subject, actor.profession, actor.status, actor.type]
professional := row if {
	input.actor.type == "professional"
	input.actor.id != ""
	input.actor.status == "active"
	input.actor.is_subject == false
	facility
	row := data.professions[input.actor.profession]
}

# METADATA
# title: A licensed professional (reception is none)
# custom:
#   helper: clinician
clinician := professional if count(professional.categories) > 0

# METADATA
# title: The link is not in doubt
# custom:
#   helper: linked
#   attributes: [person.link]
linked if data.tables.link_ok[input.person.link.state]

# METADATA
# title: The person stands at this facility's desk now
# custom:
#   helper: visit_open
#   attributes: [organisation.id, visit.closed_at, visit.facility, visit.opened_at]
visit_open if {
	input.visit.facility == input.organisation.id
	input.visit.opened_at <= latest
	not input.visit.closed_at
}

# METADATA
# title: The person, signed in with the own card
# custom:
#   helper: person
#   attributes: [actor.is_subject, actor.proof, actor.type]
person if {
	input.actor.type == "person"
	input.actor.is_subject == true
	client_proven
	input.actor.proof.issuer == "national"
	input.actor.proof.assurance in data.tables.person_assurances
	input.actor.proof.authenticated_at <= latest
}
