# METADATA
# title: Records coming in
package kiroku.writes

import data.kiroku.base

# METADATA
# title: What hangs on the client, asked at the door
# custom:
#   helper: writer
#   attributes: [actor.type, client.agent_of, client.organisation, client.rights, organisation.id, organisation.status, stage, write.author_organisation]
writer(right) if {
	data.tables.stages_actor[input.stage]
	data.tables.writers[input.actor.type]
	base.client_proven
	right in input.client.rights
	input.organisation.status == "active"
	input.client.organisation == input.organisation.id
	own_or_agent
} else if {
	input.stage == "log"
}

own_or_agent if {
	input.write.author_organisation == input.client.organisation
} else if {
	input.write.author_organisation in input.client.agent_of
}

# METADATA
# title: What hangs on the link, asked at log time
# custom:
#   helper: link_ok
#   attributes: [stage]
link_ok if {
	input.stage == "door"
} else if {
	data.tables.stages_person[input.stage]
	base.linked
}

# METADATA
# title: R46 A system client creates records of its own organisation
# custom:
#   rule: R46
#   title_ja: システムによる自施設記録の登録
#   source: access-rules.md R46
#   attributes: [action, purpose, write.author_organisation, write.biometrics]
r46 := [grant("R46", 7) |
	input.purpose == "RECORDMGT"
	input.write.biometrics == false
	input.write.author_organisation != ""
	writer(data.tables.write_rights[input.action])
	link_ok
]

# METADATA
# title: R47 The author corrects its own versions
# custom:
#   rule: R47
#   title_ja: 作成者による自記録の訂正
#   source: access-rules.md R47
#   attributes: [action, person.link, purpose, stage, write.author_organisation, write.biometrics, write.existing_author_organisation]
r47 := [grant("R47", 4) |
	input.purpose == "RECORDMGT"
	data.tables.actions_correcting[input.action]
	input.write.biometrics == false
	input.write.author_organisation != ""
	writer("records.write")
	own_version
]

own_version if {
	input.stage == "door"
} else if {
	data.tables.stages_person[input.stage]
	input.write.existing_author_organisation == input.write.author_organisation
	input.person.link.state != ""
}

grant(rule, precedence) := {
	"rules": [rule],
	"precedence": precedence,
	"clauses": [],
	"obligations": ["LOG"],
}

# METADATA
# title: R48 Person not proven, or the record does not fit the person
# custom:
#   rule: R48
#   title_ja: 本人確認できない記録の保留
#   source: access-rules.md R48
#   attributes: [action, identification.hits, identification.matched, person.link, purpose]
quarantined if {
	input.purpose == "RECORDMGT"
	input.action == "create"
	doubtful
	writer("records.write")
}

doubtful if input.identification.hits != 1

doubtful if input.identification.matched == false

doubtful if input.person.link.state in data.tables.link_quarantine

# METADATA
# title: R49 Face images, templates and other biometrics are refused
# custom:
#   rule: R49
#   title_ja: 顔画像・生体情報の拒否
#   source: access-rules.md R49
#   attributes: [write.biometrics]
biometrics if input.write.biometrics == true

# METADATA
# title: R59 The person objected before anything was collected
# description: Claims are kept, for payment only. A record that names no visit counts as made in the open one.
# custom:
#   rule: R59
#   title_ja: 本人が共有を望まない受診の記録の拒否
#   source: access-rules.md R59
#   attributes: [action, now, objections, purpose, visit.facility, visit.id, wanted.categories, write.author_organisation, write.visit]
objected if {
	input.purpose == "RECORDMGT"
	input.action == "create"
	some o in input.objections
	o.from <= base.latest
	not over(o)
	facility_matches(o)
	visit_matches(o)
	category_matches(o)
}

over(o) if {
	is_number(o.until)
	o.until <= input.now
}

facility_matches(o) if not o.facility

facility_matches(o) if o.facility == input.write.author_organisation

visit_matches(o) if not o.visit

visit_matches(o) if o.visit == input.write.visit

visit_matches(o) if {
	not input.write.visit
	o.visit == input.visit.id
	input.visit.facility == input.write.author_organisation
}

category_matches(_) if not input.wanted.categories

category_matches(_) if count(input.wanted.categories) == 0

category_matches(o) if {
	some k in input.wanted.categories
	k != "CLAIMS"
	concerns(o, k)
}

concerns(o, _) if count(o.categories) == 0

concerns(o, k) if k in o.categories
