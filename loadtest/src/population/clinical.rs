//! Small tables of what happens to people: diseases, allergens, vaccines, procedures, laboratory items, vital signs.
//!
//! ICD-10, JLAC10 and LOINC codes are public; MEDIS numbers and JFAGY codes have the right form but were not looked up
//! in the masters, except the few that the guides name.

/// A disease: MEDIS 病名管理番号, ICD-10, name, department (SS-MIX2 code and name).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disease {
    pub medis: &'static str,
    pub icd10: &'static str,
    pub name: &'static str,
    pub department: (&'static str, &'static str),
}

/// An allergen: code within `system`, name, FHIR category.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allergen {
    pub system: &'static str,
    pub code: &'static str,
    pub name: &'static str,
    pub category: &'static str,
}

/// A laboratory item: JLAC10 of 17 digits, short and Japanese name, unit, usual range, decimals, specimen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LabItem {
    pub jlac10: &'static str,
    pub short: &'static str,
    pub name: &'static str,
    pub unit: &'static str,
    pub range: (f64, f64),
    pub decimals: u32,
    pub specimen: (&'static str, &'static str),
}

/// A vital sign: LOINC code, English and Japanese name, UCUM unit, mean, spread, decimals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VitalSign {
    pub loinc: &'static str,
    pub display: &'static str,
    pub name: &'static str,
    pub unit: &'static str,
    pub mean: f64,
    pub deviation: f64,
    pub decimals: u32,
}

const INTERNAL: (&str, &str) = ("01", "内科");
const HEART: (&str, &str) = ("08", "循環器科");
const GUT: (&str, &str) = ("10", "消化器科");
const LUNG: (&str, &str) = ("09", "呼吸器科");
const MIND: (&str, &str) = ("02", "精神科");
const BONE: (&str, &str) = ("18", "整形外科");
const SKIN: (&str, &str) = ("24", "皮膚科");
const EYE: (&str, &str) = ("26", "眼科");

const fn disease(
    medis: &'static str,
    icd10: &'static str,
    name: &'static str,
    department: (&'static str, &'static str),
) -> Disease {
    Disease { medis, icd10, name, department }
}

pub const DISEASES: &[Disease] = &[
    disease("20061834", "I10", "高血圧症", HEART),
    disease("20055555", "E11.9", "２型糖尿病", INTERNAL),
    disease("20063117", "E78.5", "脂質異常症", INTERNAL),
    disease("20064049", "K26.9", "十二指腸潰瘍", GUT),
    disease("20065011", "R10.1", "上腹部痛", GUT),
    disease("20058321", "J45.9", "気管支喘息", LUNG),
    disease("20053470", "J06.9", "急性上気道炎", INTERNAL),
    disease("20057702", "J30.1", "花粉症", INTERNAL),
    disease("20062290", "I48.9", "心房細動", HEART),
    disease("20059118", "I20.9", "狭心症", HEART),
    disease("20060045", "I50.9", "慢性心不全", HEART),
    disease("20056633", "N18.3", "慢性腎臓病ステージＧ３", INTERNAL),
    disease("20054920", "E79.0", "高尿酸血症", INTERNAL),
    disease("20058874", "K21.0", "逆流性食道炎", GUT),
    disease("20055016", "K29.5", "慢性胃炎", GUT),
    disease("20052209", "K59.0", "便秘症", GUT),
    disease("20066480", "M54.5", "腰痛症", BONE),
    disease("20060717", "M17.9", "変形性膝関節症", BONE),
    disease("20057259", "M81.9", "骨粗鬆症", BONE),
    disease("20064706", "S52.5", "橈骨遠位端骨折", BONE),
    disease("20053941", "F32.9", "うつ病", MIND),
    disease("20061060", "G47.0", "不眠症", MIND),
    disease("20062805", "L20.9", "アトピー性皮膚炎", SKIN),
    disease("20059566", "H40.1", "緑内障", EYE),
    disease("20065733", "H25.9", "白内障", EYE),
    disease("20056128", "J18.9", "肺炎", LUNG),
    disease("20063654", "C16.9", "胃癌", GUT),
    disease("20054387", "D50.9", "鉄欠乏性貧血", INTERNAL),
    disease("20060392", "U07.1", "ＣＯＶＩＤ－１９", INTERNAL),
    disease("20058059", "E03.9", "甲状腺機能低下症", INTERNAL),
];

const FOOD: &str = "http://jpfhir.jp/fhir/core/CodeSystem/JP_JfagyFoodAllergen_CS";
const OTHER: &str = "http://jpfhir.jp/fhir/core/CodeSystem/JP_JfagyNonFoodNonMedicationAllergen_CS";

const fn allergen(system: &'static str, code: &'static str, name: &'static str, category: &'static str) -> Allergen {
    Allergen { system, code, name, category }
}

/// Allergens that are no drugs; those for drugs come from the drug table with a YJ code.
pub const ALLERGENS: &[Allergen] = &[
    allergen(FOOD, "J9FC11310000", "さば", "food"),
    allergen(FOOD, "J9FC11190000", "鶏卵", "food"),
    allergen(FOOD, "J9FC11220000", "牛乳", "food"),
    allergen(FOOD, "J9FC11240000", "小麦", "food"),
    allergen(FOOD, "J9FC11260000", "そば", "food"),
    allergen(FOOD, "J9FC11270000", "落花生", "food"),
    allergen(FOOD, "J9FC11280000", "えび", "food"),
    allergen(FOOD, "J9FC11290000", "かに", "food"),
    allergen(OTHER, "J9NC11410000", "ラテックス", "environment"),
    allergen(OTHER, "J9NC11420000", "スギ花粉", "environment"),
    allergen(OTHER, "J9NC11430000", "ヤケヒョウヒダニ", "environment"),
];

/// Vaccines: YJ-shaped code and name.
pub const VACCINES: &[(&str, &str)] = &[
    ("6313400A1020", "インフルエンザＨＡワクチン"),
    ("6313701A1023", "コロナウイルス（ＳＡＲＳ－ＣｏＶ－２）ワクチン"),
    ("6311401E1029", "沈降１３価肺炎球菌結合型ワクチン"),
    ("6313402D1022", "乾燥弱毒生麻しん風しん混合ワクチン"),
    ("6313403D1027", "乾燥弱毒生水痘ワクチン"),
    ("6313404A1028", "組換え沈降Ｂ型肝炎ワクチン"),
    ("6313405G1027", "沈降９価ヒトパピローマウイルス様粒子ワクチン"),
    ("6319400D1020", "乾燥組換え帯状疱疹ワクチン"),
];

/// Procedures: 診療行為 (K and D codes of the fee schedule), name, whether it is an operation.
pub const PROCEDURES: &[(&str, &str, bool)] = &[
    ("K633", "鼠径ヘルニア手術", true),
    ("K672-2", "腹腔鏡下胆嚢摘出術", true),
    ("K721", "内視鏡的大腸ポリープ・粘膜切除術", true),
    ("K282", "水晶体再建術", true),
    ("K046", "骨折観血的手術", true),
    ("K549", "経皮的冠動脈ステント留置術", true),
    ("K082", "人工関節置換術", true),
    ("K718", "虫垂切除術", true),
    ("D308", "胃・十二指腸ファイバースコピー", false),
    ("D313", "大腸内視鏡検査", false),
    ("D208", "心電図検査", false),
    ("J038", "人工腎臓", false),
];

const SERUM: (&str, &str) = ("023", "血清");
const BLOOD: (&str, &str) = ("019", "全血(添加物入り)");

const fn lab(
    jlac10: &'static str,
    (short, name): (&'static str, &'static str),
    unit: &'static str,
    range: (f64, f64),
    decimals: u32,
    specimen: (&'static str, &'static str),
) -> LabItem {
    LabItem { jlac10, short, name, unit, range, decimals, specimen }
}

pub const LAB_ITEMS: &[LabItem] = &[
    lab("3A015000002329101", ("ALB", "アルブミン"), "g/dL", (4.1, 5.1), 1, SERUM),
    lab("3A010000002329101", ("TP", "総蛋白"), "g/dL", (6.6, 8.1), 1, SERUM),
    lab("3B035000002327201", ("AST", "ＡＳＴ（ＧＯＴ）"), "U/L", (13.0, 30.0), 0, SERUM),
    lab("3B045000002327201", ("ALT", "ＡＬＴ（ＧＰＴ）"), "U/L", (10.0, 42.0), 0, SERUM),
    lab("3B090000002327701", ("GGT", "γ－ＧＴＰ"), "U/L", (13.0, 64.0), 0, SERUM),
    lab("3B070000002327101", ("ALP", "アルカリホスファターゼ"), "U/L", (38.0, 113.0), 0, SERUM),
    lab("3B050000002327201", ("LD", "乳酸脱水素酵素"), "U/L", (124.0, 222.0), 0, SERUM),
    lab("3B010000002327201", ("CK", "クレアチンキナーゼ"), "U/L", (59.0, 248.0), 0, SERUM),
    lab("3C025000002329101", ("BUN", "尿素窒素"), "mg/dL", (8.0, 20.0), 1, SERUM),
    lab("3C015000002329101", ("Cre", "クレアチニン"), "mg/dL", (0.65, 1.07), 2, SERUM),
    lab("3C020000002329101", ("UA", "尿酸"), "mg/dL", (3.7, 7.8), 1, SERUM),
    lab("3H010000002327101", ("Na", "ナトリウム"), "mmol/L", (138.0, 145.0), 0, SERUM),
    lab("3H015000002327201", ("K", "カリウム"), "mmol/L", (3.6, 4.8), 1, SERUM),
    lab("3H020000002326101", ("Cl", "クロール"), "mmol/L", (101.0, 108.0), 0, SERUM),
    lab("3H030000002327101", ("Ca", "カルシウム"), "mg/dL", (8.8, 10.1), 1, SERUM),
    lab("3F077000002327101", ("LDL-C", "ＬＤＬコレステロール"), "mg/dL", (65.0, 163.0), 0, SERUM),
    lab("3F070000002327101", ("HDL-C", "ＨＤＬコレステロール"), "mg/dL", (38.0, 90.0), 0, SERUM),
    lab("3F015000002327101", ("TG", "中性脂肪"), "mg/dL", (40.0, 234.0), 0, SERUM),
    lab("3J010000002327101", ("T-Bil", "総ビリルビン"), "mg/dL", (0.4, 1.5), 1, SERUM),
    lab("3D046000001906101", ("HbA1c-NGSP", "ＨｂＡ１ｃ（ＮＧＳＰ）"), "%", (4.9, 6.0), 1, BLOOD),
    lab("3D010000002327101", ("BG", "グルコース"), "mg/dL", (73.0, 109.0), 0, SERUM),
    lab("2A990000001930952", ("WBC", "白血球数"), "10*3/uL", (3.3, 8.6), 1, BLOOD),
    lab("2A990000001930951", ("RBC", "赤血球数"), "10*6/uL", (3.86, 5.55), 2, BLOOD),
    lab("2A030000001930901", ("Hb", "ヘモグロビン"), "g/dL", (11.6, 16.8), 1, BLOOD),
    lab("2A050000001930901", ("PLT", "血小板数"), "10*3/uL", (158.0, 348.0), 0, BLOOD),
];

const fn vital(
    loinc: &'static str,
    (display, name): (&'static str, &'static str),
    unit: &'static str,
    (mean, deviation): (f64, f64),
    decimals: u32,
) -> VitalSign {
    VitalSign { loinc, display, name, unit, mean, deviation, decimals }
}

/// Vital signs with one value; blood pressure, with two, is built apart.
pub const VITAL_SIGNS: &[VitalSign] = &[
    vital("8310-5", ("Body temperature", "体温"), "Cel", (36.6, 0.5), 1),
    vital("8867-4", ("Heart rate", "脈拍数"), "/min", (72.0, 11.0), 0),
    vital("9279-1", ("Respiratory rate", "呼吸数"), "/min", (16.0, 2.0), 0),
    vital("2708-6", ("Oxygen saturation in Arterial blood", "酸素飽和度"), "%", (97.0, 0.5), 0),
    vital("29463-7", ("Body weight", "体重"), "kg", (60.0, 10.0), 1),
    vital("8302-2", ("Body height", "身長"), "cm", (163.0, 8.0), 1),
];
