//! The file that a command reads, or standard input for `-`: UTF-8, or UTF-16 with a mark.
//!
//! Spreadsheets and PowerShell write UTF-16, and a mark before UTF-8. Here the first becomes UTF-8 and
//! the mark goes; all else passes as it is, for whoever reads it to judge.

use std::fs::File;
use std::io::{BufRead, BufReader, Error, ErrorKind, Read};
use std::path::Path;

use command::ending::Stopped;
use encoding_rs_io::DecodeReaderBytesBuilder;

/// The input, and its length in bytes if it has one.
///
/// # Errors
/// [`Stopped::Usage`]: it can't be read.
pub(crate) fn open(file: &Path) -> Result<(Box<dyn BufRead + Send>, Option<u64>), Stopped> {
    if file == Path::new("-") {
        return Ok((decoded(std::io::stdin()), None));
    }
    let opened = File::open(file).map_err(|error| unreadable(file, &error))?;
    let about = opened.metadata().map_err(|error| unreadable(file, &error))?;
    if about.is_dir() {
        return Err(unreadable(file, &Error::from(ErrorKind::IsADirectory)));
    }
    Ok((decoded(opened), about.is_file().then_some(about.len())))
}

/// What a fault of the input is to a command.
pub(crate) fn unreadable(file: &Path, error: &Error) -> Stopped {
    let hint = match error.kind() {
        // The text says what is wrong with the content.
        ErrorKind::InvalidData => "correct the file, and send it again",
        _ => "name a text file, or - for standard input",
    };
    Stopped::Usage(format!("{} can't be read: {error}; hint: {hint}", file.display()))
}

fn decoded(bytes: impl Read + Send + 'static) -> Box<dyn BufRead + Send> {
    let bytes = DecodeReaderBytesBuilder::new()
        .bom_sniffing(true)
        .utf8_passthru(true)
        .strip_bom(true)
        .build(bytes);
    // `DecodeReaderBytes` is its own buffer of bytes; this one cuts the text into lines.
    Box::new(BufReader::new(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: &[u8]) {
        let mut read = Vec::new();
        decoded(std::io::Cursor::new(bytes.to_vec())).read_to_end(&mut read).unwrap();
        assert_eq!(read, expected);
    }

    #[test]
    fn utf_16_becomes_utf_8_and_the_mark_goes() {
        check(b"\xff\xfea\0\xe4\0", "aä".as_bytes());
        check(b"\xfe\xff\0a\0\xe4", "aä".as_bytes());
        check("\u{feff}aä".as_bytes(), "aä".as_bytes());
    }

    #[test]
    fn what_has_no_mark_passes_as_it_is() {
        check(b"{\"a\":1}\n\xff\xfe\n", b"{\"a\":1}\n\xff\xfe\n");
        check(b"", b"");
    }
}
