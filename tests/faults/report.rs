//! What was seen, as text: tables and histograms.

use std::time::Duration;

/// A span in seconds.
pub fn seconds(span: Duration) -> String {
    format!("{:.2} s", span.as_secs_f64())
}

/// A size in the unit that suits it.
pub fn size(bytes: u64) -> String {
    let kib = bytes as f64 / 1024.0;
    if kib < 1024.0 {
        format!("{kib:.1} KiB")
    } else {
        format!("{:.1} MiB", kib / 1024.0)
    }
}

/// Prints a Markdown table whose columns stand in line.
pub fn table(title: &str, head: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells
            .chain([head[column].chars().count()])
            .max()
            .unwrap_or(0)
    };
    let line = |cells: Vec<&str>| {
        let mut text = String::from("|");
        for (column, cell) in cells.into_iter().enumerate() {
            let pad = width(column) - cell.chars().count();
            text += &format!(" {cell}{} |", " ".repeat(pad));
        }
        text
    };
    println!("\n{title}\n\n{}", line(head.to_vec()));
    let rule: Vec<String> = (0..head.len())
        .map(|column| "-".repeat(width(column)))
        .collect();
    println!("{}", line(rule.iter().map(String::as_str).collect()));
    for row in rows {
        println!("{}", line(row.iter().map(String::as_str).collect()));
    }
    println!();
}

/// Prints how spans spread over whole seconds. The most that fell into one of them.
pub fn histogram(title: &str, spans: &[Duration]) -> usize {
    println!("\n{title}\n");
    let mut bins: Vec<usize> = Vec::new();
    for span in spans {
        let bin = span.as_secs() as usize;
        bins.resize(bins.len().max(bin + 1), 0);
        bins[bin] += 1;
    }
    let most = bins.iter().copied().max().unwrap_or(0);
    for (second, count) in bins.iter().enumerate() {
        let bar = "#".repeat((count * 50).div_ceil(most.max(1)));
        println!("{second:>3} to {:>2} s {count:>5} {bar}", second + 1);
    }
    println!();
    most
}
