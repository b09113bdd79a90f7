//! A URL's query as parameters: `a=1&b=x%20y` → names and values.
//!
//! As browsers write forms: `+` is a space, `%XX` a byte. What can't be decoded stays as it is, and
//! bytes that are no UTF-8 become replacement characters; validation then refuses them by name.

use std::collections::BTreeMap;

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
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = after;
                }
                _ => bytes.push(b'%'),
            },
            (b'+', _) => bytes.push(b' '),
            (other, _) => bytes.push(*other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded_as_browsers_write_it() {
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
        check("slug=a+b%2Bc", &[("slug", "a b+c")]);
        check("slug=1&slug=2&", &[("slug", "2")]);
        check("slug", &[("slug", "")]);
        check("slug=100%&x=%zz%4", &[("slug", "100%"), ("x", "%zz%4")]);
        check("slug=%C3%BC%FF", &[("slug", "ü\u{FFFD}")]);
    }
}
