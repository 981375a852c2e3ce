//! Staircases as SVG: points with their intervals, treads, edges marked, dominated widths shaded. And frontiers: what
//! each latency loses.

use crate::report::{FrontierReport, StairReport};
use netspec::Axis;
use std::fmt::Write;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 260.0;
const MARGIN: [f64; 4] = [34.0, 16.0, 40.0, 62.0];

/// Draws one panel per staircase, under each other, as one SVG document.
///
/// `subtitle` says which engine and machine the figures are true for.
pub fn svg(stairs: &[StairReport], subtitle: &str) -> String {
    let mut out = opening(stairs.len().max(1), subtitle);
    for (i, stair) in stairs.iter().enumerate() {
        panel(&mut out, stair, HEIGHT * i as f64 + 20.0);
    }
    out.push_str("</svg>\n");
    out
}

/// Draws the value that each plan of a frontier loses over its latency, with the part of it that a better plan might
/// save, as one SVG document.
pub fn frontier_svg(report: &FrontierReport, subtitle: &str) -> String {
    let mut out = opening(1, subtitle);
    let percent = |ratio: f64| 100.0 * ratio;
    let lowest = report.plans.iter().map(|plan| percent(plan.ratio)).fold(100.0, f64::min);
    let worst = report.plans.iter().map(|plan| -plan.value).fold(f64::MIN_POSITIVE, f64::max);
    let frame = Frame { top: 20.0, channels: [lowest.floor(), 100.0], ms: worst * 1.08 };
    axes(&mut out, &frame, "predicted latency in percent of the dense model's", "value lost");
    let points: Vec<[f64; 2]> =
        report.plans.iter().map(|plan| [frame.x(percent(plan.ratio)), frame.y(-plan.value)]).collect();
    let path: Vec<String> = points.iter().map(|[x, y]| format!("{x:.1} {y:.1}")).collect();
    if !path.is_empty() {
        let _ = writeln!(out, "<path d=\"M{}\" fill=\"none\" stroke=\"#9db4d6\"/>", path.join(" L"));
    }
    for (plan, [x, y]) in report.plans.iter().zip(points) {
        if let Some(bound) = plan.bound {
            let _ = writeln!(out, "<path d=\"M{x:.1} {y:.1} V{:.1}\" stroke=\"#c0392b\"/>", frame.y(-bound));
        }
        let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.4\" fill=\"#4a6fa5\"/>");
    }
    out.push_str("</svg>\n");
    out
}

/// The head of a document of so many panels.
fn opening(panels: usize, subtitle: &str) -> String {
    let height = HEIGHT * panels as f64 + 20.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"{}\" y=\"14\" fill=\"#555\">{}</text>\n",
        MARGIN[3],
        escape(subtitle)
    )
}

/// Maps channels and milliseconds to pixels of one panel.
struct Frame {
    top: f64,
    channels: [f64; 2],
    ms: f64,
}

impl Frame {
    fn x(&self, channels: f64) -> f64 {
        let span = (self.channels[1] - self.channels[0]).max(1.0);
        MARGIN[3] + (channels - self.channels[0]) / span * (WIDTH - MARGIN[1] - MARGIN[3])
    }

    fn y(&self, ms: f64) -> f64 {
        self.top + HEIGHT - MARGIN[2] - ms / self.ms * (HEIGHT - MARGIN[0] - MARGIN[2])
    }
}

// Writing to a String cannot fail, so the results of `write!` are dropped below.
fn panel(out: &mut String, stair: &StairReport, top: f64) {
    let first = stair.points.iter().map(|p| p.channels).min().unwrap_or(1);
    let highest = stair.points.iter().map(|p| p.latency_ms).fold(f64::MIN_POSITIVE, f64::max);
    let frame = Frame { top, channels: [first as f64, stair.channels as f64], ms: highest * 1.08 };
    let axis = match stair.axis {
        Axis::CIn => "input channels",
        Axis::COut => "output channels",
    };
    let _ = writeln!(
        out,
        "<text x=\"{}\" y=\"{}\" font-weight=\"bold\">{}</text><text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"#555\">{}</text>",
        MARGIN[3],
        top + 18.0,
        escape(&stair.name),
        WIDTH - MARGIN[1],
        top + 18.0,
        escape(&stair.spec)
    );
    for range in &stair.dominated {
        let (from, to) = (frame.x(range.from as f64 - 0.5), frame.x(range.to as f64 + 0.5));
        let (y, height) = (frame.y(frame.ms / 1.08), frame.y(0.0) - frame.y(frame.ms / 1.08));
        let _ = writeln!(
            out,
            "<rect x=\"{from:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{height:.1}\" fill=\"#f3e9dc\"/>",
            to - from
        );
    }
    axes(out, &frame, axis, "ms");
    treads(out, &frame, stair);
    for point in &stair.points {
        let x = frame.x(point.channels as f64);
        let [low, high] = point.interval_ms.map(|ms| frame.y(ms.min(frame.ms)));
        let _ = writeln!(out, "<path d=\"M{x:.1} {low:.1} V{high:.1}\" stroke=\"#9db4d6\"/>");
    }
    for point in &stair.points {
        let (x, y) = (frame.x(point.channels as f64), frame.y(point.latency_ms));
        let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"1.8\" fill=\"#4a6fa5\"/>");
    }
    for edge in &stair.edges {
        let (x, y) = (frame.x(edge.channels as f64), frame.y(edge.latency_ms));
        let _ = writeln!(
            out,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"none\" stroke=\"#c0392b\" stroke-width=\"1.6\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#c0392b\" font-size=\"9\">{}</text>",
            y - 8.0,
            edge.channels
        );
    }
}

/// A line for every tread, from the width after the edge before it to the edge that ends it.
fn treads(out: &mut String, frame: &Frame, stair: &StairReport) {
    let mut from = frame.channels[0];
    for edge in &stair.edges {
        let (left, right, y) = (frame.x(from), frame.x(edge.channels as f64), frame.y(edge.latency_ms));
        let _ = writeln!(out, "<path d=\"M{left:.1} {y:.1} H{right:.1}\" stroke=\"#c0392b\" stroke-opacity=\"0.45\"/>");
        from = edge.channels as f64 + 1.0;
    }
}

fn axes(out: &mut String, frame: &Frame, label: &str, unit: &str) {
    let (left, bottom) = (MARGIN[3], frame.y(0.0));
    let _ = writeln!(
        out,
        "<path d=\"M{left} {} V{bottom:.1} H{}\" fill=\"none\" stroke=\"#333\"/>",
        frame.top + MARGIN[0],
        WIDTH - MARGIN[1]
    );
    for i in 0..=4 {
        let ms = frame.ms * f64::from(i) / 4.0;
        let channels = frame.channels[0] + (frame.channels[1] - frame.channels[0]) * f64::from(i) / 4.0;
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{ms:.3}</text>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{channels:.0}</text>",
            left - 5.0,
            frame.y(ms) + 4.0,
            frame.x(channels),
            bottom + 14.0
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#555\">{label}</text>\
         <text x=\"14\" y=\"{:.1}\" fill=\"#555\" transform=\"rotate(-90 14 {:.1})\" text-anchor=\"middle\">{unit}</text>",
        (left + WIDTH - MARGIN[1]) / 2.0,
        bottom + 30.0,
        (frame.top + bottom) / 2.0,
        (frame.top + bottom) / 2.0
    );
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
