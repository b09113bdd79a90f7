//! Values as HTML, and what every page of the console has around it.
//!
//! **Invariant**: whatever comes from outside is written through [`Escaped`].

use std::fmt::{Display, Formatter, Result, Write as _};
use std::time::Duration;

/// Text that can't be taken for HTML.
pub struct Escaped<'a>(pub &'a str);

/// A number with its thousands apart.
pub struct Count(pub u64);

/// A span of time, to the unit that matters.
pub struct Span(pub Duration);

/// A list of slugs, each on its own.
pub struct Slugs<'a>(pub &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

impl Display for Count {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let digits = self.0.to_string();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                f.write_char(',')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}

impl Display for Span {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.0.as_secs() {
            seconds @ 0..120 => write!(f, "{seconds} s"),
            seconds @ 120..7_200 => write!(f, "{} min", seconds / 60),
            seconds @ 7_200..172_800 => write!(f, "{} h", seconds / 3_600),
            seconds => write!(f, "{} d", seconds / 86_400),
        }
    }
}

impl Display for Slugs<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.0
            .split(';')
            .filter(|slug| !slug.is_empty())
            .try_for_each(|slug| write!(f, "<span class=\"slug\">{}</span> ", Escaped(slug)))
    }
}

/// A page, begun. `head` is what its head has beside the rest.
pub fn begin(title: &str, head: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{}</title><link rel=\"stylesheet\" href=\"/console/page.css\">\
         <link rel=\"icon\" href=\"data:,\">{head}</head><body>",
        Escaped(title)
    )
}

/// The end of every page.
pub const END: &str = "</body></html>\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_for_people() {
        assert_eq!(Escaped("<a b='c'>&\"").to_string(), "&lt;a b=&#39;c&#39;&gt;&amp;&quot;");
        let count = |count: u64| Count(count).to_string();
        assert_eq!(
            [count(0), count(999), count(1_234), count(1_234_567)].join(" "),
            "0 999 1,234 1,234,567"
        );
        let span = |s| Span(Duration::from_secs(s)).to_string();
        assert_eq!(
            [span(0), span(119), span(120), span(7_200), span(172_800)].join(", "),
            "0 s, 119 s, 2 min, 2 h, 2 d"
        );
        assert_eq!(
            Slugs("a;;<b>").to_string(),
            "<span class=\"slug\">a</span> <span class=\"slug\">&lt;b&gt;</span> "
        );
    }
}
