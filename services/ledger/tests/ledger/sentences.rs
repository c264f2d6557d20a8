//! What the person reads.

use schemas::access::{Access, AccessOutcome, ActorName};
use schemas::vocab::AccessKind;
use schemas::{Category, ItemKey, LocalId, Purpose, ResourceType};

use crate::world::{NOW, World, access};

/// The sentences of one entry in English and in Japanese.
async fn said(change: impl FnOnce(&mut Access)) -> (String, String) {
    let world = World::new().await;
    let citizen = world.citizen().await;
    let mut entry = access(citizen.pid);
    change(&mut entry);
    world.append(entry).await;
    let token = world.sign_in(&citizen).await;
    let mut both = Vec::new();
    for lang in ["en", "ja"] {
        let list = world.get(&token, &format!("/me/accesses?lang={lang}&to=2026-07-03&text=14:12")).await;
        both.push(list.column("sentence").last().unwrap().as_str().unwrap().to_owned());
    }
    (both.remove(0), both.remove(0))
}

fn system(entry: &mut Access) {
    entry.actor = Some(ActorName { id: "dr-1".into(), profession: "automatic".into(), ..ActorName::default() });
}

#[actix_web::test]
async fn a_read_says_who_where_what_why_and_on_which_consent() {
    let (en, ja) = said(|entry| {
        let item = ItemKey { resource_type: ResourceType::Consent, local: LocalId::random() };
        entry.consent = Some((item, 1, NOW - 14 * 60_000));
        entry.categories = vec![Category::Med, Category::Ehr];
        entry.on_behalf_of =
            Some(ActorName { name: "Ken Mori".into(), profession: "dentist".into(), ..ActorName::default() });
    })
    .await;
    assert_eq!(
        en,
        "3 July 2026 14:12. Dr Hanako Sato (physician, Central Hospital) for Dr Ken Mori looked at your medicines and \
         diagnoses and test results (12 items), for treatment. You agreed on 3 July 2026 13:58."
    );
    assert_eq!(
        ja,
        "2026年7月3日 14:12 Central HospitalのHanako Sato(医師、Ken Moriの代理)が、あなたの薬の情報・病名・検査結果(12件)を閲覧しました。\
         目的:診療。あなたは2026年7月3日 13:58に同意しました。"
    );
}

#[actix_web::test]
async fn a_denial_says_what_was_tried_and_the_true_reason() {
    let (en, ja) = said(|entry| {
        (entry.kind, entry.outcome, entry.reason) = (AccessKind::Denied, AccessOutcome::Denied, "no-consent".into());
        (entry.categories, entry.count) = (Vec::new(), 0);
        system(entry);
    })
    .await;
    assert_eq!(
        en,
        "3 July 2026 14:12. A system of Central Hospital tried to read your medicines and was refused: no consent."
    );
    assert_eq!(
        ja,
        "2026年7月3日 14:12 Central Hospitalのシステムが、あなたの薬の情報を閲覧しようとしましたが、拒否されました(理由:同意がありません)。"
    );
    let (en, ja) = said(|entry| {
        (entry.kind, entry.outcome, entry.reason) =
            (AccessKind::Denied, AccessOutcome::Denied, "person-objects".into());
        (entry.purpose, entry.query) = (Purpose::Recordmgt, String::new());
    })
    .await;
    assert!(en.ends_with("tried to write to your record and was refused: the person objects."), "{en}");
    assert!(
        ja.ends_with("あなたの記録に登録しようとしましたが、拒否されました(理由:本人の申し出により共有しません)。"),
        "{ja}"
    );
}

#[actix_web::test]
async fn an_automatic_check_is_told_as_one_and_names_no_drug() {
    let (en, ja) = said(|entry| {
        (entry.kind, entry.categories, entry.subject) =
            (AccessKind::Automatic, vec![Category::Med], "drug 1234".into());
        system(entry);
    })
    .await;
    assert_eq!(
        en,
        "3 July 2026 14:12. Automatic check: a system of Central Hospital checked for double or clashing medicines; no names \
         were shown."
    );
    assert_eq!(
        ja,
        "2026年7月3日 14:12 自動確認:Central Hospitalのシステムが、薬の重複や飲み合わせを自動で確認しました(薬の名前は表示されていません)。"
    );
}

#[actix_web::test]
async fn consents_and_objections_of_the_person_speak_to_the_person() {
    let own = |rule: &'static str| {
        move |entry: &mut Access| {
            (entry.kind, entry.purpose, entry.rules) = (AccessKind::Consent, Purpose::Patrqt, vec![rule.into()]);
            entry.actor = Some(ActorName { id: "p".into(), profession: "person".into(), ..ActorName::default() });
        }
    };
    let (en, ja) = said(own("R03")).await;
    assert_eq!(en, "3 July 2026 14:12. You changed what you agree to share.");
    assert_eq!(ja, "2026年7月3日 14:12 あなたが、同意の内容を変更しました。");
    let (en, ja) = said(own("R59")).await;
    assert_eq!(en, "3 July 2026 14:12. You said that something is to be kept out.");
    assert_eq!(ja, "2026年7月3日 14:12 あなたが、記録を共有しないという申し出を変更しました。");
    let (en, ja) = said(|entry| entry.kind = AccessKind::Consent).await;
    assert!(en.ends_with("Dr Hanako Sato (physician, Central Hospital) recorded what you want to be shared."), "{en}");
    assert!(ja.ends_with("Central HospitalのHanako Sato(医師)が、あなたの同意の内容を登録しました。"), "{ja}");
}

#[actix_web::test]
async fn every_kind_has_a_sentence_of_its_own_in_both_languages() {
    let mut seen = std::collections::BTreeSet::new();
    for kind in AccessKind::ALL {
        let (en, ja) = said(|entry| entry.kind = *kind).await;
        assert!(en.starts_with("3 July 2026 14:12. ") && ja.starts_with("2026年7月3日 14:12 "), "{en} {ja}");
        assert!(en.contains("Central Hospital") && ja.contains("Central Hospital"), "{en} {ja}");
        assert!(!ja.contains("your") && !en.contains("あなた"));
        assert!(seen.insert(en) && seen.insert(ja), "{kind} reads like another kind");
    }
    assert_eq!(seen.len(), 2 * AccessKind::ALL.len());
}

/// An entry of a system's writing door, as the edge leaves it: no query, and what was done in `subject` if it says so.
fn at_the_desk(kind: AccessKind, purpose: Purpose, subject: &'static str) -> impl FnOnce(&mut Access) {
    move |entry| {
        (entry.kind, entry.purpose, entry.subject) = (kind, purpose, subject.into());
        (entry.categories, entry.count, entry.query) = (Vec::new(), 0, String::new());
        if kind == AccessKind::Denied {
            (entry.outcome, entry.reason) = (AccessOutcome::Denied, "step-up".into());
        }
        system(entry);
    }
}

#[actix_web::test]
async fn a_visit_is_told_as_a_visit_and_not_as_an_entry_that_was_written() {
    for (subject, english, japanese) in [
        ("open_visit", "opened a visit for you.", "あなたの受付をしました。"),
        ("close_visit", "closed your visit.", "あなたの受診を終了しました。"),
    ] {
        let (en, ja) = said(at_the_desk(AccessKind::Write, Purpose::Recordmgt, subject)).await;
        assert_eq!(en, format!("3 July 2026 14:12. A system of Central Hospital {english}"));
        assert_eq!(ja, format!("2026年7月3日 14:12 Central Hospitalのシステムが、{japanese}"));
    }
    let (en, ja) = said(at_the_desk(AccessKind::Denied, Purpose::Recordmgt, "open_visit")).await;
    assert!(en.ends_with("tried to open a visit for you and was refused: a fresh proof was needed."), "{en}");
    assert!(
        ja.ends_with("あなたの受付をしようとしましたが、拒否されました(理由:本人確認のやり直しが必要です)。"),
        "{ja}"
    );
}

#[actix_web::test]
async fn a_record_that_was_written_is_told_with_its_category_and_number() {
    let written = |entry: &mut Access| {
        (entry.kind, entry.purpose, entry.query) = (AccessKind::Write, Purpose::Recordmgt, String::new());
        system(entry);
    };
    let (en, ja) = said(written).await;
    assert!(en.ends_with("A system of Central Hospital wrote to your record: medicines (12 items)."), "{en}");
    assert!(ja.ends_with("Central Hospitalのシステムが、あなたの記録に薬の情報(12件)を登録しました。"), "{ja}");
}

#[actix_web::test]
async fn a_refused_consent_is_told_as_a_consent_and_not_as_a_reading() {
    for subject in ["", "give_consent"] {
        let (en, ja) = said(at_the_desk(AccessKind::Denied, Purpose::Patrqt, subject)).await;
        assert!(en.ends_with("tried to record your consent and was refused: a fresh proof was needed."), "{en}");
        assert!(ja.contains("あなたの同意を登録しようとしましたが、拒否されました"), "{ja}");
    }
    let (en, ja) = said(at_the_desk(AccessKind::Denied, Purpose::Patrqt, "object")).await;
    assert!(en.contains("tried to record your wish that something be kept out and was refused"), "{en}");
    assert!(ja.contains("あなたの記録を共有しないという申し出を登録しようとしましたが、拒否されました"), "{ja}");
    let (en, _) = said(|entry| {
        at_the_desk(AccessKind::Denied, Purpose::Patrqt, "")(entry);
        entry.actor = Some(ActorName { id: "p".into(), profession: "person".into(), ..ActorName::default() });
    })
    .await;
    assert!(en.contains("You tried to change what you agree to share and were refused"), "{en}");
    // Readers name their query: the same purpose is then a reading.
    let (en, ja) = said(|entry| {
        at_the_desk(AccessKind::Denied, Purpose::Patrqt, "")(entry);
        entry.query = "Immunization?status=completed".into();
    })
    .await;
    assert!(en.contains("tried to read your vaccinations and was refused"), "{en}");
    assert!(ja.contains("あなたの予防接種を閲覧しようとしましたが"), "{ja}");
}

#[actix_web::test]
async fn what_was_looked_for_in_vain_is_told_without_a_basis() {
    let empty = |kind: AccessKind, query: &'static str| {
        move |entry: &mut Access| {
            let item = ItemKey { resource_type: ResourceType::Consent, local: LocalId::random() };
            entry.consent = Some((item, 1, NOW - 14 * 60_000));
            (entry.kind, entry.query, entry.rules) = (kind, query.into(), vec!["R10".into(), "R16".into()]);
            (entry.categories, entry.count) = (Vec::new(), 0);
        }
    };
    let doctor = "3 July 2026 14:12. Dr Hanako Sato (physician, Central Hospital)";
    let (en, ja) = said(empty(AccessKind::Search, "MedicationRequest?status=active")).await;
    assert_eq!(en, format!("{doctor} searched your medicines, for treatment. Nothing was shown."));
    assert_eq!(
        ja,
        "2026年7月3日 14:12 Central HospitalのHanako Sato(医師)が、あなたの薬の情報を検索しました。目的:診療。表示された記録はありません。"
    );
    let (en, ja) = said(empty(AccessKind::Read, "Immunization/x")).await;
    assert_eq!(en, format!("{doctor} asked for your vaccinations, for treatment. Nothing was shown."));
    assert!(ja.contains("あなたの予防接種の閲覧を求めました。目的:診療。表示された記録はありません。"), "{ja}");
    let (en, ja) = said(empty(AccessKind::Export, "Patient/x/$everything")).await;
    assert!(en.contains("asked for a copy of your name and birth date, for treatment. Nothing was shown."), "{en}");
    assert!(ja.contains("の写しを求めました。目的:診療。表示された記録はありません。"), "{ja}");
    // How many there are is an answer, and has its basis.
    let (en, ja) = said(empty(AccessKind::Search, "MedicationRequest?status=active&_summary=count")).await;
    assert!(en.ends_with("for treatment. Only their number was told. You agreed on 3 July 2026 13:58."), "{en}");
    assert!(ja.ends_with("件数のみを回答しました。あなたは2026年7月3日 13:58に同意しました。"), "{ja}");
}
