//! Japanese sentences.

use schemas::access::{Access, ActorName};
use schemas::vocab::{AccessKind, Category, Purpose};

use super::{Who, case_of, categories, is_about_writing, is_named, japan, who};

pub(super) fn sentence(access: &Access, to_person: bool) -> String {
    let (who, things) = (actor(access, to_person), things(access, to_person));
    let count = items(access);
    let said = match access.kind {
        AccessKind::Automatic => automatic(access, to_person),
        AccessKind::Denied => denied(access, to_person),
        AccessKind::Consent => consent(access, to_person),
        AccessKind::LogRead => log_read(access, to_person),
        AccessKind::Write => format!("{who}が、{}に{}{count}を登録しました", file(to_person), written(access)),
        AccessKind::Emergency => format!("緊急:{who}が、同意を得ずに{things}{count}を閲覧しました"),
        AccessKind::Disaster => format!("災害時:{who}が、{things}{count}を閲覧しました"),
        AccessKind::WrongLink => format!("誤った紐付け:{who}に、別の人の記録が表示されました"),
        AccessKind::Read => format!("{who}が、{things}{count}を閲覧しました"),
        AccessKind::Search => format!("{who}が、{things}{count}を検索しました"),
        AccessKind::Export => format!("{who}が、{things}{count}の写しを取得しました"),
    };
    format!("{} {said}。{}", when(access.released_at), after(access, to_person))
}

fn when(ms: i64) -> String {
    japan(ms).map(|t| t.format("%Y年%-m月%-d日 %H:%M").to_string()).unwrap_or_default()
}

fn denied(access: &Access, to_person: bool) -> String {
    let tried = match is_about_writing(access) {
        true => format!("{}に登録しようとしました", file(to_person)),
        false => format!("{}を閲覧しようとしました", things(access, to_person)),
    };
    format!("{}が、{tried}が、拒否されました(理由:{})", actor(access, to_person), reason(&access.reason))
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
    let what = match access.rules.iter().any(|r| r == "R59") {
        true => "記録を共有しないという申し出",
        false => "同意の内容",
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

/// What follows the sentence: purpose, consent, review.
fn after(access: &Access, to_person: bool) -> String {
    let mut out = String::new();
    let is_reading = matches!(access.kind, AccessKind::Read | AccessKind::Search | AccessKind::Export);
    if is_reading && who(access) != Who::Person {
        out.push_str(&format!("目的:{}。", purpose(access.purpose)));
    }
    if let Some((_, _, given_at)) = access.consent.filter(|_| is_reading) {
        let giver = if to_person { "あなた" } else { "本人" };
        out.push_str(&format!("{giver}は{}に同意しました。", when(given_at)));
    }
    if is_reading && access.rules.iter().any(|r| r == "R16") && access.consent.is_none() {
        out.push_str("自らが作成した記録は、作成した施設がいつでも閲覧できます。");
    }
    if access.obligations.iter().any(|o| o == "REV") {
        out.push_str("この閲覧は後日審査されます。");
    }
    out
}

fn owner(to_person: bool) -> &'static str {
    if to_person { "あなたの" } else { "本人の" }
}

fn file(to_person: bool) -> &'static str {
    if to_person { "あなたの記録" } else { "本人の記録" }
}

fn things(access: &Access, to_person: bool) -> String {
    let names = list(access);
    format!("{}{}", owner(to_person), if names.is_empty() { "記録" } else { &names })
}

fn written(access: &Access) -> String {
    let names = list(access);
    if names.is_empty() { "情報".to_owned() } else { names }
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
