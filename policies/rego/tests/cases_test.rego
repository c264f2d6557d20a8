# Every named case of `cases/`, as a test of its own: outcome, rules in order, reason and obligations.
package kiroku.cases_test

import data.kiroku

test_case[group][name] if {
	some group, cases in data.cases
	some name, tc in cases
	decision := kiroku.decide with input as json.patch(data.bases[tc.base], tc.patch)
	decision.outcome == tc.expect.outcome
	decision.rules == tc.expect.rules
	decision.reason == tc.expect.reason
	decision.obligations == tc.expect.obligations
}
