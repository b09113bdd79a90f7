//! Figures by the minute, as CloudWatch would have them of an hour or two.
//!
//! **Invariant**: what nobody wrote in a minute is missing there, and is not zero.
#![expect(clippy::unwrap_used, reason = "a statistic that is not known here fails its test")]

use std::collections::BTreeMap;

use super::Metric;

/// Recorded figures.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    /// The minutes that it has.
    pub minutes: usize,
    values: BTreeMap<Metric, BTreeMap<usize, Vec<f64>>>,
}

/// What becomes of the values of a period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Statistic {
    Sum,
    Average,
    Minimum,
    Maximum,
    /// A percentile, in hundredths.
    Percentile(f64),
}

impl Statistic {
    pub(super) fn named(name: &str) -> Self {
        match name {
            "Sum" => Self::Sum,
            "Average" => Self::Average,
            "Minimum" => Self::Minimum,
            "Maximum" => Self::Maximum,
            percentile => Self::Percentile(percentile.strip_prefix('p').unwrap().parse().unwrap()),
        }
    }

    fn of(self, mut values: Vec<f64>) -> Option<f64> {
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let count = values.len() as f64;
        Some(match self {
            Self::Sum => values.iter().sum(),
            Self::Average => values.iter().sum::<f64>() / count,
            Self::Minimum => least,
            Self::Maximum => most,
            Self::Percentile(share) => {
                let rank = (share / 100.0 * count).ceil().max(1.0);
                values[rank as usize - 1]
            }
        })
    }
}

impl Recording {
    /// One more value in this minute.
    pub fn add(&mut self, metric: &Metric, minute: usize, value: f64) {
        self.minutes = self.minutes.max(minute + 1);
        self.values.entry(metric.clone()).or_default().entry(minute).or_default().push(value);
    }

    /// These values in each of these minutes, in place of what was there.
    pub fn fill(
        &mut self,
        metric: &Metric,
        minutes: impl IntoIterator<Item = usize>,
        values: &[f64],
    ) {
        let by_minute = self.values.entry(metric.clone()).or_default();
        by_minute.extend(minutes.into_iter().map(|minute| (minute, values.to_vec())));
    }

    /// The statistic of the nth period of so many minutes; `None` where it has no value.
    pub(super) fn value(
        &self,
        metric: &Metric,
        statistic: Statistic,
        period_min: usize,
        nth: usize,
    ) -> Option<f64> {
        let by_minute = self.values.get(metric)?;
        let within = by_minute.range(nth * period_min..(nth + 1) * period_min);
        statistic.of(within.flat_map(|(_, values)| values.iter().copied()).collect())
    }
}
