//! Japanese code and identifier systems are spelt as OID or as URL (`standards-japan.md` 1.4, 1.5): for searches they are one.

/// Spellings as OID, and the URL that stands for both. Sorted by OID for a binary search.
const SPELLINGS: &[(&str, &str)] = &[
    ("1.2.392.100495.20.1.73", "http://capstandard.jp/iyaku.info/CodeSystem/YJ-code"),
    ("1.2.392.100495.20.1.81", "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/MedicationGeneralOrderCode"),
    ("1.2.392.100495.20.2.21", "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/MedicationForm"),
    ("1.2.392.100495.20.2.22", "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/MedicationIngredientStrengthStrengthType"),
    ("1.2.392.100495.20.2.34", "http://jpfhir.jp/fhir/core/CodeSystem/route-codes"),
    ("1.2.392.100495.20.2.61", "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/InsuranceMajorCategory"),
    ("1.2.392.100495.20.2.62", "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/InsuredPersonCategory"),
    ("1.2.392.100495.20.2.63", "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/MedicationInsuredPersonClass"),
    ("1.2.392.100495.20.2.73", "http://capstandard.jp/iyaku.info/CodeSystem/YJ-code"),
    ("1.2.392.100495.20.2.74", "http://medis.or.jp/CodeSystem/master-HOT9"),
    ("1.2.392.100495.20.2.81", "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/MedicationGeneralOrderCode"),
    ("1.2.392.100495.20.3.61", "http://jpfhir.jp/fhir/core/mhlw/IdSystem/InsurerNumber"),
    ("1.2.392.100495.20.3.62", "http://jpfhir.jp/fhir/core/mhlw/IdSystem/InsuredPersonSymbol"),
    ("1.2.392.100495.20.3.63", "http://jpfhir.jp/fhir/core/mhlw/IdSystem/InsuredPersonNumber"),
    ("1.2.392.100495.20.3.71", "http://jpfhir.jp/fhir/core/mhlw/IdSystem/PublicPayerNumber"),
    ("1.2.392.100495.20.3.72", "http://jpfhir.jp/fhir/core/mhlw/IdSystem/PublicInsuredPersonNumber"),
    ("1.2.392.100495.20.3.81", "http://jpfhir.jp/fhir/core/mhlw/IdSystem/Medication-RPGroupNumber"),
    ("1.2.392.100495.20.3.82", "http://jpfhir.jp/fhir/core/mhlw/IdSystem/MedicationAdministrationIndex"),
    ("1.2.392.200119.4.101.2", "http://medis.or.jp/CodeSystem/master-disease-keyNumber"),
    ("1.2.392.200119.4.101.6", "http://medis.or.jp/CodeSystem/master-disease-exCode"),
    ("1.2.392.200119.4.201.2", "http://medis.or.jp/CodeSystem/master-disease-modKeyNumber"),
    ("1.2.392.200119.4.201.5", "http://medis.or.jp/CodeSystem/master-disease-modExCode"),
    ("1.2.392.200119.4.402.1", "http://medis.or.jp/CodeSystem/master-HOT13"),
    ("1.2.392.200119.4.403.1", "http://medis.or.jp/CodeSystem/master-HOT9"),
    ("1.2.392.200119.4.403.2", "http://medis.or.jp/CodeSystem/master-HOT7"),
    ("1.2.392.200119.4.504", "http://medis.or.jp/CodeSystem/master-JLAC10-17digits"),
    ("1.2.392.200250.2.2.2", "http://jami.jp/SS-MIX2/CodeSystem/ClinicalDepartment"),
];

/// Spellings as URL that examples and older guides use for another.
const VARIANTS: &[(&str, &str)] = &[
    (
        "http://jpfhir.jp/fhir/clins/Idsysmem/JP_Insurance_memberID",
        "http://jpfhir.jp/fhir/clins/Idsystem/JP_Insurance_memberID",
    ),
    (
        "http://jpfhir.jp/fhir/Common/IdSystem/insurance-medical-institution-no",
        "http://jpfhir.jp/fhir/core/IdSystem/insurance-medical-institution-no",
    ),
];

/// The spelling under which a system is stored in headers and looked for.
pub fn canonical(system: &str) -> &str {
    if let Some(oid) = system.strip_prefix("urn:oid:") {
        return match SPELLINGS.binary_search_by(|(known, _)| (*known).cmp(oid)) {
            Ok(at) => SPELLINGS[at].1,
            Err(_) => system,
        };
    }
    if system.starts_with("http://jpfhir.jp/") {
        return VARIANTS.iter().find(|(variant, _)| *variant == system).map_or(system, |(_, url)| url);
    }
    system
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_oid_and_its_url_are_one_system() {
        assert!(SPELLINGS.is_sorted_by_key(|(oid, _)| *oid));
        assert_eq!(canonical("urn:oid:1.2.392.100495.20.2.73"), canonical("urn:oid:1.2.392.100495.20.1.73"));
        assert_eq!(canonical("urn:oid:1.2.3"), "urn:oid:1.2.3");
        assert_eq!(canonical("http://loinc.org"), "http://loinc.org");
    }
}
