//! Names that others rely on, and sums.

use serde_json::json;
use shared::event::EventName;
use shared::event_definitions::label;
use shared::journal::{ContactWritten, Figure, Line, LogLevel};
use shared::limits::{invisible_edge, is_plain, units};
use shared::ports::Depth;
use shared::properties::names_to_read;
use shared::slug::{Slug, SlugFault};

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
fn a_written_contact_is_one_info_line() {
    let mut contact = ContactWritten {
        group: Some("g".into()),
        record_id: "101".into(),
        is_new: true,
        events: 3,
        event_names: ["learning_module_started", "learning_module_completed"].into(),
        properties: vec!["hhl_progress_state".into(), "hhl_total_progress".into()],
        state_chars: 77,
        correlation_id: Some("c-1".into()),
    };
    let line = Line::from(contact.clone());
    let events = "learning_module_completed, learning_module_started";
    assert_eq!(line.message, format!("Track event (persisted via properties) {events}"));
    assert_eq!(line.level, LogLevel::Info);
    let fields = json!({"contact": "g", "contact_id": "101", "created": true, "events": 3,
        "properties": "hhl_progress_state,hhl_total_progress", "state_chars": 77,
        "correlation_id": "c-1"});
    assert_eq!(json!(line.fields), fields);
    // A repair has no event.
    contact.event_names.clear();
    assert_eq!(Line::from(contact).message, "Contact recomputed from its state");
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
fn a_slug_has_no_edges_of_white_space_and_nothing_that_breaks_a_list() {
    for (text, slug) in
        [("a b", "a b"), (" ü🥐\u{2029}", "ü🥐"), ("a:b,c\t", "a:b,c"), ("$x", "$x")]
    {
        assert_eq!(Slug::parse(text).unwrap().as_str(), slug);
    }
    for text in ["a;b", ";", "a\nb", "a\u{7F}", "a\u{85}b", "a\u{200F}", "\u{61C}a"] {
        assert_eq!(Slug::parse(text), Err(SlugFault::Character), "{text:?}");
    }
    assert_eq!(Slug::parse(" \u{3000}"), Err(SlugFault::Empty));
    assert_eq!(Slug::parse(&"🥐".repeat(101)), Err(SlugFault::TooLong));
    assert!(Slug::parse(&format!(" {} ", "🥐".repeat(100))).is_ok());
    assert_eq!(Slug::parse_pathway(" courses "), Err(SlugFault::Reserved));
    assert!(Slug::parse("courses").is_ok() && Slug::parse_pathway("Courses").is_ok());
}

#[test]
fn every_bidirectional_formatting_character_is_found() {
    let found: Vec<char> =
        ('\0'..=char::MAX).filter(|c| !c.is_control() && !is_plain(&c.to_string())).collect();
    let bidi_control = "\u{61C}\u{200E}\u{200F}\u{202A}\u{202B}\u{202C}\u{202D}\u{202E}\
                        \u{2066}\u{2067}\u{2068}\u{2069}";
    assert_eq!(found, bidi_control.chars().collect::<Vec<_>>());
}

#[test]
fn an_invisible_character_is_seen_at_an_edge_only() {
    for (text, edge) in [
        ("\u{FEFF}ab", Some('\u{FEFF}')),
        ("ab\u{200B}", Some('\u{200B}')),
        ("a\u{200D}b", None),
        ("a❤\u{FE0F}", None),
        ("", None),
    ] {
        assert_eq!(invisible_edge(text), edge, "{text:?}");
    }
}
