//! The version of HubSpot's API that a call speaks, and what differs by version.

/// The API version in a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `v3`, the version before the dated ones.
    V3,
    /// `2025-09`.
    D2025_09,
    /// `2026-03`.
    D2026_03,
    /// `2026-09`.
    D2026_09,
}

impl Version {
    /// The dated version that a segment of a path names.
    pub fn dated(segment: &str) -> Option<Self> {
        match segment {
            "2025-09" => Some(Self::D2025_09),
            "2026-03" => Some(Self::D2026_03),
            "2026-09" => Some(Self::D2026_09),
            _ => None,
        }
    }

    /// From 2026-09 on dates are normalized instead of refused.
    pub fn is_lenient(self) -> bool {
        self == Self::D2026_09
    }

    /// From 2026-09 on an administrator's rules bind API writes.
    pub fn binds_rules(self) -> bool {
        self == Self::D2026_09
    }
}
