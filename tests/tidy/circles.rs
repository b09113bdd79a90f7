//! The worker runs downhill: no file of it imports one that imports it.

use std::collections::{BTreeMap, BTreeSet};

use crate::files::{code, files, is_of_a_name};

#[test]
fn no_file_of_the_worker_imports_one_that_imports_it() {
    let mut imports: BTreeMap<String, BTreeSet<String>> = files("worker/src", ".rs")
        .into_iter()
        .filter_map(|file| {
            let name = file.path.strip_prefix("worker/src/")?.strip_suffix(".rs")?.to_owned();
            (name != "main" && !name.contains('/')).then_some((name, code(&file.text)))
        })
        .map(|(name, code)| (name, imported(&code)))
        .collect();
    let modules: BTreeSet<String> = imports.keys().cloned().collect();
    for named in imports.values_mut() {
        // What is no module is an item of `lib.rs`.
        *named = named
            .iter()
            .map(|name| if modules.contains(name) { name.clone() } else { "lib".to_owned() })
            .collect();
    }
    // Takes away the files that import nothing of what is left, until none can be taken.
    while let Some(lowest) = imports.iter().find(|(_, named)| named.is_empty()) {
        let lowest = lowest.0.clone();
        imports.remove(&lowest);
        imports.values_mut().for_each(|named| {
            named.remove(&lowest);
        });
    }
    assert_eq!(imports, BTreeMap::new(), "these files import each other, or one that does");
}

/// The names that follow `crate::`, and in `lib.rs` those of its modules.
fn imported(code: &str) -> BTreeSet<String> {
    let after = |marker: &'static str| {
        code.split(marker).skip(1).map(|rest| rest.split(|c| !is_of_a_name(c)).next().unwrap())
    };
    let modules = after("\nmod ").filter(|name| *name != "tests");
    after("crate::").chain(modules).map(str::to_owned).collect()
}
