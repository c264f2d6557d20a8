//! Code systems that this platform knows by name. Codes of others are accepted, and that is said.

/// Beginnings of the systems of HL7, of the Japanese guides (`standards-japan.md` 1.5) and of the large terminologies.
const KNOWN: &[&str] = &[
    "http://terminology.hl7.org/",
    "http://hl7.org/fhir/",
    "http://loinc.org",
    "http://snomed.info/sct",
    "http://unitsofmeasure.org",
    "http://www.nlm.nih.gov/research/umls/rxnorm",
    "http://hl7.org/fhir/sid/",
    "http://www.whocc.no/atc",
    "http://standardterms.edqm.eu",
    "http://www.ama-assn.org/go/cpt",
    "http://dicom.nema.org/resources/ontology/DCM",
    "urn:ietf:bcp:47",
    "urn:ietf:bcp:13",
    "urn:ietf:rfc:3986",
    "urn:iso:std:iso:",
    "urn:iso-astm:E1762-95:2013",
    "http://jpfhir.jp/fhir/",
    "http://medis.or.jp/CodeSystem/",
    "http://jami.jp/",
    "http://capstandard.jp/",
    "urn:oid:1.2.392.100495.20.",
    "urn:oid:1.2.392.200119.4.",
    "urn:oid:1.2.392.200250.2.2.",
    "urn:oid:2.16.840.1.113883.6.",
    "urn:oid:2.16.840.1.113883.5.",
];

/// Whether codes of `system` mean something here.
pub fn is_known_system(system: &str) -> bool {
    KNOWN.iter().any(|known| system.starts_with(known))
}
