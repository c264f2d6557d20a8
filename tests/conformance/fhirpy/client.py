"""Uses the server through fhirpy, unchanged: one client that writes, one that reads, one person.

Environment: KIROKU_URL, KIROKU_WRITE_TOKEN, KIROKU_READ_TOKEN, KIROKU_PATIENT. Exit code 0 means that all held.
"""

import os

from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import ForbiddenError, OperationOutcome, ResourceNotFound

URL = os.environ["KIROKU_URL"]
PATIENT = os.environ["KIROKU_PATIENT"]
WRITER = SyncFHIRClient(URL, authorization=f"Bearer {os.environ['KIROKU_WRITE_TOKEN']}")
READER = SyncFHIRClient(URL, authorization=f"Bearer {os.environ['KIROKU_READ_TOKEN']}")
# `count()` sends a parameter of fhirpy's own, which the server ignores only where it is asked to be lenient.
LENIENT = SyncFHIRClient(
    URL, authorization=f"Bearer {os.environ['KIROKU_READ_TOKEN']}", extra_headers={"Prefer": "handling=lenient"})
SYSTEM = "http://example.org/fhirpy"
LOINC = "http://loinc.org"


def weight(value, day, number):
    return {
        "resourceType": "Observation",
        "identifier": [{"system": SYSTEM, "value": f"weight-{number}"}],
        "status": "final",
        "category": [{"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}]}],
        "code": {"coding": [{"system": LOINC, "code": "29463-7"}], "text": "体重"},
        "subject": {"reference": f"Patient/{PATIENT}"},
        "effectiveDateTime": f"2026-10-{day:02}T09:00:00+09:00",
        "valueQuantity": {"value": value, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
    }


def weights(client=READER):
    return client.resources("Observation").search(patient=f"Patient/{PATIENT}", code=f"{LOINC}|29463-7")


def refused(action, *errors):
    try:
        action()
    except errors:
        return
    raise AssertionError(f"expected one of {errors}")


def create_read_update():
    made = WRITER.resource("Observation", **weight(61.5, 1, 1)).create()
    assert made.id and made["meta"]["versionId"] == "1", made
    read = READER.get("Observation", made.id)
    assert read["valueQuantity"]["value"] == 61.5 and read["subject"]["reference"] == f"Patient/{PATIENT}", read
    made["valueQuantity"]["value"] = 62.25
    made.update()
    assert made["meta"]["versionId"] == "2", made
    again = READER.reference("Observation", made.id).to_resource()
    assert again["valueQuantity"]["value"] == 62.25, again
    again.refresh()
    assert again["meta"]["versionId"] == "2", again
    old = READER.execute(f"Observation/{made.id}/_history/1", method="get")
    assert old["valueQuantity"]["value"] == 61.5, old
    history = READER.execute(f"Observation/{made.id}/_history", method="get")
    versions = [entry["resource"]["meta"]["versionId"] for entry in history["entry"] if "resource" in entry]
    assert history["type"] == "history" and versions[:2] == ["2", "1"], versions


def search_and_page():
    for number in range(2, 8):
        WRITER.resource("Observation", **weight(60 + number, number, number)).create()
    assert weights(LENIENT).count() == 7
    days = [found["effectiveDateTime"][:10] for found in weights().sort("-date").limit(3).fetch_all()]
    assert days == [f"2026-10-{day:02}" for day in range(7, 0, -1)], days
    first = weights().sort("date").first()
    assert first["effectiveDateTime"].startswith("2026-10-01"), first
    exact = weights().search(value_quantity="gt66").fetch()
    assert {found["valueQuantity"]["value"] for found in exact} == {67}, exact
    some = weights().elements("status").limit(2).fetch()
    assert len(some) == 2 and all("valueQuantity" not in found for found in some), some
    one = READER.resources("Observation").search(patient=f"Patient/{PATIENT}", identifier=f"{SYSTEM}|weight-3").get()
    assert one["valueQuantity"]["value"] == 63, one
    included = weights().include("Observation", "subject").limit(1).fetch_raw()
    kinds = {entry["resource"]["resourceType"] for entry in included["entry"]}
    assert {"Observation", "Patient"} <= kinds, kinds
    refused(lambda: weights().search(no_such_parameter="x").fetch(), OperationOutcome)


def transaction():
    condition = {
        "resourceType": "Condition",
        "identifier": [{"system": SYSTEM, "value": "condition-1"}],
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "I10"}], "text": "高血圧症"},
        "subject": {"reference": f"Patient/{PATIENT}"},
        "recordedDate": "2026-10-01",
    }
    request = {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "code": {"text": "血圧測定"},
        "subject": {"reference": f"Patient/{PATIENT}"},
        "reasonReference": [{"reference": "urn:uuid:7a6d1c1e-7c0e-4c3a-8a59-3b1d8e6e0a11"}],
    }
    sent = WRITER.resource("Bundle", type="transaction", entry=[
        {
            "fullUrl": "urn:uuid:7a6d1c1e-7c0e-4c3a-8a59-3b1d8e6e0a11",
            "resource": condition,
            "request": {"method": "POST", "url": "Condition", "ifNoneExist": f"identifier={SYSTEM}|condition-1"},
        },
        {"resource": request, "request": {"method": "POST", "url": "ServiceRequest"}},
    ])
    first = WRITER.execute("", data=sent.serialize())
    assert [entry["response"]["status"][:3] for entry in first["entry"]] == ["201", "201"], first
    where = first["entry"][0]["response"]["location"]
    second = WRITER.execute("", data=sent.serialize())
    assert [entry["response"]["status"][:3] for entry in second["entry"]] == ["200", "201"], second
    assert second["entry"][0]["response"]["location"] == where, "the one that exists is named again"
    ordered = READER.resources("ServiceRequest").search(patient=f"Patient/{PATIENT}").fetch_all()
    reasons = {found["reasonReference"][0]["reference"] for found in ordered if "reasonReference" in found}
    # A location may be absolute or relative; the reference is `Condition/id`.
    assert len(reasons) == 1 and f"{reasons.pop()}/_history/1" in where, (reasons, where)


def conditional_create():
    body = weight(70, 20, 20)
    query = {"If-None-Exist": f"identifier={SYSTEM}|weight-20"}
    _, first = WRITER._do_request("post", "Observation", data=body, extra_headers=query, returning_status=True)
    _, second = WRITER._do_request("post", "Observation", data=body, extra_headers=query, returning_status=True)
    assert (first, second) == (201, 200), (first, second)
    # fhirpy's own way puts the condition into the query, which R4 does not know: refused, never ignored.
    asked = WRITER.resources("Observation").search(identifier=f"{SYSTEM}|weight-20")
    refused(lambda: asked.get_or_create(WRITER.resource("Observation", **body)), OperationOutcome)
    updated, status = WRITER.resources("Observation").search(identifier=f"{SYSTEM}|weight-20").update(
        WRITER.resource("Observation", **weight(71, 20, 20)))
    assert status is False and updated["meta"]["versionId"] == "2", (updated, status)


def delete():
    made = WRITER.resource("Observation", **weight(80, 25, 25)).create()
    made.delete()
    refused(lambda: READER.get("Observation", made.id), ResourceNotFound)
    assert weights(LENIENT).search(identifier=f"{SYSTEM}|weight-25").count() == 0


def errors():
    wrong = weight(1, 1, 99)
    wrong["status"] = "no-such-status"
    refused(lambda: WRITER.resource("Observation", **wrong).create(), OperationOutcome)
    nobody = SyncFHIRClient(URL)
    refused(lambda: nobody.get("Patient", PATIENT), Exception)
    refused(lambda: READER.resource("Observation", **weight(1, 1, 98)).create(), ForbiddenError, OperationOutcome)


if __name__ == "__main__":
    statement = SyncFHIRClient(URL).execute("metadata", method="get")
    assert statement["fhirVersion"] == "4.0.1", statement["fhirVersion"]
    for step in [create_read_update, search_and_page, transaction, conditional_create, delete, errors]:
        step()
        print(f"ok {step.__name__}", flush=True)
