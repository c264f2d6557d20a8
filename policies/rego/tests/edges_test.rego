# What no case can say: other policy data, and inputs that are no inputs.
package kiroku.edges_test

import data.kiroku

gives := data.bases["person-gives-visit-consent"]

test_older_terms_show_the_difference_first if {
	decision := kiroku.decide with input as gives with data.tables.terms as {"kiroku-terms": 2}
	decision.outcome == "step_up"
	decision.rules == ["R04"]
	decision.reason == "terms-stale"
}

test_older_terms_never_stand_in_the_way_of_a_denial if {
	denial := json.patch(gives, [
		{"op": "replace", "path": "/write/consent/kind", "value": "denial"},
		{"op": "replace", "path": "/write/consent/type", "value": "deny"},
	])
	decision := kiroku.decide with input as denial with data.tables.terms as {"kiroku-terms": 2}
	decision.outcome == "permit"
}

test_an_input_without_a_time_is_denied if {
	decision := kiroku.decide with input as json.remove(gives, ["now"])
	decision.outcome == "deny"
	decision.rules == ["R51"]
}

test_no_input_at_all_is_denied if {
	decision := kiroku.decide with input as {}
	decision.outcome == "deny"
	decision.rules == ["R51"]
}

test_a_parameter_changes_the_term if {
	read := data.bases["doctor-with-visit-consent"]
	kiroku.decide.rules == ["R16", "R10"] with input as read
	short := object.union(data.parameters, {"visit_consent_ms": 1000})
	kiroku.decide.rules == ["R16"] with input as read with data.parameters as short
}

test_a_permit_ends_at_its_own_end_if_that_is_earlier if {
	read := json.patch(
		data.bases["doctor-with-visit-consent"],
		[{"op": "replace", "path": "/consents/0/artefact/valid_until", "value": 1795000000500}],
	)
	kiroku.decide.expires == 1795000000500 with input as read
}

test_a_denial_to_come_ends_what_is_remembered if {
	read := data.bases["doctor-with-visit-consent"]
	denial := json.patch(read.consents[0], [
		{"op": "replace", "path": "/id", "value": "Consent/other"},
		{"op": "replace", "path": "/artefact/type", "value": "deny"},
		{"op": "replace", "path": "/artefact/valid_from", "value": 1795000005000},
	])
	kiroku.decide.expires == 1795000005000 with input as object.union(read, {"consents": [read.consents[0], denial]})
}

test_a_denial_to_come_ends_what_is_remembered_of_a_refusal_too if {
	consent := data.bases["doctor-with-visit-consent"].consents[0]
	denial := json.patch(consent, [
		{"op": "replace", "path": "/artefact/type", "value": "deny"},
		{"op": "replace", "path": "/artefact/valid_from", "value": 1795000005000},
	])
	read := object.union(data.bases.doctor, {"consents": [denial]})
	kiroku.decide.expires == 1795000005000 with input as read
}

test_a_write_that_says_nothing_of_its_categories_is_objected_to if {
	create := json.patch(data.bases["system-creates"], [
		{"op": "remove", "path": "/wanted"},
		{"op": "add", "path": "/objections/-", "value": {"categories": ["MED"], "from": 1794996400000}},
	])
	kiroku.decide.reason == "person-objects" with input as create
}
