//! Common insured drugs with YJ codes, and the pairs that package inserts forbid together.
//!
//! The first seven characters (薬効分類 and ingredient with route) follow public knowledge of the 薬価基準 codes; brand and
//! check characters are plausible, not looked up, for the master is not public. Several products of one ingredient are
//! there on purpose: they are the duplicates that `$check` must find.

use Usage::{Bedtime, Eye, Inhaled, Injected, Meals, Needed, Skin};

/// How a drug is taken, from which dosage text, usage code and amounts follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// By mouth, so many times a day after meals (1 to 3).
    Meals(u8),
    /// By mouth, once before sleep.
    Bedtime,
    /// By mouth when needed (頓服).
    Needed,
    /// On the skin, as patch or ointment.
    Skin,
    /// Into the eye.
    Eye,
    /// Inhaled.
    Inhaled,
    /// Under the skin, by the person.
    Injected,
}

/// One product of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drug {
    /// YJ code, 12 characters.
    pub yj: &'static str,
    /// Product name with strength, as on the package.
    pub name: &'static str,
    /// Usage that is common for it.
    pub usage: Usage,
}

impl Drug {
    /// 薬効 class, ingredient and route: the first seven characters; equal means a duplicate.
    pub fn ingredient_and_route(&self) -> &'static str {
        &self.yj[..7]
    }

    /// 一般名 code: the first nine characters and `ZZZ`.
    pub fn general_code(&self) -> String {
        format!("{}ZZZ", &self.yj[..9])
    }

    /// Unit of one dose: MERIT-9 code and the word. Follows the dosage form letter and the usage.
    pub fn unit(&self) -> (&'static str, &'static str) {
        match (self.usage, self.yj.as_bytes()[7]) {
            (Usage::Skin, b'S') => ("SHT", "枚"),
            (Usage::Skin, _) => ("G", "g"),
            (Usage::Eye, _) => ("ML", "mL"),
            (Usage::Inhaled, _) => ("KIT", "キット"),
            (Usage::Injected, _) => ("KIT", "キット"),
            (_, b'M') => ("CAP", "カプセル"),
            (_, b'D') => ("PCK", "包"),
            _ => ("TAB", "錠"),
        }
    }
}

/// Two ingredients (7-character prefixes) that must not be given together, and why in a few words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contraindication {
    pub one: &'static str,
    pub other: &'static str,
    pub reason: &'static str,
}

/// All drugs. At least two products share an ingredient and route in many cases.
pub fn drugs() -> &'static [Drug] {
    DRUGS
}

/// The drug with this YJ code.
pub fn find_drug(yj: &str) -> Option<&'static Drug> {
    DRUGS.iter().find(|drug| drug.yj == yj)
}

/// Pairs of 相互作用「併用禁忌」 among the ingredients of the table, each once.
pub fn contraindications() -> &'static [Contraindication] {
    CONTRAINDICATIONS
}

const fn drug(yj: &'static str, name: &'static str, usage: Usage) -> Drug {
    Drug { yj, name, usage }
}

const fn pair(one: &'static str, other: &'static str, reason: &'static str) -> Contraindication {
    Contraindication { one, other, reason }
}

const DRUGS: &[Drug] = &[
    drug("1141007F1063", "カロナール錠３００", Needed),
    drug("1141007F3023", "カロナール錠５００", Needed),
    drug("1141007F1187", "アセトアミノフェン錠３００ｍｇ「ＪＧ」", Meals(3)),
    drug("1149019F1560", "ロキソニン錠６０ｍｇ", Meals(3)),
    drug("1149019F1781", "ロキソプロフェンＮａ錠６０ｍｇ「トーワ」", Meals(3)),
    drug("1149037F1020", "セレコックス錠１００ｍｇ", Meals(2)),
    drug("1149037F1089", "セレコキシブ錠１００ｍｇ「ファイザー」", Meals(2)),
    drug("1147002F1560", "ボルタレン錠２５ｍｇ", Needed),
    drug("1149117F1020", "トラムセット配合錠", Meals(3)),
    drug("1190017F1024", "リリカＯＤ錠７５ｍｇ", Meals(2)),
    drug("1190017F1105", "プレガバリンＯＤ錠７５ｍｇ「サワイ」", Meals(2)),
    drug("1190026F2020", "タリージェ錠５ｍｇ", Meals(2)),
    drug("3399007H1021", "バイアスピリン錠１００ｍｇ", Meals(1)),
    drug("3399007H1048", "アスピリン腸溶錠１００ｍｇ「トーワ」", Meals(1)),
    drug("3399008F2029", "プラビックス錠７５ｍｇ", Meals(1)),
    drug("3399008F2118", "クロピドグレル錠７５ｍｇ「ＳＡＮＩＫ」", Meals(1)),
    drug("3399002F3025", "プレタールＯＤ錠１００ｍｇ", Meals(2)),
    drug("3332001F1024", "ワーファリン錠１ｍｇ", Meals(1)),
    drug("3332001F1130", "ワルファリンＫ錠１ｍｇ「トーワ」", Meals(1)),
    drug("3339003F2021", "イグザレルト錠１５ｍｇ", Meals(1)),
    drug("3339004F2026", "エリキュース錠５ｍｇ", Meals(2)),
    drug("3339002F3027", "リクシアナ錠６０ｍｇ", Meals(1)),
    drug("3339001M1021", "プラザキサカプセル７５ｍｇ", Meals(2)),
    drug("2171022F2076", "ノルバスク錠５ｍｇ", Meals(1)),
    drug("2171022F4028", "アムロジンＯＤ錠５ｍｇ", Meals(1)),
    drug("2171022F4176", "アムロジピンＯＤ錠５ｍｇ「トーワ」", Meals(1)),
    drug("2171014G4021", "アダラートＣＲ錠２０ｍｇ", Meals(1)),
    drug("2171014G4064", "ニフェジピンＣＲ錠２０ｍｇ「サワイ」", Meals(1)),
    drug("2149043F2022", "カルブロック錠１６ｍｇ", Meals(1)),
    drug("2149043F2073", "アゼルニジピン錠１６ｍｇ「ケミファ」", Meals(1)),
    drug("2149037F2027", "アテレック錠１０ｍｇ", Meals(1)),
    drug("2149040F3035", "ブロプレス錠８ｍｇ", Meals(1)),
    drug("2149040F3116", "カンデサルタン錠８ｍｇ「あすか」", Meals(1)),
    drug("2149039F2024", "ニューロタン錠５０ｍｇ", Meals(1)),
    drug("2149041F3039", "ディオバン錠８０ｍｇ", Meals(1)),
    drug("2149042F2020", "ミカルディス錠４０ｍｇ", Meals(1)),
    drug("2149042F2097", "テルミサルタン錠４０ｍｇ「ＤＳＥＰ」", Meals(1)),
    drug("2149044F6024", "オルメテックＯＤ錠２０ｍｇ", Meals(1)),
    drug("2149044F6105", "オルメサルタンＯＤ錠２０ｍｇ「ＤＳＥＰ」", Meals(1)),
    drug("2149048F2020", "アジルバ錠２０ｍｇ", Meals(1)),
    drug("2144002F2024", "レニベース錠５ｍｇ", Meals(1)),
    drug("2123016F2023", "メインテート錠２．５ｍｇ", Meals(1)),
    drug("2123016F2139", "ビソプロロールフマル酸塩錠２．５ｍｇ「トーワ」", Meals(1)),
    drug("2149032F1021", "アーチスト錠１０ｍｇ", Meals(1)),
    drug("2139005F2027", "ラシックス錠２０ｍｇ", Meals(1)),
    drug("2139005F2361", "フロセミド錠２０ｍｇ「ＮＰ」", Meals(1)),
    drug("2133001F1026", "アルダクトンＡ錠２５ｍｇ", Meals(1)),
    drug("2133001F1115", "スピロノラクトン錠２５ｍｇ「トーワ」", Meals(1)),
    drug("2149045F2021", "セララ錠５０ｍｇ", Meals(1)),
    drug("2171018K1020", "ニトロペン舌下錠０．３ｍｇ", Needed),
    drug("2171018K1046", "ニトログリセリン舌下錠０．３ｍｇ「ＮＫ」", Needed),
    drug("2171011G1026", "フランドル錠２０ｍｇ", Meals(2)),
    drug("2171017F2028", "シグマート錠５ｍｇ", Meals(3)),
    drug("2171700S1020", "ニトロダームＴＴＳ２５ｍｇ", Skin),
    drug("2190028F1021", "レバチオ錠２０ｍｇ", Meals(3)),
    drug("2190029F1026", "アドシルカ錠２０ｍｇ", Meals(1)),
    drug("2190034F1027", "アデムパス錠１．０ｍｇ", Meals(3)),
    drug("2189017F1022", "クレストール錠２．５ｍｇ", Meals(1)),
    drug("2189017F1111", "ロスバスタチン錠２．５ｍｇ「ＤＳＥＰ」", Meals(1)),
    drug("2189015F2022", "リピトール錠１０ｍｇ", Meals(1)),
    drug("2189015F2120", "アトルバスタチン錠１０ｍｇ「サンド」", Meals(1)),
    drug("2189011F1020", "リポバス錠５ｍｇ", Meals(1)),
    drug("2189010F2026", "メバロチン錠１０ｍｇ", Meals(1)),
    drug("2189018F1027", "ゼチーア錠１０ｍｇ", Meals(1)),
    drug("2183005F2020", "ベザトールＳＲ錠２００ｍｇ", Meals(2)),
    drug("3399004M4026", "エパデールＳ６００", Meals(3)),
    drug("3962002F2027", "メトグルコ錠２５０ｍｇ", Meals(2)),
    drug("3962002F2078", "メトホルミン塩酸塩錠２５０ｍｇＭＴ「ニプロ」", Meals(2)),
    drug("3969010F2021", "ジャヌビア錠５０ｍｇ", Meals(1)),
    drug("3969010F2030", "グラクティブ錠５０ｍｇ", Meals(1)),
    drug("3969014F1024", "トラゼンタ錠５ｍｇ", Meals(1)),
    drug("3969019F1027", "フォシーガ錠５ｍｇ", Meals(1)),
    drug("3969023F1023", "ジャディアンス錠１０ｍｇ", Meals(1)),
    drug("3961008F1020", "アマリール１ｍｇ錠", Meals(1)),
    drug("3961008F1179", "グリメピリド錠１ｍｇ「サワイ」", Meals(1)),
    drug("2492416G3025", "ランタス注ソロスター", Injected),
    drug("2492416G4021", "インスリングラルギンＢＳ注ミリオペン「リリー」", Injected),
    drug("3949003F1023", "フェブリク錠１０ｍｇ", Meals(1)),
    drug("3943001F1071", "ザイロリック錠１００", Meals(2)),
    drug("3999005F1024", "イムラン錠５０ｍｇ", Meals(1)),
    drug("2329023F1020", "タケプロンＯＤ錠１５", Meals(1)),
    drug("2329023F1143", "ランソプラゾールＯＤ錠１５ｍｇ「トーワ」", Meals(1)),
    drug("2329029M2027", "ネキシウムカプセル２０ｍｇ", Meals(1)),
    drug("2329030F1020", "タケキャブ錠１０ｍｇ", Meals(1)),
    drug("2325003F2023", "ガスター錠２０ｍｇ", Meals(2)),
    drug("2329021F1021", "ムコスタ錠１００ｍｇ", Meals(3)),
    drug("2329021F1137", "レバミピド錠１００ｍｇ「ＥＭＥＣ」", Meals(3)),
    drug("2344009F2023", "マグミット錠３３０ｍｇ", Meals(3)),
    drug("2344009F2031", "酸化マグネシウム錠３３０ｍｇ「ヨシダ」", Meals(3)),
    drug("2354003F2383", "プルゼニド錠１２ｍｇ", Bedtime),
    drug("6241013F2020", "クラビット錠５００ｍｇ", Meals(1)),
    drug("6241013F2110", "レボフロキサシン錠５００ｍｇ「ＤＳＥＰ」", Meals(1)),
    drug("6241008F1030", "シプロキサン錠１００ｍｇ", Meals(3)),
    drug("6149003F2038", "クラリス錠２００", Meals(2)),
    drug("6149003F2119", "クラリスロマイシン錠２００ｍｇ「サワイ」", Meals(2)),
    drug("6131001M2014", "サワシリンカプセル２５０", Meals(3)),
    drug("6250021M1027", "タミフルカプセル７５", Meals(2)),
    drug("6250047F1022", "ゾフルーザ錠２０ｍｇ", Needed),
    drug("6290004M1029", "イトリゾールカプセル５０", Meals(1)),
    drug("6290004M1061", "イトラコナゾールカプセル５０ｍｇ「ＳＷ」", Meals(1)),
    drug("4490023F2020", "アレグラ錠６０ｍｇ", Meals(2)),
    drug("4490023F2160", "フェキソフェナジン塩酸塩錠６０ｍｇ「ＳＡＮＩＫ」", Meals(2)),
    drug("4490033F1020", "ビラノア錠２０ｍｇ", Bedtime),
    drug("4490026F2025", "シングレア錠１０ｍｇ", Bedtime),
    drug("4490026F2033", "キプレス錠１０ｍｇ", Bedtime),
    drug("2233002F2030", "ムコダイン錠５００ｍｇ", Meals(3)),
    drug("2233002F2154", "カルボシステイン錠５００ｍｇ「トーワ」", Meals(3)),
    drug("2259707S3026", "ホクナリンテープ２ｍｇ", Skin),
    drug("2290801G1024", "シムビコートタービュヘイラー６０吸入", Inhaled),
    drug("2290800G1022", "アドエア２５０ディスカス６０吸入用", Inhaled),
    drug("1129009F1025", "マイスリー錠５ｍｇ", Bedtime),
    drug("1129009F1130", "ゾルピデム酒石酸塩錠５ｍｇ「トーワ」", Bedtime),
    drug("1124007F2026", "ハルシオン０．２５ｍｇ錠", Bedtime),
    drug("1190023F1024", "ベルソムラ錠１５ｍｇ", Bedtime),
    drug("1190016F1020", "ロゼレム錠８ｍｇ", Bedtime),
    drug("1190027F1022", "デエビゴ錠２．５ｍｇ", Bedtime),
    drug("1179025F1110", "デパス錠０．５ｍｇ", Meals(3)),
    drug("1179025F1250", "エチゾラム錠０．５ｍｇ「トーワ」", Meals(3)),
    drug("1179046F1028", "ジェイゾロフト錠２５ｍｇ", Meals(1)),
    drug("1179041F2025", "パキシル錠２０ｍｇ", Meals(1)),
    drug("1179054F1022", "レクサプロ錠１０ｍｇ", Meals(1)),
    drug("1179052M1022", "サインバルタカプセル２０ｍｇ", Meals(1)),
    drug("1179039F1036", "デプロメール錠２５", Meals(2)),
    drug("1179042F1026", "セロクエル２５ｍｇ錠", Bedtime),
    drug("1190012F2025", "アリセプトＤ錠５ｍｇ", Meals(1)),
    drug("1169010F1023", "エフピーＯＤ錠２．５", Meals(1)),
    drug("1169101F1090", "メネシット配合錠１００", Meals(3)),
    drug("1139002F1037", "テグレトール錠２００ｍｇ", Meals(2)),
    drug("1139010F1024", "イーケプラ錠５００ｍｇ", Meals(2)),
    drug("1249010F1024", "テルネリン錠１ｍｇ", Meals(3)),
    drug("2456001F1310", "プレドニゾロン錠５ｍｇ「タケダ」", Meals(1)),
    drug("2431004F1022", "チラーヂンＳ錠５０μｇ", Meals(1)),
    drug("3999031F1020", "ケアラム錠２５ｍｇ", Meals(2)),
    drug("3112006M2020", "エディロールカプセル０．７５μｇ", Meals(1)),
    drug("2590008F1026", "ハルナールＤ錠０．２ｍｇ", Meals(1)),
    drug("3136004F2022", "メチコバール錠５００μｇ", Meals(3)),
    drug("5200013D1123", "ツムラ葛根湯エキス顆粒（医療用）", Meals(3)),
    drug("5200139D1036", "ツムラ抑肝散エキス顆粒（医療用）", Meals(3)),
    drug("2649735S2024", "ロキソニンテープ１００ｍｇ", Skin),
    drug("2649735S2156", "ロキソプロフェンＮａテープ１００ｍｇ「三友」", Skin),
    drug("2649729S2169", "モーラステープ２０ｍｇ", Skin),
    drug("3339950M1090", "ヒルドイドソフト軟膏０．３％", Skin),
    drug("2646713M1023", "デルモベート軟膏０．０５％", Skin),
    drug("1319739Q1029", "キサラタン点眼液０．００５％", Eye),
    drug("1319739Q1088", "ラタノプロスト点眼液０．００５％「トーワ」", Eye),
    drug("1319720Q3080", "ヒアレイン点眼液０．１％", Eye),
];

const CONTRAINDICATIONS: &[Contraindication] = &[
    pair("2171018", "2190028", "過度の血圧低下"),
    pair("2171018", "2190029", "過度の血圧低下"),
    pair("2171018", "2190034", "過度の血圧低下"),
    pair("2171011", "2190028", "過度の血圧低下"),
    pair("2171011", "2190029", "過度の血圧低下"),
    pair("2171011", "2190034", "過度の血圧低下"),
    pair("2171017", "2190028", "過度の血圧低下"),
    pair("2171017", "2190029", "過度の血圧低下"),
    pair("2171017", "2190034", "過度の血圧低下"),
    pair("2171700", "2190028", "過度の血圧低下"),
    pair("2171700", "2190029", "過度の血圧低下"),
    pair("2171700", "2190034", "過度の血圧低下"),
    pair("2190028", "2190034", "症候性低血圧"),
    pair("2190029", "2190034", "症候性低血圧"),
    pair("2190029", "6290004", "血中濃度上昇"),
    pair("2190034", "6290004", "血中濃度上昇"),
    pair("1124007", "6290004", "作用の増強と延長"),
    pair("1190023", "6290004", "作用の著しい増強"),
    pair("1190023", "6149003", "作用の著しい増強"),
    pair("2189011", "6290004", "横紋筋融解症"),
    pair("2149043", "6290004", "血中濃度上昇"),
    pair("2149045", "6290004", "血清カリウム値の上昇"),
    pair("2133001", "2149045", "血清カリウム値の上昇"),
    pair("3339003", "6290004", "出血の危険の増大"),
    pair("3339001", "6290004", "出血の危険の増大"),
    pair("3332001", "3999031", "重篤な出血"),
    pair("1169010", "1179046", "セロトニン症候群"),
    pair("1169010", "1179041", "セロトニン症候群"),
    pair("1169010", "1179054", "セロトニン症候群"),
    pair("1169010", "1179052", "セロトニン症候群"),
    pair("1169010", "1179039", "セロトニン症候群"),
    pair("1169010", "1149117", "高血圧クリーゼ、セロトニン症候群"),
    pair("1190016", "1179039", "血中濃度の著しい上昇"),
    pair("1249010", "1179039", "著しい血圧低下"),
    pair("1249010", "6241008", "著しい血圧低下"),
    pair("3949003", "3999005", "骨髄抑制の増強"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_yj_code_has_its_form_and_stands_once() {
        let mut seen = HashSet::new();
        for drug in drugs() {
            let bytes = drug.yj.as_bytes();
            assert_eq!(bytes.len(), 12, "{}", drug.yj);
            assert!(bytes[..7].iter().all(u8::is_ascii_digit) && bytes[7].is_ascii_uppercase(), "{}", drug.yj);
            assert!(bytes[8..].iter().all(u8::is_ascii_digit) && seen.insert(drug.yj), "{}", drug.yj);
        }
        assert!(drugs().len() >= 120);
    }

    #[test]
    fn many_ingredients_have_more_than_one_product() {
        let ingredients: HashSet<_> = drugs().iter().map(Drug::ingredient_and_route).collect();
        assert!(drugs().len() - ingredients.len() >= 30);
    }

    #[test]
    fn every_forbidden_pair_can_happen_with_drugs_of_the_table_and_stands_once() {
        let ingredients: HashSet<_> = drugs().iter().map(Drug::ingredient_and_route).collect();
        let mut seen = HashSet::new();
        for pair in contraindications() {
            assert!(ingredients.contains(pair.one) && ingredients.contains(pair.other), "{pair:?}");
            assert!(pair.one != pair.other && seen.insert([pair.one.min(pair.other), pair.one.max(pair.other)]));
        }
    }
}
