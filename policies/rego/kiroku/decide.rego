# METADATA
# title: The one entry point
# description: Collects what the rules grant, applies the order of precedence, and denies what is left (R51).
package kiroku

import data.kiroku.base
import data.kiroku.consent
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
	"obligations": ["LOG"],
	"expires": 0,
	"reason": "policy-error",
}

decide := refused("deny", "R49", "biometrics", ["LOG", "NR"]) if {
	writes.biometrics
} else := refused("deny", "R48", "quarantine", ["LOG", "NO"]) if {
	writes.quarantined
} else := refused("deny", "R59", "person-objects", ["LOG"]) if {
	writes.objected
} else := refused("step_up", "R04", "terms-stale", ["LOG"]) if {
	consenting.terms_stale
} else := refused("step_up", "R03", "step-up", ["LOG"]) if {
	consenting.proof_old
} else := {
	"outcome": "permit",
	"rules": used_rules,
	"permit": used_clauses,
	"deny": deny_clauses,
	"waiting": waiting,
	"obligations": used_obligations,
	"expires": used_end,
	"reason": permit_reason,
	"consent": used_consent,
	"rest": rest,
} if {
	count(used_clauses) > 0
} else := {
	"outcome": "permit",
	"rules": used_rules,
	"obligations": used_obligations,
	"expires": used_end,
	"reason": permit_reason,
} if {
	count(grants) > 0
} else := refused("deny", refusal.rule, refusal.reason, refusal.obligations)

refused(outcome, rule, reason, obligations) := {
	"outcome": outcome,
	"rules": [rule],
	"obligations": obligations,
	"expires": idle_end,
	"reason": reason,
}

# METADATA
# title: Why the rest is refused, in the order of precedence
# custom:
#   helper: refusal
#   attributes: [mode.stale]
refusal := {"rule": "R25", "reason": "probing", "obligations": ["LOG", "NO"]} if {
	safety.probing
} else := {"rule": "R50", "reason": "link-state", "obligations": ["LOG"]} if {
	link_closed
} else := {"rule": "R13", "reason": "blocked", "obligations": ["LOG"]} if {
	denials.blocked
} else := {"rule": "R51", "reason": "stale", "obligations": ["LOG"]} if {
	input.mode.stale == true
} else := {"rule": "R11", "reason": "no-consent", "obligations": ["LOG"]} if {
	visit.r11
} else := {"rule": "R51", "reason": "not-permitted", "obligations": ["LOG"]}

# A clinician who is let in by statute only is told of no consent for all else (R11).
rest := {"rule": refusal.rule, "reason": refusal.reason} if {
	visit.r11
	every g in grants { g.precedence < 5 }
} else := null

# METADATA
# title: The rules that can grant something for this purpose, in the order of precedence
# description: Each rule asks for its purpose itself; the groups only spare asking those of the others.
# custom:
#   helper: candidates
#   attributes: [action, purpose, write]
candidates := [safety.r25] if {
	input.purpose == "TREAT"
	input.action == "check"
} else := [facility.r16, pharmacy.r27] if {
	input.purpose == "TREAT"
	count(consent.permits) == 0
} else := [
	facility.r16, pharmacy.r27, visit.r10, visit.r10a, visit.r10p, documents.r19,
	documents.r20,
] if {
	input.purpose == "TREAT"
} else := [writes.r47, writes.r46] if {
	input.purpose == "RECORDMGT"
} else := [person.r01, person.r02] if {
	input.purpose == "PATRQT"
	not input.write
} else := [consenting.r03, consenting.r59, consenting.r10p, person.r01, person.r02] if {
	input.purpose == "PATRQT"
} else := [facility.r16, reception.r22] if {
	data.tables.purposes_desk[input.purpose]
} else := [regulator.r43] if {
	input.purpose == "HCOMPL"
} else := []

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
link_opens(rule) if {
	base.linked
} else if {
	input.stage == "door"
} else if {
	rule in data.tables.link_open[input.person.link.state]
} else if {
	# A case about a facility reads entries that concern no person.
	rule == "R43"
	not input.person
}

link_closed if {
	data.tables.stages_person[input.stage]
	state := input.person.link.state
	not data.tables.link_ok[state]
}

# Precedence by rank: sorting the few that apply is cheaper than asking for each that there is.
used_rules := [r | some r in applied] if {
	count(applied) == 1
} else := [p[1] | some p in sort([[data.tables.order[r], r] | some r in applied])]

applied := {r | some g in grants; some r in g.rules} | {c.rule | some c in denials_applied}

used_obligations := [o | some o in owed] if {
	count(owed) == 1
} else := [p[1] | some p in sort([[data.tables.obligations[o], o] | some o in owed])]

owed := {o | some g in grants; some o in g.obligations}

used_clauses := [c | some g in grants; some c in g.clauses]

used_ends := [g.until | some g in grants; g.until != null]

# The consent that ends first.
used_consent := bases[0] if {
	count(bases) > 0
} else := null

bases := [g.consent |
	some g in grants
	g.consent != null
	g.until == first_end
]

first_end := min([g.until | some g in grants; g.consent != null])

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

denials_applied := [] if {
	denials.none
} else := array.concat(denials.r14, denials.r59) if {
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
	"categories": "categories",
	"labels": ["SEALED"],
}

# Under the same denying clauses as the filter, and only beside it: who is a receiver has R16 too.
waiting := [] if {
	denials.blocked
} else := documents.waiting

# METADATA
# title: How long the decision may be remembered
# custom:
#   helper: expires
#   attributes: [now]
used_end := min(array.concat(denials.starts, used_ends)) if {
	count(used_ends) > 0
} else := idle_end

idle_end := input.now + data.parameters.decision_ms if {
	count(denials.starts) == 0
} else := min(array.concat(denials.starts, [input.now + data.parameters.decision_ms]))
