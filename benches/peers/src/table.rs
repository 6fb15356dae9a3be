//! The figures of all rounds as a Markdown table.

use crate::harness::clock::ticks_per_ns;
use crate::harness::measure::{Block, Unit};

pub fn render(names: &[String], reference: usize, blocks: &[Block]) -> String {
    let ticks = ticks_per_ns();
    // The reference stands first.
    let order: Vec<usize> = std::iter::once(reference)
        .chain((0..names.len()).filter(|&stack| stack != reference))
        .collect();
    let titles: Vec<&str> = order.iter().map(|&stack| names[stack].as_str()).collect();
    let mut table = format!(
        "| | {} |\n|---|{}\n",
        titles.join(" | "),
        "---|".repeat(titles.len())
    );
    for Block {
        name: block,
        rows,
        rounds,
    } in blocks
    {
        for (row, &(name, unit)) in rows.iter().enumerate() {
            let of = |stack: usize| {
                rounds
                    .iter()
                    .map(|round| round[stack][row])
                    .collect::<Vec<_>>()
            };
            let cells: Vec<String> = order
                .iter()
                .map(|&stack| {
                    let value = median(of(stack));
                    if value.is_nan() {
                        return "-".into();
                    }
                    let value = show(value, unit, ticks);
                    let ratios: Vec<f64> = rounds
                        .iter()
                        .map(|round| round[stack][row] / round[reference][row])
                        .collect();
                    if stack == reference || ratios.iter().any(|ratio| ratio.is_nan()) {
                        return value;
                    }
                    match spread(&ratios) {
                        Some((low, high)) => {
                            format!("{value} ({:.2}x; {low:.2}-{high:.2})", median(ratios))
                        }
                        None => format!("{value} ({:.2}x)", median(ratios)),
                    }
                })
                .collect();
            let what = match unit {
                Unit::Microseconds => "CPU us",
                Unit::Nanoseconds => "ns",
                Unit::GigabytesPerSecond => "GB/s",
                Unit::ThousandsPerSecond => "thousands a second",
                Unit::NanosecondsPerByte if ticks.is_some() => "ns / cycles a byte",
                Unit::NanosecondsPerByte => "ns a byte",
                Unit::Bytes => "bytes",
            };
            table += &format!("| {block}, {name}: {what} | {} |\n", cells.join(" | "));
        }
    }
    table
}

fn show(value: f64, unit: Unit, ticks: Option<f64>) -> String {
    match unit {
        Unit::Microseconds | Unit::Nanoseconds => format!("{value:.1}"),
        Unit::GigabytesPerSecond => format!("{value:.2}"),
        Unit::ThousandsPerSecond => format!("{value:.1}"),
        Unit::Bytes => format!("{value:.0}"),
        Unit::NanosecondsPerByte => match ticks {
            Some(ticks) => format!("{value:.3} / {:.3}", value * ticks),
            None => format!("{value:.3}"),
        },
    }
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        (values[middle - 1] + values[middle]) / 2.0
    }
}

/// The range that holds the middle half; none of a single value.
fn spread(values: &[f64]) -> Option<(f64, f64)> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len() - 1;
    (last > 0).then(|| (sorted[last / 4], sorted[last - last / 4]))
}
