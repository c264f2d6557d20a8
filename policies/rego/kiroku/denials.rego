# METADATA
# title: The person's denials (place 5)
package kiroku.denials

import data.kiroku.consent

# METADATA
# title: The person said nothing at all; what follows is then not looked at
# custom:
#   helper: none
#   attributes: [consents, objections]
none if {
	count(input.consents) == 0
	count(input.objections) == 0
}

# METADATA
# title: Denials that concern this purpose, actor and organisation now
# custom:
#   helper: live
#   attributes: [actor.delegate_of, actor.id, organisation.id, purpose]
live := [c |
	data.tables.denial_purposes[input.purpose]
	some c in consent.newest
	c.artefact.type == "deny"
	c.artefact.status == "active"
	for_purpose(c)
	targets(c)
	consent.started(c)
	not consent.ended(c)
]

for_purpose(c) if {
	count(c.artefact.purposes) == 0
} else if {
	input.purpose in c.artefact.purposes
}

targets(c) if {
	count(c.artefact.facilities) == 0
	count(c.artefact.practitioners) == 0
} else if {
	input.organisation.id in c.artefact.facilities
} else if {
	input.actor.id in c.artefact.practitioners
} else if {
	input.actor.delegate_of in c.artefact.practitioners
}

# A denial that names no data denies all of it.
whole(c) if {
	count(c.artefact.categories) == 0
	count(c.artefact.labels) == 0
	count(c.artefact.authors) == 0
	count(c.artefact.items) == 0
	c.artefact.data_period == null
}

# METADATA
# title: R13 Blocked practitioner or facility
# custom:
#   rule: R13
#   title_ja: 本人が拒否した医療従事者・施設
#   source: access-rules.md R13
blocked if {
	some c in live
	whole(c)
}

# METADATA
# title: R14 Items that the person hides
# description: A denial by single author resource cannot be matched and therefore hides without that limit.
# custom:
#   rule: R14
#   title_ja: 本人が非表示にした項目
#   source: access-rules.md R14
r14 := [clause(c, denied(c), 5) | some c in live; not whole(c)]

denied(c) := [k | some k in named(c); k != "SAFETY"] if {
	c.artefact.safety == "show"
} else := "categories" if {
	count(c.artefact.categories) == 0
} else := c.artefact.categories

named(c) := data.tables.categories if {
	count(c.artefact.categories) == 0
} else := c.artefact.categories

clause(c, categories, precedence) := {
	"rule": "R14",
	"precedence": precedence,
	"categories": categories,
	"labels": c.artefact.labels,
	"author_organisations": c.artefact.authors,
	"period": c.artefact.data_period,
	"items": named_items(c),
}

named_items(c) := [] if {
	some i in c.artefact.items
	not i.meaning in ["instance", "related"]
} else := consent.items(c)

# METADATA
# title: SAFETY items that not even the safety check may use ("neither")
# custom:
#   helper: neither
neither := [clause(c, ["SAFETY"], 4) |
	some c in live
	c.artefact.safety == "neither"
	"SAFETY" in named(c)
]

# METADATA
# title: Starts of denials that are still to come; no decision is remembered beyond the first
# custom:
#   helper: starts
#   attributes: [now]
starts := [c.artefact.valid_from |
	some c in consent.newest
	c.artefact.type == "deny"
	c.artefact.status == "active"
	c.artefact.valid_from > input.now
]

# METADATA
# title: R59 Claims of an objected visit are kept for payment only
# custom:
#   rule: R59
#   title_ja: 共有を望まない受診の請求情報は支払い目的に限る
#   source: access-rules.md R59
#   attributes: [objections, purpose]
r59 := [c |
	data.tables.denial_purposes[input.purpose]
	some o in input.objections
	about_claims(o)
	c := {
		"rule": "R59",
		"precedence": 5,
		"categories": ["CLAIMS"],
		"labels": [],
		"author_organisations": [f | f := o.facility],
		"period": [o.from, objection_end(o)],
	}
]

objection_end(o) := o.until if {
	is_number(o.until)
} else := data.parameters.forever_ms

about_claims(o) if count(o.categories) == 0

about_claims(o) if "CLAIMS" in o.categories
