//! The closed lists: FHIR types, data categories, labels, purposes, link states (`access-rules.md`, "Words").

macro_rules! closed_list {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $n:literal => $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, minicbor::Encode, minicbor::Decode, serde::Serialize, serde::Deserialize)]
        #[cbor(index_only)]
        pub enum $name { $($(#[$vdoc])* #[n($n)] #[serde(rename = $text)] $variant),+ }
        impl $name {
            /// All members, in the order of their stored numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The text used in FHIR, policies and settings.
            pub const fn as_str(self) -> &'static str { match self { $(Self::$variant => $text),+ } }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(self.as_str()) }
        }
        impl std::str::FromStr for $name {
            type Err = crate::ids::IdError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text { $($text => Ok(Self::$variant),)+ _ => Err(crate::ids::IdError(stringify!($name))) }
            }
        }
    };
}

closed_list!(
    /// The FHIR R4 types that the door accepts. The numbers are stored: never change one.
    ResourceType {
        Patient = 0 => "Patient", Coverage = 1 => "Coverage", Claim = 2 => "Claim", ClaimResponse = 3 => "ClaimResponse",
        ExplanationOfBenefit = 4 => "ExplanationOfBenefit", MedicationRequest = 5 => "MedicationRequest",
        MedicationDispense = 6 => "MedicationDispense", MedicationAdministration = 7 => "MedicationAdministration",
        MedicationStatement = 8 => "MedicationStatement", Medication = 9 => "Medication", Immunization = 10 => "Immunization",
        Condition = 11 => "Condition", AllergyIntolerance = 12 => "AllergyIntolerance", Observation = 13 => "Observation",
        Specimen = 14 => "Specimen", DiagnosticReport = 15 => "DiagnosticReport", Procedure = 16 => "Procedure",
        Encounter = 17 => "Encounter", CarePlan = 18 => "CarePlan", CareTeam = 19 => "CareTeam", Goal = 20 => "Goal",
        ServiceRequest = 21 => "ServiceRequest", Device = 22 => "Device", ImagingStudy = 23 => "ImagingStudy",
        DocumentReference = 24 => "DocumentReference", Composition = 25 => "Composition", Bundle = 26 => "Bundle",
        Binary = 27 => "Binary", Consent = 28 => "Consent", Provenance = 29 => "Provenance",
        RelatedPerson = 30 => "RelatedPerson", SupplyDelivery = 31 => "SupplyDelivery",
        Organization = 32 => "Organization", Practitioner = 33 => "Practitioner",
        PractitionerRole = 34 => "PractitionerRole", Location = 35 => "Location",
    }
);

impl ResourceType {
    /// Commons belong to no person: organisations, professionals, their roles and places.
    pub const fn is_commons(self) -> bool {
        matches!(self, Self::Organization | Self::Practitioner | Self::PractitionerRole | Self::Location)
    }
}

closed_list!(
    /// What kind of data an item is; every type and code maps to one, unmapped is refused.
    Category {
        Elig = 0 => "ELIG", Cert = 1 => "CERT", Cost = 2 => "COST", Demo = 3 => "DEMO", Address = 4 => "ADDRESS",
        Safety = 5 => "SAFETY", Med = 6 => "MED", Checkup = 7 => "CHECKUP", Claims = 8 => "CLAIMS", Surg = 9 => "SURG",
        Ehr = 10 => "EHR", Doc = 11 => "DOC", Vacc = 12 => "VACC", Note = 13 => "NOTE", Consent = 14 => "CONSENT",
        Log = 15 => "LOG",
    }
);

closed_list!(
    /// Security labels of an item, put on at ingest. `N` (normal) is the absence of all others.
    Label {
        RestrictedEth = 0 => "ETH", RestrictedEthUd = 1 => "ETHUD", RestrictedOpioidUd = 2 => "OPIOIDUD",
        RestrictedPsy = 3 => "PSY", RestrictedSdv = 4 => "SDV", RestrictedHiv = 5 => "HIV", RestrictedSex = 6 => "SEX",
        /// R without a reason given.
        Restricted = 7 => "R",
        /// Only the person.
        Sealed = 8 => "SEALED",
        /// A diagnosis that the person has not been told.
        Untold = 9 => "UNTOLD",
        /// Not yet handed to the person.
        NotProvided = 10 => "NOTPROV",
        /// Keep long.
        KeepLong = 11 => "LTS",
    }
);

impl Label {
    /// The labels that "all" never covers: each must be ticked, or the practitioner named (R12).
    pub const fn is_restricted(self) -> bool {
        (self as u8) <= (Self::Restricted as u8)
    }
}

closed_list!(
    /// HL7 v3 PurposeOfUse, the ones that any rule names. Every request has exactly one.
    Purpose {
        Treat = 0 => "TREAT", Etreat = 1 => "ETREAT", Btg = 2 => "BTG", Disaster = 3 => "DISASTER", Patrqt = 4 => "PATRQT",
        Famrqt = 5 => "FAMRQT", Pwatrny = 6 => "PWATRNY", Eligver = 7 => "ELIGVER", Hpaymt = 8 => "HPAYMT",
        Pubhlth = 9 => "PUBHLTH", Hresch = 10 => "HRESCH", Donat = 11 => "DONAT", Hlegal = 12 => "HLEGAL",
        Hcompl = 13 => "HCOMPL", Recordmgt = 14 => "RECORDMGT", Hsysadmin = 15 => "HSYSADMIN",
    }
);

closed_list!(
    /// State of the link between a person and the shelf.
    LinkState {
        Ok = 0 => "ok", Suspect = 1 => "suspect", Quarantined = 2 => "quarantined", Split = 3 => "split",
        Merged = 4 => "merged", Frozen = 5 => "frozen", Deceased = 6 => "deceased", Erased = 7 => "erased",
        Provisional = 8 => "provisional",
    }
);

closed_list!(
    /// Log topics (`architecture.md`, "Four ports").
    Topic {
        Person = 0 => "person", Identity = 1 => "identity", Commons = 2 => "commons", Authority = 3 => "authority",
        Access = 4 => "access", Verdict = 5 => "verdict",
    }
);

closed_list!(
    /// What an actor does; part of the decision's input.
    Action {
        Read = 0 => "read", Search = 1 => "search", Export = 2 => "export", Check = 3 => "check", Create = 4 => "create",
        Update = 5 => "update", Delete = 6 => "delete", OpenVisit = 7 => "open_visit", CloseVisit = 8 => "close_visit",
        GiveConsent = 9 => "give_consent", WithdrawConsent = 10 => "withdraw_consent", ReadLog = 11 => "read_log",
        Object = 12 => "object", CancelCheck = 13 => "cancel_check",
    }
);

closed_list!(
    /// Kinds of entries in the access log.
    AccessKind {
        Read = 0 => "read", Search = 1 => "search", Export = 2 => "export", Write = 3 => "write", Denied = 4 => "denied",
        Automatic = 5 => "automatic", Consent = 6 => "consent", Emergency = 7 => "emergency", Disaster = 8 => "disaster",
        WrongLink = 9 => "wrong-link", LogRead = 10 => "log-read",
    }
);
pub(crate) use closed_list;
