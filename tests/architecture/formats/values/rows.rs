//! Rows of a shelf.

use super::*;

pub(super) fn header() -> Header {
    Header {
        item: ITEM,
        version: 3,
        deleted: false,
        position: 77,
        last_updated: TIME,
        meta: meta(),
        author_organisation: "1310000001".into(),
        author_client: "system-1310000001".into(),
        author_practitioner: Some("physician-1".into()),
        submission: SUBMISSION,
        body: Some(BodyRef { bucket: BUCKET, chunks: 1, length: 74 }),
        search: search(),
    }
}

pub(super) fn meta() -> ItemMeta {
    ItemMeta {
        category: Category::Ehr,
        class: s("class"),
        labels: vec![Label::RestrictedPsy, Label::KeepLong],
        period: Some((TIME - 1000, TIME)),
        receivers: vec!["1310000002".into()],
        sent_meta: s("{\"source\":\"x\"}"),
        part_of: Some(ItemKey { resource_type: ResourceType::Bundle, local: LOCAL }),
        tables_release: s("2026-11"),
    }
}

pub(super) fn search() -> Vec<ParamValue> {
    let t = schemas::Text::new;
    let token =
        SearchValue::Token { system: t("sys"), code: t("code"), text: t("text"), types: Some("t|c".to_owned()) };
    let values = [
        token.clone(),
        SearchValue::Text(t("text")),
        SearchValue::Date { from: TIME, to: i64::MAX },
        SearchValue::Number(t("1.50")),
        SearchValue::Quantity { value: t("5.0"), system: t("ucum"), code: t("mg"), unit: t("mg") },
        SearchValue::Reference { target: t("Patient/1"), identifier_system: t("is"), identifier_value: t("iv") },
        SearchValue::Uri(t("urn:x")),
        SearchValue::Composite(vec![token, SearchValue::Number(t("2"))]),
    ];
    (1u16..).zip(values).map(|(param, value)| ParamValue { param, value }).collect()
}

pub(super) fn consent() -> ConsentArtefact {
    ConsentArtefact {
        kind: ConsentKind::Visit,
        giver: Giver::OneSelf,
        consent_type: ConsentType::Permit,
        facilities: vec!["1310000001".into()],
        practitioners: vec!["physician-1".into()],
        categories: vec![Category::Med, Category::Ehr],
        labels: vec![Label::RestrictedHiv],
        authors: vec!["1310000002".into()],
        data_period: Some((0, TIME)),
        items: vec![ConsentItem { reference: s("Observation/x"), meaning: s("instance") }],
        purposes: vec![Purpose::Treat],
        valid_from: TIME,
        valid_until: Some(TIME + 1),
        method: Method::ReaderPin,
        staff: vec![s("staff")],
        terms: s("kiroku-terms|1"),
        terms_sha256: s("00ff"),
        status: ConsentStatus::Active,
        visit: Some(s("visit")),
        safety: Some(s("masked")),
    }
}

pub(super) fn objection() -> Objection {
    Objection {
        item: ITEM,
        visit: Some(LOCAL),
        facility: Some("1310000001".into()),
        categories: vec![Category::Claims],
        from: TIME,
        until: Some(TIME + 5),
    }
}

pub(super) fn state() -> PersonState {
    PersonState {
        pid: PID,
        position: 78,
        clock: TIME,
        link: LinkState::Suspect,
        link_kind: s("identity"),
        birth_date: s("1980-02-29"),
        consents: vec![StoredConsent { item: ITEM, version: 2, artefact: consent(), given_at: TIME }],
        visits: vec![Visit {
            id: LOCAL,
            facility: "1310000001".into(),
            kind: VisitKind::Inpatient,
            opened_at: TIME,
            closed_at: Some(TIME + 9),
            team: vec!["physician-1".into()],
            proof: VisitProof::Card,
        }],
        objections: vec![objection()],
        emergency_switch: s("normal"),
        checks_cancelled: vec![(TIME, "physician-1".into())],
        submissions: 12,
    }
}
