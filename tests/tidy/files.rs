//! The files of the tree, by ending; and Rust cut down to what the compiler reads.
//!
//! Cargo runs a test in its package's folder; the tree is one above it.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold nothing of ours.
const FOREIGN: [&str; 5] = ["target", ".git", ".aws-sam", "node_modules", "__pycache__"];

/// A file of the tree.
pub(crate) struct File {
    /// Its path from the root, with `/`.
    pub(crate) path: String,
    /// What it holds.
    pub(crate) text: String,
}

impl File {
    /// Whether it stands in a `src` folder of a package.
    pub(crate) fn is_source(&self) -> bool {
        self.path.ends_with(".rs") && self.path.split('/').any(|part| part == "src")
    }
}

/// The root of the tree.
pub(crate) fn root() -> PathBuf {
    std::env::current_dir().unwrap().parent().unwrap().to_owned()
}

/// The text of one file.
pub(crate) fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files whose names end so, below a folder of the tree (`""`: all of it), by path.
pub(crate) fn files(below: &str, ending: &str) -> Vec<File> {
    let mut paths = Vec::new();
    walk(&root().join(below), &mut paths);
    let mut files: Vec<File> = paths
        .into_iter()
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
            File { path, text }
        })
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!files.is_empty(), "there is no *{ending} below {below:?}: this rule sees nothing");
    files
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if entry.file_type().unwrap().is_file() {
            paths.push(entry.path());
        } else if entry.file_type().unwrap().is_dir() && !FOREIGN.iter().any(|f| name == *f) {
            walk(&entry.path(), paths);
        }
    }
}

/// Rust without comments, and with every text literal emptied. Lines stay lines.
pub(crate) fn code(rust: &str) -> String {
    let mut code = String::with_capacity(rust.len());
    let mut rest = rust;
    while let Some(first) = rest.chars().next() {
        let skipped = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => 1 + end_of_text(&rest[1..]),
            'r' if !code.ends_with(is_of_a_name) && hashes(&rest[1..]).is_some() => {
                let hashes = hashes(&rest[1..]).unwrap();
                let closing = format!("\"{}", "#".repeat(hashes));
                let opened = 2 + hashes;
                rest[opened..].find(&closing).map_or(rest.len(), |end| opened + end + closing.len())
            }
            // A quote in single quotes opens no text.
            '\'' if rest.starts_with("'\"'") => 3,
            '\'' if rest.starts_with("'\\") => 3 + rest[3..].find('\'').map_or(0, |end| end + 1),
            _ => {
                code.push(first);
                rest = &rest[first.len_utf8()..];
                continue;
            }
        };
        let (gone, after) = rest.split_at(skipped);
        if gone.ends_with(['"', '#']) {
            code.push_str("\"\"");
        }
        code.extend(gone.chars().filter(|c| *c == '\n'));
        rest = after;
    }
    code
}

/// The text literals of Rust code, as they are written, without raw ones.
pub(crate) fn literals(rust: &str) -> Vec<&str> {
    let mut literals = Vec::new();
    for line in rust.lines().filter(|line| !line.trim_start().starts_with("//")) {
        literals.extend(line.split('"').skip(1).step_by(2));
    }
    literals
}

/// Whether a character can be part of a name, as `r` is in `for`.
pub(crate) fn is_of_a_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Behind the closing quote of a text whose opening one is gone.
fn end_of_text(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// How many `#` a raw text has, if one begins here, behind its `r`.
fn hashes(text: &str) -> Option<usize> {
    let hashes = text.bytes().take_while(|byte| *byte == b'#').count();
    text[hashes..].starts_with('"').then_some(hashes)
}

#[test]
fn comments_and_texts_are_no_code() {
    #[track_caller]
    fn check(rust: &str, expected: &str) {
        assert_eq!(code(rust), expected);
    }
    check("a // host::b\nc", "a \nc");
    check("a /* b\nc */ d", "a \n d");
    check(r#"f("host::b \" c") + d"#, r#"f("") + d"#);
    check(r##"r#"a "b" c"# + d"##, r#""" + d"#);
    check(r#"for"x""#, r#"for"""#);
    check(r"'\'' a 'static", " a 'static");
    check("'\"' + \"a\"", " + \"\"");
}
