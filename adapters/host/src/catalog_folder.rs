//! The catalog as a folder: `courses/*.json` and `pathways/*.json` below `CATALOG_PATH`.
//!
//! This reads the files, in the order of their names; what they mean and what is wrong with them
//! is [`shared::catalog`]'s. Either folder may be absent, but not both: then the path is wrong.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use shared::catalog::{Catalog, CatalogFault, CatalogFile, CatalogKind};

/// A catalog that can't be had.
#[derive(Debug, thiserror::Error)]
pub enum CatalogFolderFault {
    /// There is nothing like a catalog at the path.
    #[error(
        "{} holds neither courses nor pathways; hint: set CATALOG_PATH to the folder that has \
         them", .0.display()
    )]
    NoCatalog(PathBuf),
    /// A folder or a file of it can't be read.
    #[error("{} can't be read: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The files were read, and hold errors.
    #[error("the catalog has errors: {}; hint: run `milepost catalog check`", list(.0))]
    Wrong(Vec<CatalogFault>),
}

/// Reads and checks the catalog below `folder`. With it come the warnings, which stop nobody.
///
/// # Errors
/// [`CatalogFolderFault`]; [`CatalogFolderFault::Wrong`] holds errors and warnings.
pub fn load(folder: &Path) -> Result<(Catalog, Vec<CatalogFault>), CatalogFolderFault> {
    let (catalog, faults) = Catalog::read(&files(folder)?);
    if faults.iter().any(|fault| fault.is_error) {
        return Err(CatalogFolderFault::Wrong(faults));
    }
    Ok((catalog, faults))
}

/// Reads the files below `folder`, courses first, each kind in the order of the file names.
///
/// # Errors
/// [`CatalogFolderFault::NoCatalog`] and [`CatalogFolderFault::Unreadable`].
pub fn files(folder: &Path) -> Result<Vec<CatalogFile>, CatalogFolderFault> {
    let courses = files_of(folder, "courses", CatalogKind::Course)?;
    let pathways = files_of(folder, "pathways", CatalogKind::Pathway)?;
    if courses.is_none() && pathways.is_none() {
        return Err(CatalogFolderFault::NoCatalog(folder.to_owned()));
    }
    Ok(courses.into_iter().chain(pathways).flatten().collect())
}

/// `None` when there is no such folder.
fn files_of(
    folder: &Path,
    name: &str,
    kind: CatalogKind,
) -> Result<Option<Vec<CatalogFile>>, CatalogFolderFault> {
    let folder = folder.join(name);
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| CatalogFolderFault::Unreadable { path, source }
    };
    let entries = match std::fs::read_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        entries => entries.map_err(unreadable(&folder))?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable(&folder))?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).map_err(unreadable(&path))?;
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(CatalogFile { path: format!("{name}/{file}"), kind, text })
    };
    paths.into_iter().map(read).collect::<Result<_, _>>().map(Some)
}

fn list(faults: &[CatalogFault]) -> String {
    let mut text = String::new();
    for fault in faults.iter().filter(|fault| fault.is_error) {
        let separator = if text.is_empty() { "" } else { "; " };
        // Writing to a `String` can't fail.
        let _written = write!(text, "{separator}{}: {}", fault.place, fault.what);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn the_files_come_sorted_and_only_json_counts() {
        let folder = folder(&[
            ("courses/b.json", r#"{"slug":"b","modules":["m"]}"#),
            ("courses/a.json", r#"{"slug":"a","modules":["m"]}"#),
            ("courses/notes.txt", "not ours"),
            ("pathways/p.json", r#"{"slug":"p","courses":["a","gone"]}"#),
        ]);
        let paths: Vec<String> =
            files(folder.path()).unwrap().into_iter().map(|file| file.path).collect();
        assert_eq!(paths, ["courses/a.json", "courses/b.json", "pathways/p.json"]);
        let (catalog, warnings) = load(folder.path()).unwrap();
        assert_eq!((catalog.courses.len(), catalog.pathways.len()), (2, 1));
        assert_eq!(warnings.len(), 1);
    }

    #[test]
    fn a_wrong_path_and_a_wrong_file_are_told_apart() {
        let empty = folder(&[]);
        let told = load(empty.path()).unwrap_err().to_string();
        assert!(told.contains("CATALOG_PATH"), "{told}");

        let broken = folder(&[("courses/a.json", "{")]);
        let told = load(broken.path()).unwrap_err().to_string();
        assert!(told.starts_with("the catalog has errors: courses/a.json: "), "{told}");

        let no_text = folder(&[("courses/a.json", "")]);
        std::fs::write(no_text.path().join("courses/a.json"), [0xFF]).unwrap();
        let fault = load(no_text.path()).unwrap_err();
        assert!(matches!(fault, CatalogFolderFault::Unreadable { .. }), "{fault}");
    }
}
