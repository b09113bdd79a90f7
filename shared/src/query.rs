//! A URL's query as parameters: `a=1&b=x%20y` → names and values.
//!
//! `%XX` is a byte, and everything else stands for itself, `+` too: of all that is asked, nothing
//! has a space that a form would write as `+`, and addresses and slugs do have a `+`. What can't be
//! decoded stays as it is, and bytes that aren't UTF-8 become replacement characters; validation
//! then refuses them by name.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

/// The parameters of a raw query; of a repeated one, the last.
pub fn parameters(raw: &str) -> BTreeMap<String, String> {
    raw.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_percent_decoded_and_a_plus_stands_for_itself() {
        #[track_caller]
        fn check(raw: &str, expected: &[(&str, &str)]) {
            let expected = expected.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
            assert_eq!(parameters(raw), expected.collect());
        }
        check("", &[]);
        check(
            "email=ada%40example.org&type=course",
            &[("email", "ada@example.org"), ("type", "course")],
        );
        check("email=ada+news@example.org", &[("email", "ada+news@example.org")]);
        check("slug=a+b%2Bc%20d", &[("slug", "a+b+c d")]);
        check("slug=1&slug=2&", &[("slug", "2")]);
        check("slug", &[("slug", "")]);
        check("slug=100%&x=%zz%4", &[("slug", "100%"), ("x", "%zz%4")]);
        check("slug=%C3%BC%FF", &[("slug", "ü\u{FFFD}")]);
    }
}
