//! The services that are called: how each is named in signatures, addresses and variables.

use shared::settings::Lookup;

/// A service that is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Systems Manager, for its parameter store.
    Ssm,
    /// Lambda.
    Lambda,
    /// CloudWatch.
    CloudWatch,
}

/// The partitions with a domain of their own, by the beginning of their regions' names.
const DOMAINS: [(&str, &str); 6] = [
    ("cn-", "amazonaws.com.cn"),
    ("eusc-", "amazonaws.eu"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("us-isof-", "csp.hci.ic.gov"),
];

impl Service {
    /// Its name in signatures and in addresses.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ssm => "ssm",
            Self::Lambda => "lambda",
            Self::CloudWatch => "monitoring",
        }
    }

    /// The variable that names another address than the region's.
    pub fn endpoint_variable(self) -> &'static str {
        match self {
            Self::Ssm => "AWS_ENDPOINT_URL_SSM",
            Self::Lambda => "AWS_ENDPOINT_URL_LAMBDA",
            Self::CloudWatch => "AWS_ENDPOINT_URL_CLOUDWATCH",
        }
    }

    /// The address that the environment names, without a slash at its end: the service's variable,
    /// else `AWS_ENDPOINT_URL`.
    pub fn endpoint_given(self, lookup: Lookup<'_>) -> Option<String> {
        let url = aws::endpoint(lookup, self.endpoint_variable())?;
        Some(url.trim_end_matches('/').to_owned())
    }

    /// AWS's own address in a region: `https://ssm.eu-central-1.amazonaws.com`.
    pub fn endpoint_in(self, region: &str) -> String {
        let domain = DOMAINS.iter().find(|(begin, _)| region.starts_with(begin));
        let domain = domain.map_or("amazonaws.com", |(_, domain)| domain);
        format!("https://{}.{region}.{domain}", self.name())
    }

    /// The content type of its JSON protocol.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Ssm => "application/x-amz-json-1.1",
            Self::Lambda | Self::CloudWatch => "application/x-amz-json-1.0",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_has_the_domain_of_its_partition() {
        #[track_caller]
        fn check(region: &str, expected: &str) {
            assert_eq!(
                Service::Ssm.endpoint_in(region),
                format!("https://ssm.{region}.{expected}")
            );
        }
        check("eu-central-1", "amazonaws.com");
        check("us-gov-west-1", "amazonaws.com");
        check("cn-north-1", "amazonaws.com.cn");
        check("eusc-de-east-1", "amazonaws.eu");
        check("us-iso-east-1", "c2s.ic.gov");
        check("us-isob-east-1", "sc2s.sgov.gov");
        let metrics = Service::CloudWatch.endpoint_in("eu-west-1");
        assert_eq!(metrics, "https://monitoring.eu-west-1.amazonaws.com");
    }

    #[test]
    fn an_endpoint_of_the_service_comes_first_and_loses_its_last_slash() {
        let lookup = |name: &str| match name {
            "AWS_ENDPOINT_URL_SSM" => Some("http://127.0.0.1:1/".to_owned()),
            "AWS_ENDPOINT_URL" => Some("http://127.0.0.1:2".to_owned()),
            _ => None,
        };
        let given = |service: Service| service.endpoint_given(&lookup);
        assert_eq!(given(Service::Ssm).as_deref(), Some("http://127.0.0.1:1"));
        assert_eq!(given(Service::Lambda).as_deref(), Some("http://127.0.0.1:2"));
        assert_eq!(Service::Ssm.endpoint_given(&|_| None), None);
    }
}
