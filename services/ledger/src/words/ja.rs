//! Japanese sentences.

use schemas::access::{Access, ActorName, WAITING};
use schemas::vocab::{AccessKind, Category, Purpose};

use super::{Deed, Shown, Who, case_of, categories, deed, is_named, is_reading, japan, rests_on_own, shown, who};

pub(super) fn sentence(access: &Access, to_person: bool) -> String {
    let (who, things) = (actor(access, to_person), things(access, to_person));
    let count = items(access);
    let said = match access.kind {
        AccessKind::Automatic => automatic(access, to_person),
        AccessKind::Denied => denied(access, to_person),
        AccessKind::Consent => consent(access, to_person),
        AccessKind::LogRead => log_read(access, to_person),
        AccessKind::Write => write(access, to_person),
        AccessKind::Emergency => format!("緊急:{who}が、同意を得ずに{things}{count}を閲覧しました"),
        AccessKind::Disaster => format!("災害時:{who}が、{things}{count}を閲覧しました"),
        AccessKind::WrongLink => format!("誤った紐付け:{who}に、別の人の記録が表示されました"),
        AccessKind::Read if shown(access) == Shown::Items => format!("{who}が、{things}{count}を閲覧しました"),
        AccessKind::Read => format!("{who}が、{things}の閲覧を求めました"),
        AccessKind::Search => format!("{who}が、{things}{count}を検索しました"),
        AccessKind::Export if shown(access) == Shown::Items => {
            format!("{who}が、{things}{count}の写しを取得しました")
        }
        AccessKind::Export => format!("{who}が、{things}の写しを求めました"),
    };
    format!("{} {said}。{}", when(access.released_at), after(access, to_person))
}

fn when(ms: i64) -> String {
    japan(ms).map(|t| t.format("%Y年%-m月%-d日 %H:%M").to_string()).unwrap_or_default()
}

fn write(access: &Access, to_person: bool) -> String {
    let (who, whose) = (actor(access, to_person), owner(to_person));
    match deed(access) {
        Deed::OpenVisit => format!("{who}が、{whose}受付をしました"),
        Deed::CloseVisit => format!("{who}が、{whose}受診を終了しました"),
        Deed::CancelCheck => format!("{who}が、{whose}薬の確認のあと処方しなかったことを登録しました"),
        _ => {
            let names = list(access);
            let what = if names.is_empty() { "情報" } else { &names };
            format!("{who}が、{whose}記録に{what}{}を登録しました", items(access))
        }
    }
}

fn denied(access: &Access, to_person: bool) -> String {
    let whose = owner(to_person);
    let tried = match deed(access) {
        Deed::Look => format!("{}を閲覧", things(access, to_person)),
        Deed::Write => format!("{whose}記録に登録"),
        Deed::Consent => format!("{whose}同意を登録"),
        Deed::Object => format!("{whose}記録を共有しないという申し出を登録"),
        Deed::OpenVisit => format!("{whose}受付を"),
        Deed::CloseVisit => format!("{whose}受診を終了"),
        Deed::CancelCheck => format!("{whose}薬の確認のあと処方しなかったことを登録"),
    };
    let (who, reason) = (actor(access, to_person), reason(&access.reason));
    format!("{who}が、{tried}しようとしましたが、拒否されました(理由:{reason})")
}

fn automatic(access: &Access, to_person: bool) -> String {
    let what = match access.purpose {
        Purpose::Eligver | Purpose::Hpaymt => format!("{}保険の資格を自動で確認しました", owner(to_person)),
        _ if access.categories.is_empty() || access.categories.contains(&Category::Med) => {
            "薬の重複や飲み合わせを自動で確認しました(薬の名前は表示されていません)".to_owned()
        }
        _ => format!("{}{}を自動で読み取りました", things(access, to_person), items(access)),
    };
    let by = match who(access) {
        Who::Human => format!("。依頼者:{}", actor(access, to_person)),
        _ => String::new(),
    };
    format!("自動確認:{}のシステムが、{what}{by}", facility(access))
}

fn consent(access: &Access, to_person: bool) -> String {
    let what = match deed(access) {
        Deed::Object => "記録を共有しないという申し出",
        _ => "同意の内容",
    };
    match who(access) {
        Who::Person => format!("{}が、{what}を変更しました", actor(access, to_person)),
        _ => format!("{}が、{}{what}を登録しました", actor(access, to_person), owner(to_person)),
    }
}

fn log_read(access: &Access, to_person: bool) -> String {
    match case_of(access) {
        Some(case) => {
            format!("{}が、事案{case}のため、診療内容を除いてこの閲覧記録を確認しました", actor(access, to_person))
        }
        None => format!("{}が、この閲覧記録を確認しました", actor(access, to_person)),
    }
}

/// What follows the sentence: purpose, what was given out, the basis for it, review.
fn after(access: &Access, to_person: bool) -> String {
    let mut out = String::new();
    if is_reading(access) {
        if who(access) != Who::Person {
            out.push_str(&format!("目的:{}。", purpose(access.purpose)));
        }
        out.push_str(match shown(access) {
            Shown::Items | Shown::Unsaid => "",
            Shown::Number => "件数のみを回答しました。",
            Shown::Nothing => "表示された記録はありません。",
        });
        out.push_str(&basis(access, to_person));
    }
    if access.kind == AccessKind::Denied && rests_on_own(access) {
        out.push_str(OWN);
    }
    if access.subject == WAITING {
        out.push_str(&format!("この施設宛ての文書が{}同意を待っていることが伝えられました。", owner(to_person)));
    }
    if access.obligations.iter().any(|o| o == "REV") {
        out.push_str("この閲覧は後日審査されます。");
    }
    out
}

/// Why a facility that is refused everything else may still be shown something.
const OWN: &str = "自らが作成した記録は、作成した施設がいつでも閲覧できます。";

/// Why a reading could give something out; where nothing was, there is no basis to tell.
fn basis(access: &Access, to_person: bool) -> String {
    match (shown(access), access.consent) {
        (Shown::Nothing | Shown::Unsaid, _) => String::new(),
        (_, Some((_, _, given_at))) => {
            format!("{}は{}に同意しました。", if to_person { "あなた" } else { "本人" }, when(given_at))
        }
        _ if rests_on_own(access) => OWN.to_owned(),
        _ => String::new(),
    }
}

fn owner(to_person: bool) -> &'static str {
    if to_person { "あなたの" } else { "本人の" }
}

fn things(access: &Access, to_person: bool) -> String {
    let names = list(access);
    format!("{}{}", owner(to_person), if names.is_empty() { "記録" } else { &names })
}

fn list(access: &Access) -> String {
    categories(access).iter().map(|c| category(*c)).collect::<Vec<_>>().join("・")
}

fn items(access: &Access) -> String {
    if access.count == 0 { String::new() } else { format!("({}件)", access.count) }
}

fn actor(access: &Access, to_person: bool) -> String {
    let place = facility(access);
    match (who(access), &access.actor) {
        (Who::Person, _) => (if to_person { "あなた" } else { "本人" }).to_owned(),
        (Who::Human, Some(human)) => {
            let by = access.on_behalf_of.as_ref().filter(|d| is_named(d));
            let by = by.map_or_else(String::new, |d| format!("、{}の代理", named(d)));
            format!("{place}の{}({}{by})", named(human), profession(&human.profession))
        }
        _ => format!("{place}のシステム"),
    }
}

fn named(actor: &ActorName) -> &str {
    if is_named(actor) { &actor.name } else { &actor.id.0 }
}

fn facility(access: &Access) -> &str {
    match (&*access.organisation_name, &*access.organisation.0) {
        ("", "") => "名称不明の施設",
        ("", id) => id,
        (name, _) => name,
    }
}

fn profession(code: &str) -> &str {
    match code {
        "" => "職種不明",
        "physician" => "医師",
        "dentist" => "歯科医師",
        "pharmacist" => "薬剤師",
        "nurse" => "看護師",
        "clerk" => "事務職員",
        "receptionist" => "受付",
        "official" => "公務員",
        other => other,
    }
}

fn category(category: Category) -> &'static str {
    match category {
        Category::Elig => "保険資格",
        Category::Cert => "公費等の証明",
        Category::Cost => "負担区分",
        Category::Demo => "氏名・生年月日",
        Category::Address => "住所",
        Category::Safety => "アレルギー・注意情報",
        Category::Med => "薬の情報",
        Category::Checkup => "健診結果",
        Category::Claims => "診療情報(レセプト)",
        Category::Surg => "手術情報",
        Category::Ehr => "病名・検査結果",
        Category::Doc => "紹介状・退院時サマリー",
        Category::Vacc => "予防接種",
        Category::Note => "メモ",
        Category::Consent => "同意",
        Category::Log => "閲覧記録",
    }
}

fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Treat => "診療",
        Purpose::Etreat | Purpose::Btg => "救急",
        Purpose::Disaster => "災害時の診療",
        Purpose::Patrqt => "本人の求め",
        Purpose::Famrqt => "保護者の求め",
        Purpose::Pwatrny => "代理人の求め",
        Purpose::Eligver => "資格確認",
        Purpose::Hpaymt => "支払い",
        Purpose::Pubhlth => "公衆衛生",
        Purpose::Hresch => "研究",
        Purpose::Donat => "臓器提供",
        Purpose::Hlegal => "裁判手続",
        Purpose::Hcompl => "監査",
        Purpose::Recordmgt => "記録の管理",
        Purpose::Hsysadmin => "システムの運用",
    }
}

fn reason(code: &str) -> &'static str {
    match code {
        "no-consent" => "同意がありません",
        "blocked" => "本人が拒否しています",
        "link-state" => "本人確認の調査中です",
        "being-checked" => "資格を確認中です",
        "biometrics" => "身体の画像などは受け付けません",
        "quarantine" => "本人であることが確認できません",
        "person-objects" => "本人の申し出により共有しません",
        "terms-stale" => "新しい規約が未確認です",
        "step-up" => "本人確認のやり直しが必要です",
        "probing" => "取り消された確認が多すぎます",
        "stale" => "登録情報を確認できません",
        "policy-error" => "エラーのため拒否しました",
        _ => "許可する規則がありません",
    }
}
