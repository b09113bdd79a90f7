//! Plots as SVG, for the pages that benches fill.
//!
//! In: named series of points and two axes. Out: a text that needs no script, no font and no other
//! file, and that follows the reader's choice of dark or light. Each series is named beside its last
//! point, in its own colour and with its own dashes, so that nobody needs to see colours.
//!
//! **Invariant**: the same numbers make the same bytes, so a plot changes only with its figures.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

/// A picture of some series over one axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    /// What it shows, above it.
    pub title: String,
    /// From left to right.
    pub x: Axis,
    /// From bottom to top.
    pub y: Axis,
    /// The lines, at most as many as there are styles to tell them apart (6).
    pub series: Vec<Series>,
}

/// One axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What it counts, with its unit.
    pub label: String,
    /// How its values are spread.
    pub scale: Scale,
}

/// How values are spread along an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// Evenly, from 0.
    Linear,
    /// By their logarithm, with a mark at powers of this base (2 or 10). Values that have no
    /// logarithm are not drawn.
    Log(f64),
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What is written beside it.
    pub name: String,
    /// Its points, in the order in which they are joined.
    pub points: Vec<(f64, f64)>,
}

/// The colours of the series on a light and on a dark ground, and their dashes.
const STYLES: [(&str, &str, &str); 6] = [
    ("#0b63b0", "#6cb6ff", "none"),
    ("#b3410e", "#f0905f", "7 3"),
    ("#22702f", "#6bc46d", "2 3"),
    ("#7b3fb5", "#c297ff", "9 3 2 3"),
    ("#8a6100", "#d9b23a", "12 4"),
    ("#5a6470", "#a3adb8", "4 2 1 2"),
];

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 180.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 56.0;
/// Lines of text that stand closer than this can't be read.
const LINE: f64 = 15.0;
/// More marks than this on an axis are thinned.
const MARKS_MAX: usize = 8;

impl Plot {
    /// The folder of the plots that the pages show.
    pub fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("docs").join("plots")
    }

    /// Writes the picture as `docs/plots/NAME.svg`, and gives its path.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn write(&self, name: &str) -> io::Result<PathBuf> {
        let path = Self::folder().join(format!("{name}.svg"));
        std::fs::create_dir_all(Self::folder())?;
        std::fs::write(&path, self.svg())?;
        Ok(path)
    }

    /// The picture.
    pub fn svg(&self) -> String {
        let x = self.x.range(self.points().map(|(x, _)| x));
        let y = self.y.range(self.points().map(|(_, y)| y));
        let across = |value| LEFT + x.place(value) * (WIDTH - LEFT - RIGHT);
        let up = |value| HEIGHT - BOTTOM - y.place(value) * (HEIGHT - TOP - BOTTOM);
        let mut parts = vec![head(&self.title)];
        for mark in y.marks() {
            let at = up(mark);
            let number = short(mark);
            parts.push(format!(
                r#"<path class="grid" d="M{LEFT} {at:.1}H{:.1}"/><text x="{:.1}" y="{:.1}" text-anchor="end">{number}</text>"#,
                WIDTH - RIGHT,
                LEFT - 8.0,
                at + 4.0,
            ));
        }
        for mark in x.marks() {
            let at = across(mark);
            let number = short(mark);
            parts.push(format!(
                r#"<path class="grid" d="M{at:.1} {TOP}V{:.1}"/><text x="{at:.1}" y="{:.1}" text-anchor="middle">{number}</text>"#,
                HEIGHT - BOTTOM,
                HEIGHT - BOTTOM + 18.0,
            ));
        }
        parts.push(format!(
            r#"<text x="{:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
            LEFT + (WIDTH - LEFT - RIGHT) / 2.0,
            HEIGHT - 12.0,
            escaped(&self.x.label),
        ));
        parts.push(format!(
            r#"<text transform="translate(18 {:.1}) rotate(-90)" text-anchor="middle">{}</text>"#,
            TOP + (HEIGHT - TOP - BOTTOM) / 2.0,
            escaped(&self.y.label),
        ));
        let mut names = Vec::new();
        for (nth, series) in self.series.iter().enumerate() {
            let shown = series.points.iter().filter(|(px, py)| x.shows(*px) && y.shows(*py));
            let places: Vec<(f64, f64)> = shown.map(|(px, py)| (across(*px), up(*py))).collect();
            let style = nth % STYLES.len();
            let mut line = String::new();
            for (nth, (across, up)) in places.iter().enumerate() {
                let pen = if nth == 0 { 'M' } else { 'L' };
                let _never_fails = write!(line, "{pen}{across:.1} {up:.1}");
                parts.push(format!(
                    r#"<circle class="s{style}" cx="{across:.1}" cy="{up:.1}" r="2.5"/>"#
                ));
            }
            parts.push(format!(r#"<path class="line s{style}" d="{line}"/>"#));
            if let Some((_, up)) = places.last() {
                names.push((*up, style, escaped(&series.name)));
            }
        }
        names.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut above = f64::MIN;
        for (wanted, style, name) in names {
            above = f64::max(wanted, above + LINE);
            parts.push(format!(
                r#"<text class="name s{style}" x="{:.1}" y="{:.1}">{name}</text>"#,
                WIDTH - RIGHT + 10.0,
                above + 4.0,
            ));
        }
        parts.push("</svg>\n".to_owned());
        parts.join("\n")
    }

    fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        self.series.iter().flat_map(|series| series.points.iter().copied())
    }
}

/// An axis with its two ends.
struct Range {
    scale: Scale,
    from: f64,
    to: f64,
}

impl Axis {
    /// An axis from 0.
    pub fn linear(label: &str) -> Self {
        Self { label: label.to_owned(), scale: Scale::Linear }
    }

    /// An axis whose marks stand at powers of this base.
    pub fn log(label: &str, base: f64) -> Self {
        Self { label: label.to_owned(), scale: Scale::Log(base) }
    }

    fn range(&self, values: impl Iterator<Item = f64>) -> Range {
        let scale = self.scale;
        match scale {
            Scale::Linear => {
                let most = values.fold(0.0, f64::max);
                let to = if most > 0.0 { most } else { 1.0 };
                let step = step(to);
                Range { scale, from: 0.0, to: (to / step).ceil() * step }
            }
            Scale::Log(base) => {
                let drawn: Vec<f64> = values.filter(|value| *value > 0.0).collect();
                let least = drawn.iter().copied().fold(f64::MAX, f64::min).min(1e300);
                let most = drawn.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
                let from = base.powf((least.log(base) + 1e-9).floor());
                let to = base.powf((most.log(base) - 1e-9).ceil());
                Range { scale, from, to: if to > from { to } else { from * base } }
            }
        }
    }
}

impl Series {
    /// A line of this name.
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self { name: name.into(), points: points.into_iter().collect() }
    }
}

impl Range {
    /// Where a value stands, as a share of the axis.
    fn place(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.from) / (self.to - self.from),
            Scale::Log(_) => (value / self.from).ln() / (self.to / self.from).ln(),
        }
    }

    fn shows(&self, value: f64) -> bool {
        value.is_finite() && (value > 0.0 || self.scale == Scale::Linear)
    }

    fn marks(&self) -> Vec<f64> {
        let all: Vec<f64> = match self.scale {
            Scale::Linear => {
                let step = step(self.to);
                let count = (self.to / step).round() as usize;
                (0..=count).map(|nth| nth as f64 * step).collect()
            }
            Scale::Log(base) => {
                let first = self.from.log(base).round() as i32;
                let last = self.to.log(base).round() as i32;
                (first..=last).map(|power| base.powi(power)).collect()
            }
        };
        let every = all.len().div_ceil(MARKS_MAX);
        all.into_iter().step_by(every).collect()
    }
}

/// The distance of marks, 1, 2 or 5 times a power of ten, that cuts this length into 3 to 7 parts.
fn step(length: f64) -> f64 {
    let power = 10_f64.powf((length / 5.0).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power);
    steps.into_iter().find(|step| length / step <= 7.0).unwrap_or(10.0 * power)
}

/// A number as a mark shows it.
fn short(value: f64) -> String {
    let (divisor, unit) = match value {
        _ if value >= 1e6 => (1e6, " M"),
        _ if value >= 1e4 => (1e3, " k"),
        _ => (1.0, ""),
    };
    // Sums of a step are no exact decimals.
    let number = (value / divisor * 1e6).round() / 1e6;
    format!("{number}{unit}")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn head(title: &str) -> String {
    let title = escaped(title);
    let mut light = String::new();
    let mut dark = String::new();
    for (nth, (on_light, on_dark, dashes)) in STYLES.iter().enumerate() {
        let _never_fails = write!(
            light,
            ".s{nth}{{stroke:{on_light};fill:{on_light}}}.line.s{nth}{{stroke-dasharray:{dashes}}}"
        );
        let _never_fails = write!(dark, ".s{nth}{{stroke:{on_dark};fill:{on_dark}}}");
    }
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{}">
<style>
.ground{{fill:#fff}}text{{font:12px sans-serif;fill:#24292f}}.title{{font-size:14px;font-weight:600}}.grid{{stroke:#d8dee4}}
{light}
@media (prefers-color-scheme:dark){{.ground{{fill:#0d1117}}text{{fill:#e6edf3}}.grid{{stroke:#30363d}}{dark}}}
.line,.grid{{fill:none}}.line{{stroke-width:2}}.name{{stroke:none}}
</style>
<rect class="ground" width="{WIDTH}" height="{HEIGHT}" rx="6"/>
<text class="title" x="{LEFT}" y="24">{title}</text>"#,
        title.replace('"', "&quot;"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throughput() -> Plot {
        Plot {
            title: "events/s & more".into(),
            x: Axis::log("connections", 2.0),
            y: Axis::linear("events per second"),
            series: vec![
                Series::new("a", [(1.0, 100.0), (2.0, 190.0), (64.0, 1_000.0)]),
                Series::new("b", [(0.0, 5.0), (1.0, 90.0), (64.0, 1_000.0)]),
            ],
        }
    }

    #[test]
    fn marks_stand_at_round_numbers() {
        #[track_caller]
        fn check(axis: Axis, values: &[f64], marks: &[&str]) {
            let range = axis.range(values.iter().copied());
            let found: Vec<String> = range.marks().into_iter().map(short).collect();
            assert_eq!(found, marks);
            for value in values.iter().filter(|value| range.shows(**value)) {
                assert!((0.0..=1.0).contains(&range.place(*value)), "{value} is off the axis");
            }
        }
        let linear = Axis::linear("");
        check(linear.clone(), &[9.0, 1_000.0], &["0", "200", "400", "600", "800", "1000"]);
        check(linear.clone(), &[0.31], &["0", "0.05", "0.1", "0.15", "0.2", "0.25", "0.3", "0.35"]);
        check(linear.clone(), &[36_000.0], &["0", "10 k", "20 k", "30 k", "40 k"]);
        check(linear, &[], &["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        check(Axis::log("", 2.0), &[1.0, 64.0], &["1", "2", "4", "8", "16", "32", "64"]);
        check(Axis::log("", 10.0), &[0.0, 1_000.0, 2e6], &["1000", "10 k", "100 k", "1 M", "10 M"]);
        check(Axis::log("", 10.0), &[7.0], &["1", "10"]);
    }

    #[test]
    fn every_point_that_the_axes_can_show_is_drawn() {
        let svg = throughput().svg();
        // The logarithm of 0 connections can't be.
        assert_eq!(svg.matches("<circle").count(), 5);
        assert!(svg.contains(">a</text>") && svg.contains(">b</text>"), "{svg}");
        assert!(svg.contains("events/s &amp; more"), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn names_of_lines_that_end_together_can_be_read() {
        let svg = throughput().svg();
        let lines = svg.lines().filter(|line| line.contains("class=\"name"));
        let heights: Vec<f64> = lines
            .map(|line| line.split("y=\"").nth(1).unwrap().split('"').next().unwrap())
            .map(|height| height.parse().unwrap())
            .collect();
        assert_eq!(heights.len(), 2);
        assert!(heights[1] - heights[0] >= LINE, "{heights:?}");
    }
}
