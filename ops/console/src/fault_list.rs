//! The simulator's faults on the page, each with its switch.

use maud::{Markup, html};
use simulator::Portal;

use crate::access::Visitor;
use crate::faults::{Fault, others};
use crate::page::csrf_field;

/// The section of the faults.
pub(crate) fn section(portal: &Portal, visitor: &Visitor) -> Markup {
    html! {
        h2 { "Faults of the simulator" }
        p.note { "Switch one on and watch what happens to the events. Nothing is lost." }
        ul.faults {
            @for fault in Fault::ALL { (switch(fault, fault.is_on(portal), visitor)) }
        }
        @match others(portal) {
            0 => {},
            count => p.note { (count) " more in force, set through the simulator's admin API." },
        }
    }
}

fn switch(fault: Fault, is_on: bool, visitor: &Visitor) -> Markup {
    let (title, effect) = fault.title();
    let key = fault.key();
    let verb = if is_on { "off" } else { "on" };
    html! {
        li.on[is_on] {
            div { strong { (title) } small { (effect) } }
            form method="post" action="/console/fault" {
                (csrf_field(visitor))
                input type="hidden" name="fault" value=(key);
                button.button id={ "fault-" (key) } name="on" value=(!is_on)
                    aria-label={ "Switch " (verb) ": " (title) } { "Switch " (verb) }
            }
        }
    }
}
