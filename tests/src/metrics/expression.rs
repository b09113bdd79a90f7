//! Metric math: `IF`, `FILL`, `AND`, `OR`, comparisons, the four operations, numbers and ids.
//!
//! Evaluated for one period at a time; what is missing makes missing all that is made of it, but for
//! `FILL`. Everything else that CloudWatch knows is refused, so that a template that uses it fails
//! here and not in the account.

/// The value of an expression for one period, with these values of its inputs.
///
/// # Errors
/// What can't be read of it.
pub(super) fn evaluate(
    text: &str,
    input: &dyn Fn(&str) -> Option<f64>,
) -> Result<Option<f64>, String> {
    let mut reader = Reader { rest: text, input };
    let value = reader.operation(0)?;
    match reader.rest.trim() {
        "" => Ok(value),
        rest => Err(format!("{rest:?} is left of {text:?}")),
    }
}

/// Operators, the loosest first; longer ones before those that they begin with.
const LEVELS: [&[&str]; 5] =
    [&["OR"], &["AND"], &[">=", "<=", "==", "!=", ">", "<"], &["+", "-"], &["*", "/"]];

struct Reader<'a> {
    rest: &'a str,
    input: &'a dyn Fn(&str) -> Option<f64>,
}

impl Reader<'_> {
    fn operation(&mut self, level: usize) -> Result<Option<f64>, String> {
        let Some(operators) = LEVELS.get(level) else { return self.operand() };
        let mut left = self.operation(level + 1)?;
        while let Some(operator) = operators.iter().find(|one| self.takes(one)) {
            let right = self.operation(level + 1)?;
            left = left.zip(right).map(|(left, right)| apply(operator, left, right));
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<Option<f64>, String> {
        if self.takes("(") {
            let value = self.operation(0)?;
            self.expect(")")?;
            return Ok(value);
        }
        self.rest = self.rest.trim_start();
        let length = self.rest.find(|c: char| !c.is_alphanumeric() && !"_.".contains(c));
        let (word, rest) = self.rest.split_at(length.unwrap_or(self.rest.len()));
        self.rest = rest;
        match word {
            "" => Err(format!("no value before {:?}", self.rest)),
            "FILL" => match self.arguments()?[..] {
                [value, with] => Ok(value.or(with)),
                _ => Err("FILL takes two".into()),
            },
            "IF" => match self.arguments()?[..] {
                [is_so, then, otherwise] => {
                    Ok(is_so.and_then(|is_so| if is_so == 0.0 { otherwise } else { then }))
                }
                _ => Err("IF takes three".into()),
            },
            number if number.starts_with(|c: char| c.is_ascii_digit()) => {
                number.parse().map(Some).map_err(|_| format!("{number} is no number"))
            }
            // An id begins with a small letter; what does not is a function that is not known here.
            id if id.starts_with(|c: char| c.is_ascii_lowercase()) => Ok((self.input)(id)),
            function => Err(format!("{function} is not known here")),
        }
    }

    fn arguments(&mut self) -> Result<Vec<Option<f64>>, String> {
        self.expect("(")?;
        let mut arguments = vec![self.operation(0)?];
        while self.takes(",") {
            arguments.push(self.operation(0)?);
        }
        self.expect(")")?;
        Ok(arguments)
    }

    fn takes(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.takes(token) { Ok(()) } else { Err(format!("no {token} before {:?}", self.rest)) }
    }
}

fn apply(operator: &str, left: f64, right: f64) -> f64 {
    let truth = |is_so: bool| f64::from(u8::from(is_so));
    match operator {
        "OR" => truth(left != 0.0 || right != 0.0),
        "AND" => truth(left != 0.0 && right != 0.0),
        ">=" => truth(left >= right),
        "<=" => truth(left <= right),
        "==" => truth(left == right),
        "!=" => truth(left != right),
        ">" => truth(left > right),
        "<" => truth(left < right),
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        _ => left / right,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_has_the_value_that_cloudwatch_gives_it() {
        #[track_caller]
        fn check(text: &str, expected: Option<f64>) {
            let input = |id: &str| match id {
                "two" => Some(2.0),
                "none" => None,
                other => panic!("no input {other}"),
            };
            assert_eq!(evaluate(text, &input), Ok(expected), "{text}");
        }
        check("two", Some(2.0));
        check("none", None);
        check("two + none", None);
        check("FILL(none, 0) + FILL(two, 0)", Some(2.0));
        check("1 + two * 3 - 4 / 2", Some(5.0));
        check("(1 + two) * 3", Some(9.0));
        check("IF(FILL(two, 0) > 0 AND FILL(none, 0) == 0, 1, 0)", Some(1.0));
        check("IF(two < 0 OR two != 2, 1, 0.5)", Some(0.5));
        check("IF(none > 0, 1, 0)", None);
    }

    #[test]
    fn what_is_not_known_here_is_refused() {
        for text in ["RATE(two)", "two +", "FILL(two)", "IF(two, 1)", "two two", "(two", "2x", ""] {
            assert!(evaluate(text, &|_| Some(2.0)).is_err(), "{text}");
        }
    }
}
