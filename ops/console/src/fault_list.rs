//! The simulator's faults on the page, each with its switch.

use std::fmt::Write as _;

use crate::access::Visitor;
use crate::faults::{Fault, others};
use crate::html::Escaped;
use simulator::Portal;

/// Writes the switches.
pub(crate) fn write(page: &mut String, portal: &Portal, visitor: &Visitor) {
    page.push_str(
        "<h2>Faults of the simulator</h2><p class=\"note\">Switch one on and watch what happens to the \
         events. Nothing is lost.</p><ul class=\"faults\">",
    );
    for fault in Fault::ALL {
        let (title, what) = fault.title();
        let is_on = fault.is_on(portal);
        // Writing to a `String` can't fail, here and below.
        let _written = write!(
            page,
            "<li{mood}><div><strong>{title}</strong><small>{what}</small></div>\
             <form method=\"post\" action=\"/console/fault\"><input type=\"hidden\" name=\"word\" \
             value=\"{session}\"><input type=\"hidden\" name=\"fault\" value=\"{word}\">\
             <button class=\"button\" id=\"fault-{word}\" name=\"on\" value=\"{next}\" \
             aria-label=\"Switch {verb}: {title}\">Switch {verb}</button></form></li>",
            mood = if is_on { " class=\"on\"" } else { "" },
            session = Escaped(&visitor.word),
            word = fault.word(),
            next = !is_on,
            verb = if is_on { "off" } else { "on" },
        );
    }
    page.push_str("</ul>");
    match others(portal) {
        0 => {}
        count => {
            let _written = write!(
                page,
                "<p class=\"note\">{count} more in force, set through the simulator's admin API.</p>"
            );
        }
    }
}
