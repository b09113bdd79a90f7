//! Who calls AWS, and in which region.
//!
//! In: a lookup by AWS's own variable names. Out: an [`Identity`], or the variable that is missing.
//!
//! **Invariant**: nothing here shows a secret. An identity has no `Debug`; an error names a variable.

/// Who calls AWS, and in which region. It has no `Debug`, because it holds a secret.
#[derive(Clone)]
pub struct Identity {
    /// `eu-central-1`.
    pub region: String,
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`, which comes with a role's credentials.
    pub session_token: Option<String>,
}

/// A variable that a call to AWS needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not set; hint: Lambda sets it, elsewhere export it")]
pub struct Missing(pub &'static str);

impl Identity {
    /// Reads `AWS_REGION` (or `AWS_DEFAULT_REGION`), `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and
    /// `AWS_SESSION_TOKEN`. An empty value counts as missing.
    ///
    /// # Errors
    /// [`Missing`], with the first variable that is.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, Missing> {
        let given = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let needed = |name| given(name).ok_or(Missing(name));
        Ok(Self {
            region: needed("AWS_REGION")
                .or_else(|missing| given("AWS_DEFAULT_REGION").ok_or(missing))?,
            access_key_id: needed("AWS_ACCESS_KEY_ID")?,
            secret_access_key: needed("AWS_SECRET_ACCESS_KEY")?,
            session_token: given("AWS_SESSION_TOKEN"),
        })
    }
}

/// The address to use in place of the region's: the service's own variable, else
/// `AWS_ENDPOINT_URL`.
pub fn endpoint(lookup: &dyn Fn(&str) -> Option<String>, variable: &str) -> Option<String> {
    let given = |name: &str| lookup(name).filter(|value| !value.is_empty());
    given(variable).or_else(|| given("AWS_ENDPOINT_URL"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

    #[test]
    fn an_empty_variable_counts_as_missing_and_is_named() {
        for empty in NAMES {
            let lookup = |name: &str| match name {
                "AWS_DEFAULT_REGION" => None,
                name if name == empty => Some(String::new()),
                name => Some(format!("value of {name}")),
            };
            assert_eq!(Identity::from_lookup(&lookup).err(), Some(Missing(empty)));
        }
    }

    #[test]
    fn the_default_region_is_taken_where_there_is_none_of_its_own() {
        let lookup = |name: &str| (name != "AWS_REGION").then(|| format!("value of {name}"));
        let identity = Identity::from_lookup(&lookup).map(|identity| identity.region);
        assert_eq!(identity.as_deref(), Ok("value of AWS_DEFAULT_REGION"));
    }

    #[test]
    fn an_endpoint_of_the_service_comes_before_the_endpoint_of_all() {
        let only = |set: &'static [&'static str]| {
            endpoint(&|name| set.contains(&name).then(|| name.to_owned()), "AWS_ENDPOINT_URL_SSM")
        };
        let (own, all) = ("AWS_ENDPOINT_URL_SSM", "AWS_ENDPOINT_URL");
        assert_eq!(only(&["AWS_ENDPOINT_URL_SSM", "AWS_ENDPOINT_URL"]).as_deref(), Some(own));
        assert_eq!(only(&["AWS_ENDPOINT_URL"]).as_deref(), Some(all));
        assert_eq!(only(&[]), None);
    }
}
