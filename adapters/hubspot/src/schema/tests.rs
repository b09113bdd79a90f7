//! Portals that differ from the table, one difference each.

use shared::properties::{LAST_VIEWED_TYPE, PROPERTIES};

use super::*;

fn portal() -> Vec<PropertyDefinition> {
    let definition = |our: &Property| PropertyDefinition {
        name: our.name.to_owned(),
        label: our.label.to_owned(),
        kind: our.kind.to_owned(),
        field: our.field.to_owned(),
        group: our.group.to_owned(),
        options: options_with(&[], our.options),
        calculated: false,
        modification: Modification::default(),
    };
    PROPERTIES.iter().map(definition).collect()
}

#[test]
fn a_portal_is_compared_by_type_field_and_options() {
    #[track_caller]
    fn check(change: impl FnOnce(&mut Vec<PropertyDefinition>), differences: &[&str]) {
        let mut portal = portal();
        change(&mut portal);
        let found = compare(&portal, &PROPERTIES);
        let found: Vec<String> = found.iter().map(|d| format!("{d} {}", d.hinders())).collect();
        assert_eq!(found.len(), differences.len(), "{found:?}");
        for (found, beginning) in found.iter().zip(differences) {
            let (text, hinders) = beginning.rsplit_once(' ').unwrap();
            assert!(found.starts_with(text) && found.ends_with(hinders), "{found}");
        }
    }
    fn of<'a>(portal: &'a mut [PropertyDefinition], name: &str) -> &'a mut PropertyDefinition {
        portal.iter_mut().find(|definition| definition.name == name).unwrap()
    }
    check(|_| {}, &[]);
    check(|portal| portal.reverse(), &[]);
    check(|portal| drop(portal.remove(0)), &["hhl_enrolled_courses is not defined true"]);
    check(
        |portal| of(portal, "hhl_total_progress").kind = "string".to_owned(),
        &["hhl_total_progress is of type string, not number true"],
    );
    check(|portal| of(portal, "hhl_progress_updated_at").kind = "datetime".to_owned(), &[]);
    check(
        |portal| of(portal, "hhl_progress_summary").field = "textarea".to_owned(),
        &["hhl_progress_summary has the field type textarea, not text false"],
    );
    check(
        |portal| drop(of(portal, LAST_VIEWED_TYPE).options.pop()),
        &["hhl_last_viewed_type lacks the option pathway true"],
    );
    check(
        |portal| of(portal, "hhl_last_activity").modification.read_only_value = true,
        &["hhl_last_activity is read-only true"],
    );
    check(
        |portal| of(portal, "hhl_last_activity").calculated = true,
        &["hhl_last_activity is read-only true"],
    );
}

#[test]
fn a_null_in_a_definition_hides_nothing() {
    let bare = r#"{"name":"x","label":null,"type":"string","fieldType":null,"groupName":null,"options":null,"calculated":null,"modificationMetadata":null,"displayOrder":null}"#;
    let bare: PropertyDefinition = serde_json::from_str(bare).unwrap();
    assert_eq!((bare.name.as_str(), bare.options.len()), ("x", 0));
}

#[test]
fn completing_options_keeps_what_the_portal_says_of_the_others() {
    let theirs = r#"{"name":"hhl_last_viewed_type","label":"Type","type":"enumeration","fieldType":"select","groupName":"g","options":[{"label":"Kurs","value":"course","description":"of ours","displayOrder":4,"hidden":true}],"modificationMetadata":{"archivable":true,"readOnlyDefinition":false,"readOnlyValue":false}}"#;
    let theirs: PropertyDefinition = serde_json::from_str(theirs).unwrap();
    let ours = PROPERTIES.iter().find(|our| our.name == LAST_VIEWED_TYPE).unwrap();
    let options = options_with(&theirs.options, &missing_options(&theirs, ours));
    let sent: Value = serde_json::to_value(options).unwrap();
    assert_eq!(
        sent,
        serde_json::json!([
            {"label": "Kurs", "value": "course", "description": "of ours", "displayOrder": 4, "hidden": true},
            {"label": "Module", "value": "module", "displayOrder": 1, "hidden": false},
            {"label": "Pathway", "value": "pathway", "displayOrder": 2, "hidden": false},
        ])
    );
}
