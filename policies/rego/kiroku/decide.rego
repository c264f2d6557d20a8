# METADATA
# title: The one entry point
# description: Collects what the rules grant, applies the order of precedence, and denies what is left (R51).
package kiroku

import data.kiroku.consenting
import data.kiroku.denials
import data.kiroku.documents
import data.kiroku.facility
import data.kiroku.person
import data.kiroku.pharmacy
import data.kiroku.reception
import data.kiroku.regulator
import data.kiroku.safety
import data.kiroku.visit
import data.kiroku.writes

# METADATA
# title: The decision
# entrypoint: true
# custom:
#   rule: R51
#   title_ja: どの規則も許可しないものは拒否
#   source: access-rules.md R51
default decide := {
	"outcome": "deny",
	"rules": ["R51"],
	"filter": {"permit": [], "deny": []},
	"waiting": {"permit": [], "deny": []},
	"obligations": ["LOG"],
	"expires": 0,
	"reason": "policy-error",
	"consent": null,
	"rest": null,
}

decide := denial(["R49"], "biometrics", ["LOG", "NR"]) if {
	writes.biometrics
} else := denial(["R48"], "quarantine", ["LOG", "NO"]) if {
	writes.quarantined
} else := denial(["R59"], "person-objects", ["LOG"]) if {
	writes.objected
} else := step_up("R04", "terms-stale") if {
	consenting.terms_stale
} else := step_up("R03", "step-up") if {
	consenting.proof_old
} else := answer(
	"permit", used_rules, used_obligations, permit_reason,
	{
		"filter": {"permit": used_clauses, "deny": deny_clauses},
		"waiting": waiting_filter,
		"ends": used_ends,
		"consent": used_consent,
		"rest": rest,
	},
) if {
	count(grants) > 0
} else := answer(
	"deny", refusal.rules, refusal.obligations, refusal.reason,
	{"filter": nothing, "waiting": waiting_filter, "ends": [], "consent": null, "rest": null},
)

# METADATA
# title: Why the rest is refused, in the order of precedence
# custom:
#   helper: refusal
#   attributes: [mode.stale]
refusal := {"rules": ["R25"], "reason": "probing", "obligations": ["LOG", "NO"]} if {
	safety.probing
} else := {"rules": ["R50"], "reason": "link-state", "obligations": ["LOG"]} if {
	link_closed
} else := {"rules": ["R13"], "reason": "blocked", "obligations": ["LOG"]} if {
	denials.blocked
} else := {"rules": ["R51"], "reason": "stale", "obligations": ["LOG"]} if {
	input.mode.stale == true
} else := {"rules": ["R11"], "reason": "no-consent", "obligations": ["LOG"]} if {
	visit.r11
} else := {"rules": ["R51"], "reason": "not-permitted", "obligations": ["LOG"]}

# A clinician who is let in by statute only is told of no consent for all else (R11).
rest := {"rule": refusal.rules[0], "reason": refusal.reason} if {
	visit.r11
	every g in grants { g.precedence < 5 }
} else := null

nothing := {"permit": [], "deny": []}

denial(rules, reason, obligations) := answer(
	"deny", rules, obligations, reason,
	{"filter": nothing, "waiting": nothing, "ends": [], "consent": null, "rest": null},
)

step_up(rule, reason) := answer(
	"step_up", [rule], ["LOG"], reason,
	{"filter": nothing, "waiting": nothing, "ends": [], "consent": null, "rest": null},
)

answer(outcome, rules, obligations, reason, parts) := {
	"outcome": outcome,
	"rules": rules,
	"filter": parts.filter,
	"waiting": parts.waiting,
	"obligations": obligations,
	"expires": expires(parts.ends),
	"reason": reason,
	"consent": parts.consent,
	"rest": parts.rest,
}

# METADATA
# title: Every rule that grants something, before precedence
# custom:
#   helper: candidates
candidates := [
	facility.r16, reception.r22, safety.r25, pharmacy.r27, regulator.r43, writes.r47, person.r01, person.r02,
	consenting.r03, consenting.r59, consenting.r10p, visit.r10, visit.r10a, visit.r10p, documents.r19, documents.r20,
	writes.r46,
]

# METADATA
# title: What stands after the link's state and the person's blanket denials
# custom:
#   helper: grants
#   attributes: [now]
grants := [g |
	is_number(input.now)
	some group in candidates
	some g in group
	link_opens(g.rules[0])
	not lifted(g)
]

# A blanket denial (R13, place 5) takes away what stands below it; statute (place 4) stands.
lifted(g) if {
	g.precedence > 5
	denials.blocked
}

# METADATA
# title: R50 What the state of the link leaves open
# custom:
#   rule: R50
#   title_ja: リンク状態による制限
#   source: access-rules.md R50
#   attributes: [person, person.link, stage]
link_opens(_) if input.stage == "door"

link_opens(_) if input.person.link.state in data.tables.link_ok

link_opens(rule) if rule in data.tables.link_open[input.person.link.state]

# A case about a facility reads entries that concern no person.
link_opens("R43") if not input.person

link_closed if {
	input.stage in ["log", "whole"]
	state := input.person.link.state
	not state in data.tables.link_ok
}

used_rules := [r | some r in data.tables.order; r in applied]

applied := {r | some g in grants; some r in g.rules} | {c.rule | some c in denials_applied}

used_obligations := [o | some o in data.tables.obligations; o in owed]

owed := {o | some g in grants; some o in g.obligations}

used_clauses := [c | some g in grants; some c in g.clauses]

used_ends := [g.until | some g in grants; g.until != null]

# The consent that ends first.
used_consent := bases[0] if count(bases) > 0

used_consent := null if count(bases) == 0

bases := [g.consent |
	some g in grants
	g.consent != null
	g.until == min([u | some other in grants; other.consent != null; u := other.until])
]

permit_reason := "being-checked" if {
	"R50" in applied
} else := "ok"

# METADATA
# title: Denying clauses
# custom:
#   helper: deny_clauses
#   attributes: [action, purpose, stage]
deny_clauses := [] if {
	input.purpose == "PATRQT"
} else := denials.neither if {
	input.action == "check"
} else := array.concat([sealed], denials_applied)

denials_applied := array.concat(denials.r14, denials.r59) if {
	input.stage == "whole"
	input.action != "check"
} else := []

# METADATA
# title: R15 Sealed items are the person's alone
# custom:
#   rule: R15
#   title_ja: 封印された項目は本人のみ
#   source: access-rules.md R15
sealed := {
	"rule": "R15",
	"precedence": 1,
	"categories": data.tables.categories,
	"labels": ["SEALED"],
}

waiting_filter := nothing if {
	denials.blocked
} else := {"permit": documents.waiting, "deny": array.concat([sealed], denials_applied)} if {
	count(documents.waiting) > 0
} else := nothing

# METADATA
# title: How long the decision may be remembered
# custom:
#   helper: expires
#   attributes: [now]
expires(ends) := min(array.concat(denials.starts, ends)) if {
	count(ends) > 0
} else := min(array.concat(denials.starts, [input.now + data.parameters.decision_ms]))
