//! The HubSpot properties that Milepost owns, as one table: names, labels, types, options, groups.
//!
//! `milepost properties create` makes what is missing of it, `check` compares a portal with it,
//! the client asks for exactly these, the simulator can be set up from it.

/// `hhl_enrolled_courses`: course slugs, joined by `;`.
pub const ENROLLED_COURSES: &str = "hhl_enrolled_courses";
/// `hhl_completed_courses`: course slugs, joined by `;`.
pub const COMPLETED_COURSES: &str = "hhl_completed_courses";
/// `hhl_total_progress`: the number of completed modules.
pub const TOTAL_PROGRESS: &str = "hhl_total_progress";
/// `hhl_last_activity`: a UTC date.
pub const LAST_ACTIVITY: &str = "hhl_last_activity";
/// `hhl_progress_state`: the state JSON.
pub const PROGRESS_STATE: &str = "hhl_progress_state";
/// `hhl_progress_updated_at`: a UTC date.
pub const PROGRESS_UPDATED_AT: &str = "hhl_progress_updated_at";
/// `hhl_progress_summary`: the state in words.
pub const PROGRESS_SUMMARY: &str = "hhl_progress_summary";
/// `hhl_last_viewed_type`: one of [`VIEWED_TYPES`].
pub const LAST_VIEWED_TYPE: &str = "hhl_last_viewed_type";
/// `hhl_last_viewed_slug`.
pub const LAST_VIEWED_SLUG: &str = "hhl_last_viewed_slug";
/// `hhl_last_viewed_at`: an instant.
pub const LAST_VIEWED_AT: &str = "hhl_last_viewed_at";

/// HubSpot's own: the primary e-mail.
pub const EMAIL: &str = "email";
/// HubSpot's own: the secondary e-mails, joined by `;`, read-only.
pub const ADDITIONAL_EMAILS: &str = "hs_additional_emails";
/// HubSpot's own: set once, on a contact that Milepost creates.
pub const LIFECYCLE_STAGE: &str = "lifecyclestage";
/// The stage of a contact that Milepost creates.
pub const LIFECYCLE_STAGE_NEW: &str = "lead";

/// The longest text that HubSpot keeps in a string property, in characters. The figure is commonly
/// cited and documented for notes only; the state is never written past it.
pub const TEXT_CHARS_MAX: usize = 65_536;

/// The options of `hhl_last_viewed_type`. Another type is activity only: HubSpot would refuse a
/// whole batch for it.
pub const VIEWED_TYPES: [&str; 3] = ["course", "module", "pathway"];

/// A property group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// Internal name.
    pub name: &'static str,
    /// What HubSpot's settings show.
    pub label: &'static str,
}

/// A contact property as HubSpot defines one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Property {
    /// Internal name.
    pub name: &'static str,
    /// What HubSpot's settings show.
    pub label: &'static str,
    /// HubSpot's `type`.
    pub kind: &'static str,
    /// Further types that serve as well: some portals made the property as one of these.
    pub kinds_also_right: &'static [&'static str],
    /// HubSpot's `fieldType`.
    pub field: &'static str,
    /// The group it stands in.
    pub group: &'static str,
    /// The options of an enumeration, as value and label.
    pub options: &'static [(&'static str, &'static str)],
    /// What it holds, for whoever reads the portal's settings.
    pub description: &'static str,
}

/// The groups, in the order in which they are made.
pub const GROUPS: [Group; 2] = [
    Group { name: "learning_milestones", label: "Learning Milestones" },
    Group { name: "learning_program_properties", label: "Learning Program Properties" },
];

/// The properties, in the order in which they are made.
pub const PROPERTIES: [Property; 10] = [
    Property {
        name: ENROLLED_COURSES,
        label: "HHL Enrolled Courses",
        kind: "string",
        kinds_also_right: &[],
        field: "textarea",
        group: "learning_milestones",
        options: &[],
        description: "Slugs of the courses the contact is enrolled in, joined by semicolons.",
    },
    Property {
        name: COMPLETED_COURSES,
        label: "HHL Completed Courses",
        kind: "string",
        kinds_also_right: &[],
        field: "textarea",
        group: "learning_milestones",
        options: &[],
        description: "Slugs of the courses the contact has completed, joined by semicolons.",
    },
    Property {
        name: TOTAL_PROGRESS,
        label: "HHL Total Progress",
        kind: "number",
        kinds_also_right: &[],
        field: "number",
        group: "learning_milestones",
        options: &[],
        description: "How many modules the contact has completed.",
    },
    Property {
        name: LAST_ACTIVITY,
        label: "HHL Last Activity",
        kind: "date",
        kinds_also_right: &[],
        field: "date",
        group: "learning_milestones",
        options: &[],
        description: "The UTC date of the contact's latest learning event.",
    },
    Property {
        name: PROGRESS_STATE,
        label: "HHL Progress State",
        kind: "string",
        kinds_also_right: &[],
        field: "textarea",
        group: "learning_program_properties",
        options: &[],
        description: "Pathways, courses and modules with their times, as JSON.",
    },
    Property {
        name: PROGRESS_UPDATED_AT,
        label: "HHL Progress Updated At",
        kind: "date",
        kinds_also_right: &["datetime"],
        field: "date",
        group: "learning_program_properties",
        options: &[],
        description: "The UTC date of the contact's latest learning event.",
    },
    Property {
        name: PROGRESS_SUMMARY,
        label: "HHL Progress Summary",
        kind: "string",
        kinds_also_right: &[],
        field: "text",
        group: "learning_program_properties",
        options: &[],
        description: "The progress state in words.",
    },
    Property {
        name: LAST_VIEWED_TYPE,
        label: "HHL Last Viewed Type",
        kind: "enumeration",
        kinds_also_right: &[],
        field: "select",
        group: "learning_program_properties",
        options: &[("course", "Course"), ("module", "Module"), ("pathway", "Pathway")],
        description: "What kind of page the contact viewed last.",
    },
    Property {
        name: LAST_VIEWED_SLUG,
        label: "HHL Last Viewed Slug",
        kind: "string",
        kinds_also_right: &[],
        field: "text",
        group: "learning_program_properties",
        options: &[],
        description: "Slug of the page the contact viewed last.",
    },
    Property {
        name: LAST_VIEWED_AT,
        label: "HHL Last Viewed At",
        kind: "datetime",
        kinds_also_right: &[],
        field: "date",
        group: "learning_program_properties",
        options: &[],
        description: "When the contact viewed that page.",
    },
];

/// What the worker reads of a contact: the table, and what tells who the contact is.
pub fn names_to_read() -> Vec<&'static str> {
    let mut names = vec![EMAIL, ADDITIONAL_EMAILS];
    names.extend(PROPERTIES.iter().map(|property| property.name));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_viewed_types_are_the_options_of_their_property() {
        let property = PROPERTIES.iter().find(|p| p.name == LAST_VIEWED_TYPE).unwrap();
        let values: Vec<&str> = property.options.iter().map(|(value, _)| *value).collect();
        assert_eq!(values, VIEWED_TYPES);
    }

    #[test]
    fn every_property_stands_in_a_group_of_the_table() {
        for property in PROPERTIES {
            assert!(GROUPS.iter().any(|group| group.name == property.group), "{}", property.name);
        }
    }
}
