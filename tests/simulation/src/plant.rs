//! Planted bugs: a copy of the sources in which each place of `planted/bugs.toml` can go wrong.
//!
//! The product's sources hold no switch. A bug is a text to find, exactly once, and what stands
//! there instead; the copy asks [`planted::on`] at each of them. A text that is found no more is an
//! error: whoever changes the place looks at its bug again.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Deserialize;

/// The list of bugs.
const BUGS: &str = include_str!("../planted/bugs.toml");
/// What a copy needs nothing of.
const LEFT_OUT: [&str; 5] = ["target", ".git", "node_modules", "fuzz", ".ci"];

/// A bug that the simulation must find.
#[derive(Debug, Clone, Deserialize)]
pub struct Bug {
    /// What it does wrong.
    pub name: String,
    /// The family in which it is looked for.
    pub family: String,
    /// Where it is planted.
    file: String,
    /// The text there.
    find: String,
    /// What stands there instead; `BUG` in it says whether the bug is in force.
    put: String,
}

#[derive(Deserialize)]
struct List {
    bug: Vec<Bug>,
}

/// All bugs.
///
/// # Errors
/// When the list can't be read.
pub fn bugs() -> anyhow::Result<Vec<Bug>> {
    Ok(toml::from_str::<List>(BUGS).context("bugs.toml")?.bug)
}

/// Copies the workspace and plants all bugs in the copy.
///
/// # Errors
/// When a file can't be read or written, or a bug's place is not there exactly once.
pub fn plant(workspace: &Path, copy: &Path) -> anyhow::Result<()> {
    let mut patched = patched(workspace)?;
    for manifest in ["shared", "worker", "adapters/hubspot", "ingest"] {
        let path = workspace.join(manifest).join("Cargo.toml");
        let text = fs::read_to_string(&path)?;
        let up = "../".repeat(manifest.split('/').count());
        let line =
            format!("[dependencies]\nplanted = {{ path = \"{up}tests/simulation/planted\" }}\n");
        patched.push((path, text.replacen("[dependencies]\n", &line, 1)));
    }
    // Another version makes other packages of them, so that no build takes one for the other.
    let path = workspace.join("Cargo.toml");
    let text = fs::read_to_string(&path)?;
    patched.push((path, text.replacen("version = \"0.1.0\"", "version = \"0.1.0-planted\"", 1)));
    copy_folder(workspace, copy, &patched)
}

/// The sources with all bugs in them.
///
/// # Errors
/// When a file can't be read, or a bug's place is not there exactly once.
pub fn patched(workspace: &Path) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let mut patched: Vec<(PathBuf, String)> = Vec::new();
    for bug in bugs()? {
        let path = workspace.join(&bug.file);
        let place = match patched.iter().position(|(one, _)| *one == path) {
            Some(place) => place,
            None => {
                let text = fs::read_to_string(&path).with_context(|| bug.file.clone())?;
                patched.push((path, text));
                patched.len() - 1
            }
        };
        let text = &mut patched[place].1;
        let found = text.matches(&bug.find).count();
        if found != 1 {
            bail!("{}: the text of {:?} is there {found} times, not once", bug.file, bug.name);
        }
        let put = bug.put.replace("BUG", &format!("::planted::on({:?})", bug.name));
        *text = text.replace(&bug.find, &put);
    }
    Ok(patched)
}

fn copy_folder(from: &Path, to: &Path, patched: &[(PathBuf, String)]) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if LEFT_OUT.iter().any(|left_out| name == *left_out) {
            continue;
        }
        let target = to.join(name);
        if path.is_dir() {
            copy_folder(&path, &target, patched)?;
            continue;
        }
        let text = match patched.iter().find(|(one, _)| *one == path) {
            Some((_, text)) => text.clone().into_bytes(),
            None => fs::read(&path)?,
        };
        // What did not change keeps its time, so that it need not be built again.
        if fs::read(&target).ok().as_ref() != Some(&text) {
            fs::write(&target, text)?;
        }
    }
    Ok(())
}
