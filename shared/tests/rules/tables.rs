//! Names that others rely on, and sums.

use serde_json::json;
use shared::event::EventName;
use shared::event_definitions::label;
use shared::journal::{Figure, Line, LogLevel};
use shared::limits::{is_key, is_listable, units};
use shared::ports::Depth;
use shared::properties::names_to_read;

#[test]
fn a_figure_has_the_name_of_its_variant_and_a_unit() {
    for figure in Figure::ALL {
        assert_eq!(figure.name(), format!("{figure:?}"));
        let unit = match figure {
            Figure::CoalescingRatio => "None",
            Figure::OldestEventAge | Figure::TimeToCrm => "Seconds",
            _ => "Count",
        };
        assert_eq!(figure.unit(), unit, "{figure:?}");
    }
}

#[test]
fn a_line_holds_what_it_was_given() {
    let line = Line::new(LogLevel::Warn, "slow").with("wait_ms", 5).with("contact", "g");
    assert_eq!((line.level, line.message.as_ref()), (LogLevel::Warn, "slow"));
    assert_eq!(json!(line.fields), json!({"contact": "g", "wait_ms": 5}));
}

#[test]
fn the_depth_of_a_queue_counts_every_message_once() {
    assert_eq!(Depth { visible: 5, in_flight: 3, delayed: 2 }.total(), 10);
}

#[test]
fn what_is_read_of_a_contact_tells_who_it_is_and_all_that_is_ours() {
    let expected = [
        "email",
        "hs_additional_emails",
        "hhl_enrolled_courses",
        "hhl_completed_courses",
        "hhl_total_progress",
        "hhl_last_activity",
        "hhl_progress_state",
        "hhl_progress_updated_at",
        "hhl_progress_summary",
        "hhl_last_viewed_type",
        "hhl_last_viewed_slug",
        "hhl_last_viewed_at",
    ];
    assert_eq!(names_to_read(), expected);
}

#[test]
fn an_event_is_called_in_reports_as_it_is_on_the_wire_in_words() {
    for event in EventName::ALL {
        assert_eq!(label(event).to_lowercase(), event.as_str().replace('_', " "));
    }
}

#[test]
fn a_length_is_counted_as_javascript_counts_it() {
    assert_eq!(["", "ab", "ü", "\u{1F956}"].map(units), [0, 2, 1, 2]);
}

#[test]
fn a_slug_breaks_neither_a_list_nor_the_state() {
    for text in ["", "a b", "ü🥐", "a:b,c", "$serde"] {
        assert!(is_listable(text) && is_key(text), "{text}");
    }
    for text in ["a;b", ";", "a\nb", "\u{7F}", "\u{85}"] {
        assert!(!is_listable(text), "{text}");
    }
    assert!(!is_key("$serde_json::private::Number"));
}
