//! Who is in a portal: the whole list by pages, and a search for those who hold some property.
//!
//! The list is what is there, in the order of record ids. The search goes over an index that is
//! seconds behind, has a limit of its own (five a second for the whole portal) and shows the first
//! [`SEARCH_RESULTS_MAX`] only; so it brings record ids to read, and serves a sample and nothing else.

use http::Method;
use serde::Serialize;

use crate::call::Call;
use crate::client::{Client, percent_encoded, with_addresses};
use crate::contact::Contact;
use crate::fault::CallFault;
use crate::wire::{self, ContactPage};

/// How many contacts a page of the list has at most.
pub const PAGE_MAX: usize = 100;
/// How many results HubSpot shows of one search, however many there are.
pub const SEARCH_RESULTS_MAX: u64 = 10_000;
/// HubSpot's own: the record id, as a property.
const RECORD_ID: &str = "hs_object_id";

/// A page of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// In the order of record ids.
    pub contacts: Vec<Contact>,
    /// What asks for the page after it; `None` at the end.
    pub next: Option<String>,
}

/// What a search shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hits {
    /// How many there are, beyond what is shown.
    pub total: u64,
    /// Record ids, ascending.
    pub ids: Vec<String>,
}

/// Whom to search for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Search<'a> {
    /// Who holds any of these properties: at most five, as many filter groups as HubSpot allows.
    pub holding: &'a [&'a str],
    /// From this record id on.
    pub least_id: u64,
    /// After so many of them.
    pub skip: u64,
    /// At most so many, up to 200.
    pub hits_max: u32,
    /// With the largest record id first.
    pub is_backwards: bool,
}

impl Client {
    /// A page of all contacts, from `after` on: `None`, or what a page before gave as its next.
    ///
    /// # Errors
    /// As every read: see [`CallFault`].
    pub async fn list(&self, after: Option<&str>, properties: &[&str]) -> Result<Page, CallFault> {
        let mut path = format!(
            "{}?limit={PAGE_MAX}&properties={}",
            self.version.contacts(),
            with_addresses(properties).join(",")
        );
        if let Some(after) = after {
            path.push_str("&after=");
            path.push_str(&percent_encoded(after));
        }
        let answer = self.call(Call::read(Method::GET, path)).await?;
        let page: ContactPage = wire::read(&answer)?;
        Ok(Page { next: page.next(), contacts: page.contacts(properties) })
    }

    /// The record ids of contacts that hold something. The caller keeps to five searches a second.
    ///
    /// # Errors
    /// As every read: see [`CallFault`].
    pub async fn search(&self, search: Search<'_>) -> Result<Hits, CallFault> {
        let least_id = search.least_id.to_string();
        let filter_groups = search.holding.iter().map(|property| FilterGroup {
            filters: [
                Filter { property_name: property, operator: "HAS_PROPERTY", value: None },
                Filter { property_name: RECORD_ID, operator: "GTE", value: Some(&least_id) },
            ],
        });
        let direction = if search.is_backwards { "DESCENDING" } else { "ASCENDING" };
        let body = wire::body(&SearchBody {
            filter_groups: filter_groups.collect(),
            properties: [RECORD_ID],
            sorts: [Sort { property_name: RECORD_ID, direction }],
            limit: search.hits_max,
            after: search.skip.to_string(),
        })?;
        let path = format!("{}/search", self.version.contacts());
        let answer = self.call(Call::read(Method::POST, path).with_body(body)).await?;
        let page: ContactPage = wire::read(&answer)?;
        let total = page.total.unwrap_or_default();
        let ids = page.contacts(&[]).into_iter().map(|contact| contact.id).collect();
        Ok(Hits { total, ids })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SearchBody<'a> {
    filter_groups: Vec<FilterGroup<'a>>,
    properties: [&'a str; 1],
    sorts: [Sort<'a>; 1],
    limit: u32,
    after: String,
}

#[derive(Serialize)]
struct FilterGroup<'a> {
    filters: [Filter<'a>; 2],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Filter<'a> {
    property_name: &'a str,
    operator: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sort<'a> {
    property_name: &'a str,
    direction: &'static str,
}
