//! The example catalog, compiled in: `milepost local` has courses wherever it is started.
//!
//! It is the repository's `catalog/`, file by file.

use shared::catalog::{CatalogFile, CatalogKind};

const FILES: [(CatalogKind, &str, &str); 9] = [
    (
        CatalogKind::Course,
        "courses/advanced-networking.json",
        include_str!("../../catalog/courses/advanced-networking.json"),
    ),
    (
        CatalogKind::Course,
        "courses/bgp-evpn-essentials.json",
        include_str!("../../catalog/courses/bgp-evpn-essentials.json"),
    ),
    (
        CatalogKind::Course,
        "courses/fabric-operations.json",
        include_str!("../../catalog/courses/fabric-operations.json"),
    ),
    (
        CatalogKind::Course,
        "courses/getting-started-101.json",
        include_str!("../../catalog/courses/getting-started-101.json"),
    ),
    (
        CatalogKind::Course,
        "courses/linux-networking-refresher.json",
        include_str!("../../catalog/courses/linux-networking-refresher.json"),
    ),
    (
        CatalogKind::Course,
        "courses/network-as-code.json",
        include_str!("../../catalog/courses/network-as-code.json"),
    ),
    (
        CatalogKind::Pathway,
        "pathways/fabric-engineer.json",
        include_str!("../../catalog/pathways/fabric-engineer.json"),
    ),
    (
        CatalogKind::Pathway,
        "pathways/hedgehog-fundamentals.json",
        include_str!("../../catalog/pathways/hedgehog-fundamentals.json"),
    ),
    (
        CatalogKind::Pathway,
        "pathways/network-automation.json",
        include_str!("../../catalog/pathways/network-automation.json"),
    ),
];

/// The files, as a folder would hold them.
pub(crate) fn files() -> Vec<CatalogFile> {
    FILES
        .iter()
        .map(|(kind, path, text)| CatalogFile {
            path: (*path).to_owned(),
            kind: *kind,
            text: (*text).to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use shared::catalog::Catalog;

    use super::*;

    #[test]
    fn what_is_compiled_in_is_the_folder_and_nothing_is_wrong_with_it() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog");
        assert_eq!(files(), host::catalog_folder::files(&folder).unwrap());
        let (_, faults) = Catalog::read(&files());
        assert_eq!(faults, []);
    }
}
