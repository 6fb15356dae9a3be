//! Throughput against the size of a record, as an SVG of two panels. Written by hand: it takes no
//! more than lines and words.

use std::fmt::Write;

use crate::table::median;

/// One stack's name, and for each size the GB/s written and read.
pub struct Series {
    pub name: String,
    pub points: Vec<[f64; 2]>,
}

impl Series {
    /// `rounds` holds the nanoseconds a byte for each size, in each round.
    pub fn new(name: String, sizes: &[Vec<Vec<f64>>]) -> Self {
        let points = sizes
            .iter()
            .map(|rounds| {
                [0, 1].map(|row| 1.0 / median(rounds.iter().map(|round| round[row]).collect()))
            })
            .collect();
        Self { name, points }
    }
}

const COLOURS: [&str; 6] = [
    "#d62728", "#1f77b4", "#2ca02c", "#9467bd", "#ff7f0e", "#7f7f7f",
];
const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 55.0;
const TOP: f64 = 40.0;

/// `sizes` are in bytes, ascending; they stand on a logarithmic axis.
pub fn render(sizes: &[usize], series: &[Series]) -> String {
    let most = series
        .iter()
        .flat_map(|series| &series.points)
        .flatten()
        .copied()
        .fold(0.0, f64::max);
    // Lines at 1, 2 or 5 times a power of ten: no more than eight.
    let steps = (-3..6).flat_map(|power| [1.0, 2.0, 5.0].map(|step| step * 10_f64.powi(power)));
    let step = steps
        .into_iter()
        .find(|step| most / step <= 8.0)
        .unwrap_or(most);
    let lines = (most / step).ceil() as usize;
    let top = lines as f64 * step;
    let log = |size: usize| (size as f64).log2();
    let (first, last) = (log(sizes[0]), log(sizes[sizes.len() - 1]));
    let width = 2.0 * (LEFT + WIDTH) + 40.0;
    let height = TOP + HEIGHT + 75.0;

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let mut add = |text: String| writeln!(svg, "{text}").expect("memory");
    for (panel, title) in ["write", "read"].into_iter().enumerate() {
        let left = LEFT + panel as f64 * (LEFT + WIDTH);
        let x = |size: usize| left + (log(size) - first) / (last - first).max(1.0) * (WIDTH - 10.0);
        let y = |value: f64| TOP + HEIGHT - value / top * HEIGHT;
        add(format!(
            "<text x=\"{left}\" y=\"22\" font-size=\"15\">{title}: GB/s of CPU time</text>"
        ));
        for line in 0..=lines {
            let value = line as f64 * step;
            let (at, label, right) = (
                y(value),
                (value * 1000.0).round() / 1000.0,
                left + WIDTH - 10.0,
            );
            add(format!(
                "<path d=\"M{left} {at:.1}H{right}\" stroke=\"#ddd\"/>"
            ));
            add(format!(
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                left - 6.0,
                at + 4.0
            ));
        }
        for &size in sizes {
            let label = if size >= 1024 && size % 1024 == 0 {
                format!("{}K", size / 1024)
            } else {
                size.to_string()
            };
            add(format!(
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
                x(size),
                TOP + HEIGHT + 18.0
            ));
        }
        for (series, colour) in series.iter().zip(COLOURS.into_iter().cycle()) {
            let points: Vec<_> = sizes
                .iter()
                .zip(&series.points)
                .map(|(&size, point)| format!("{:.1},{:.1}", x(size), y(point[panel])))
                .collect();
            add(format!(
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                points.join(" ")
            ));
        }
    }
    let (middle, below) = (width / 2.0, TOP + HEIGHT + 38.0);
    add(format!(
        "<text x=\"{middle}\" y=\"{below}\" text-anchor=\"middle\">bytes of plaintext in a \
         record</text>"
    ));
    let spacing = (width - LEFT) / series.len() as f64;
    for (at, (series, colour)) in series.iter().zip(COLOURS.into_iter().cycle()).enumerate() {
        let (x, y) = (LEFT + at as f64 * spacing, TOP + HEIGHT + 60.0);
        add(format!(
            "<path d=\"M{x:.1} {y}h18\" stroke=\"{colour}\" stroke-width=\"3\"/>"
        ));
        add(format!(
            "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            x + 24.0,
            y + 4.0,
            series.name
        ));
    }
    svg + "</svg>\n"
}
