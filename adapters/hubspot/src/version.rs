//! The API version, and the paths that follow from it.
//!
//! HubSpot moved the version behind the product's name with its dated releases: `v3` has it before
//! the object (`/crm/v3/objects/…`), `2026-09` after (`/crm/objects/2026-09/…`).
//!
//! **Invariant**: no other module spells a path's beginning.

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDate;

/// A version of HubSpot's API that Milepost speaks: `HUBSPOT_API_VERSION`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ApiVersion {
    /// `2026-09`, generally available since September 2026. A portal's own validation rules bind
    /// API writes from here on.
    #[default]
    V2026_09,
    /// `2026-03`.
    V2026_03,
    /// `v3`: unsupported from September 2027.
    V3,
}

/// A text that names no version of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no API version of HubSpot's is called {0:?}; hint: use 2026-09, 2026-03 or v3")]
pub struct UnknownVersion(String);

impl FromStr for ApiVersion {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        match text {
            "2026-09" => Ok(Self::V2026_09),
            "2026-03" => Ok(Self::V2026_03),
            "v3" => Ok(Self::V3),
            other => Err(UnknownVersion(other.to_owned())),
        }
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V2026_09 => "2026-09",
            Self::V2026_03 => "2026-03",
            Self::V3 => "v3",
        })
    }
}

impl ApiVersion {
    /// The first day on which HubSpot may not support it any more: a dated version has at least 18
    /// months from its general availability (30 March 2026 and 8 September 2026), and the end of
    /// `v3` is announced for September 2027.
    pub fn supported_until(self) -> NaiveDate {
        let (year, month, day) = match self {
            Self::V2026_09 => (2028, 3, 8),
            Self::V2026_03 => (2027, 9, 30),
            Self::V3 => (2027, 9, 1),
        };
        NaiveDate::from_ymd_opt(year, month, day).unwrap_or(NaiveDate::MAX)
    }

    /// Where contacts are: single records below it, `/batch/read` and the like too.
    pub fn contacts(self) -> String {
        match self {
            Self::V3 => "/crm/v3/objects/contacts".to_owned(),
            dated => format!("/crm/objects/{dated}/contacts"),
        }
    }

    /// Where the definitions of contact properties are.
    pub fn properties(self) -> String {
        match self {
            Self::V3 => "/crm/v3/properties/contacts".to_owned(),
            dated => format!("/crm/properties/{dated}/contacts"),
        }
    }

    /// Where the groups of contact properties are.
    pub fn groups(self) -> String {
        format!("{}/groups", self.properties())
    }

    /// Where custom events are: `/send/batch` and `/event-definitions` below it. `2026-03` has no
    /// `custom` in it, and `2026-09` has it again.
    pub fn events(self) -> String {
        match self {
            Self::V2026_09 => format!("/events/custom/{self}"),
            Self::V2026_03 | Self::V3 => format!("/events/{self}"),
        }
    }

    /// Where the portal's time zone and usage are. Here the version stands in one place.
    pub fn account_info(self) -> String {
        format!("/account-info/{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_its_own_order_of_path_segments() {
        #[track_caller]
        fn check(version: &str, paths: [&str; 5]) {
            let parsed: ApiVersion = version.parse().unwrap();
            assert_eq!(parsed.to_string(), version);
            let of_version = [
                parsed.contacts(),
                parsed.properties(),
                parsed.groups(),
                parsed.events(),
                parsed.account_info(),
            ];
            assert_eq!(of_version, paths);
        }
        check(
            "2026-09",
            [
                "/crm/objects/2026-09/contacts",
                "/crm/properties/2026-09/contacts",
                "/crm/properties/2026-09/contacts/groups",
                "/events/custom/2026-09",
                "/account-info/2026-09",
            ],
        );
        check(
            "2026-03",
            [
                "/crm/objects/2026-03/contacts",
                "/crm/properties/2026-03/contacts",
                "/crm/properties/2026-03/contacts/groups",
                "/events/2026-03",
                "/account-info/2026-03",
            ],
        );
        check(
            "v3",
            [
                "/crm/v3/objects/contacts",
                "/crm/v3/properties/contacts",
                "/crm/v3/properties/contacts/groups",
                "/events/v3",
                "/account-info/v3",
            ],
        );
    }

    #[test]
    fn an_unknown_version_is_refused_with_the_known_ones() {
        for text in ["", "v4", "2025-09", "V3", "latest"] {
            let error = text.parse::<ApiVersion>().unwrap_err().to_string();
            assert!(error.contains("hint: use 2026-09, 2026-03 or v3"), "{error}");
        }
    }
}
