//! Plots as SVG, for the pages that benches fill: `plotters` draws, this says what and in which style.
//!
//! In: named series of points and two axes. Out: a text that needs no script, no font and no other
//! file, and that follows the reader's choice of dark or light. Each series is named beside its last
//! point, in its own color and with its own dashes, so that nobody needs to see colors.
//!
//! **Invariant**: the same numbers make the same bytes, so a plot changes only with its figures.

use std::fmt::Display;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use plotters::prelude::*;

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

/// The colors of the series on a light and on a dark ground, and their dashes.
const STYLES: [(RGBColor, &str, &str); 6] = [
    (RGBColor(0x0b, 0x63, 0xb0), "#6cb6ff", "none"),
    (RGBColor(0xb3, 0x41, 0x0e), "#f0905f", "7 3"),
    (RGBColor(0x22, 0x70, 0x2f), "#6bc46d", "2 3"),
    (RGBColor(0x7b, 0x3f, 0xb5), "#c297ff", "9 3 2 3"),
    (RGBColor(0x8a, 0x61, 0x00), "#d9b23a", "12 4"),
    (RGBColor(0x5a, 0x64, 0x70), "#a3adb8", "4 2 1 2"),
];
const INK: RGBColor = RGBColor(0x24, 0x29, 0x2f);
const GRID: RGBColor = RGBColor(0xd8, 0xde, 0xe4);
/// Ink, grid and ground for those who read on a dark ground.
const DARK: &str =
    "text{fill:#e6edf3}[stroke=\"#D8DEE4\"]{stroke:#30363d}[fill=\"#FFFFFF\"]{fill:#0d1117}";

const SIZE: (u32, u32) = (760, 400);
/// Where the names of the series stand, right of the axes.
const NAMES: u32 = 180;
/// Lines of text that are closer than this can't be read.
const LINE: i32 = 15;
/// The most marks on an axis.
const MARKS_MAX: usize = 8;

impl Plot {
    /// The folder of the plots that the pages show.
    pub fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("docs").join("plots")
    }

    /// Writes the picture as `docs/plots/NAME.svg`, and gives its path.
    ///
    /// # Errors
    /// When the picture can't be drawn or the file can't be written.
    pub fn write(&self, name: &str) -> io::Result<PathBuf> {
        let path = Self::folder().join(format!("{name}.svg"));
        std::fs::create_dir_all(Self::folder())?;
        std::fs::write(&path, self.svg()?)?;
        Ok(path)
    }

    /// The picture.
    ///
    /// # Errors
    /// When it can't be drawn.
    pub fn svg(&self) -> io::Result<String> {
        let mut drawn = String::new();
        self.draw(&SVGBackend::with_string(&mut drawn, SIZE).into_drawing_area())?;
        // The library gives every mark its color as an attribute, over which a style sheet wins.
        let label = format!("<svg role=\"img\" aria-label=\"{}\" ", escaped(&self.title));
        let head = drawn.replacen("<svg ", &label, 1);
        Ok(head.replacen(">\n", &format!(">\n{}\n", style_sheet()), 1))
    }

    fn draw(&self, area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> io::Result<()> {
        let text = ("sans-serif", 12).into_font().color(&INK);
        let points = || self.series.iter().flat_map(|series| series.points.iter());
        let across = self.x.range(points().map(|(x, _)| *x));
        let up = self.y.range(points().map(|(_, y)| *y));
        area.fill(&WHITE).map_err(failed)?;
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, ("sans-serif", 15).into_font().color(&INK))
            .margin(12)
            .margin_right(NAMES)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(across.clone(), up.clone())
            .map_err(failed)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GRID)
            .label_style(text.clone())
            .axis_desc_style(text.clone())
            .x_desc(&self.x.label)
            .y_desc(&self.y.label)
            .x_labels(self.x.marks(&across))
            .y_labels(self.y.marks(&up))
            .x_label_formatter(&|drawn| self.x.short(*drawn))
            .y_label_formatter(&|drawn| self.y.short(*drawn))
            .draw()
            .map_err(failed)?;
        let mut names = Vec::new();
        for (series, (color, _, _)) in self.series.iter().zip(STYLES.iter().cycle()) {
            let drawn = |(x, y): &(f64, f64)| Some((self.x.drawn(*x)?, self.y.drawn(*y)?));
            let places: Vec<(f64, f64)> = series.points.iter().filter_map(drawn).collect();
            chart
                .draw_series(LineSeries::new(places.iter().copied(), color.stroke_width(2)))
                .map_err(failed)?;
            let dots = places.iter().map(|place| Circle::new(*place, 3, color.filled()));
            chart.draw_series(dots).map_err(failed)?;
            if let Some(last) = places.last() {
                names.push((chart.backend_coord(last).1, color, &series.name));
            }
        }
        names.sort_by_key(|(height, _, _)| *height);
        let mut above = i32::MIN / 2;
        for (wanted, color, name) in names {
            above = wanted.max(above + LINE);
            let at = ((SIZE.0 - NAMES + 10) as i32, above - LINE / 2);
            let style = ("sans-serif", 12).into_font().color(color);
            area.draw(&Text::new(name.as_str(), at, style)).map_err(failed)?;
        }
        area.present().map_err(failed)
    }
}

impl Axis {
    /// An axis from 0.
    pub fn linear(label: &str) -> Self {
        Self { label: label.to_owned(), scale: Scale::Linear }
    }

    /// An axis whose marks are at powers of this base.
    pub fn log(label: &str, base: f64) -> Self {
        Self { label: label.to_owned(), scale: Scale::Log(base) }
    }

    /// Where a value is on the axis, in what the axis counts evenly: values or powers.
    fn drawn(&self, value: f64) -> Option<f64> {
        match self.scale {
            Scale::Linear => Some(value).filter(|value| value.is_finite()),
            Scale::Log(base) => Some(value.log(base)).filter(|power| power.is_finite()),
        }
    }

    fn range(&self, values: impl Iterator<Item = f64>) -> Range<f64> {
        let drawn: Vec<f64> = values.filter_map(|value| self.drawn(value)).collect();
        let most = drawn.iter().copied().fold(f64::MIN, f64::max);
        match self.scale {
            Scale::Linear => 0.0..if most > 0.0 { most * 1.05 } else { 1.0 },
            Scale::Log(_) if drawn.is_empty() => 0.0..1.0,
            // A power that is off by a rounding error is that power.
            Scale::Log(_) => {
                let least = drawn.iter().copied().fold(f64::MAX, f64::min);
                let from = (least + 1e-9).floor();
                from..(most - 1e-9).ceil().max(from + 1.0)
            }
        }
    }

    /// How many marks the axis may have: of a logarithm, none between two powers.
    fn marks(&self, range: &Range<f64>) -> usize {
        match self.scale {
            Scale::Linear => MARKS_MAX,
            Scale::Log(_) => MARKS_MAX.min((range.end - range.start) as usize + 1),
        }
    }

    /// A number as a mark shows it.
    fn short(&self, drawn: f64) -> String {
        let value = match self.scale {
            Scale::Linear => drawn,
            Scale::Log(base) => base.powf(drawn),
        };
        let (divisor, unit) = match value {
            _ if value >= 1e6 => (1e6, " M"),
            _ if value >= 1e4 => (1e3, " k"),
            _ => (1.0, ""),
        };
        // Sums of a step and powers aren't exact decimals.
        format!("{}{unit}", (value / divisor * 1e6).round() / 1e6)
    }
}

impl Series {
    /// A line of this name.
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self { name: name.into(), points: points.into_iter().collect() }
    }
}

/// Dashes, and the colors on a dark ground.
fn style_sheet() -> String {
    let mut dashes = String::new();
    let mut dark = DARK.to_owned();
    for (RGBColor(r, g, b), on_dark, dash) in STYLES {
        let light = format!("#{r:02X}{g:02X}{b:02X}");
        dashes += &format!("polyline[stroke=\"{light}\"]{{stroke-dasharray:{dash}}}");
        dark += &format!(
            "[stroke=\"{light}\"]{{stroke:{on_dark}}}[fill=\"{light}\"]{{fill:{on_dark}}}"
        );
    }
    format!("<style>{dashes}@media (prefers-color-scheme:dark){{{dark}}}</style>")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

fn failed(error: impl Display) -> io::Error {
    io::Error::other(format!("the plot can't be drawn: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(x: Axis, points: &[(f64, f64)]) -> Plot {
        let series = vec![
            Series::new("a", points.iter().copied()),
            Series::new("b", points.iter().copied()),
        ];
        Plot { title: "events/s & more".into(), x, y: Axis::linear("events"), series }
    }

    /// The texts of a picture, each with its height.
    fn texts(svg: &str) -> Vec<(i32, String)> {
        let text = |part: &str| {
            let height = part.split(" y=\"").nth(1)?.split('"').next()?.parse().ok()?;
            let text = part.split_once('>')?.1.split('<').next()?.trim().to_owned();
            Some((height, text))
        };
        svg.split("<text").skip(1).filter_map(text).collect()
    }

    #[test]
    fn marks_are_at_round_numbers() {
        #[track_caller]
        fn check(x: Axis, values: &[f64], marks: &[&str]) {
            let points: Vec<(f64, f64)> = values.iter().map(|value| (*value, 0.5)).collect();
            let texts = texts(&plot(x, &points).svg().unwrap());
            for mark in marks {
                assert!(texts.iter().any(|(_, text)| text == mark), "{mark}: {texts:?}");
            }
        }
        let linear = Axis::linear("");
        check(linear.clone(), &[9.0, 1_000.0], &["0", "200", "400", "600", "800", "1000"]);
        check(linear, &[36_000.0], &["0", "10 k", "20 k", "30 k"]);
        check(Axis::log("", 2.0), &[1.0, 64.0], &["1", "2", "4", "8", "16", "32", "64"]);
        check(Axis::log("", 10.0), &[0.0, 1_000.0, 2e6], &["1000", "10 k", "100 k", "1 M", "10 M"]);
        check(Axis::log("", 10.0), &[7.0], &["1", "10"]);
    }

    #[test]
    fn every_point_that_the_axes_can_show_is_drawn() {
        // The logarithm of 0 connections can't be.
        let points = [(0.0, 5.0), (1.0, 90.0), (64.0, 1_000.0)];
        let svg = plot(Axis::log("connections", 2.0), &points).svg().unwrap();
        assert_eq!(svg.matches("<circle").count(), 4);
        assert!(svg.contains("aria-label=\"events/s &amp; more\""), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn names_of_lines_that_end_together_can_be_read() {
        let svg = plot(Axis::linear(""), &[(1.0, 1.0), (2.0, 2.0)]).svg().unwrap();
        let texts = texts(&svg);
        let height = |name: &str| texts.iter().find(|(_, text)| text == name).unwrap().0;
        assert!(height("b") - height("a") >= LINE, "{texts:?}");
    }

    #[test]
    fn the_same_numbers_make_the_same_picture() {
        let picture = || plot(Axis::linear(""), &[(1.0, 1.0), (2.0, 2.0)]).svg().unwrap();
        assert_eq!(picture(), picture());
    }
}
