//! The main chart as a picture of its own: the percentile spectrum, for a README or a slide.
//!
//! One file per load point. It brings its own colours, for light and for dark surroundings.

use super::charts::{CHART_STYLE, Frame};
use super::place::{Palette, places};
use super::spectra::Spectra;
use super::{Format, Input, ReportError, ReportFile};

pub(super) const FORMAT: Format =
    Format { name: "svg", about: "the percentile spectrum as a picture", file_name: "spectrum.svg", render };

/// What an SVG has to say where no page around it does: <https://www.w3.org/TR/SVG2/struct.html>, namespaces.
const NAMESPACE: &str = "http://www.w3.org/2000/svg";
const SIZE: (u32, u32) = (920, 420);

fn render(input: &Input<'_>) -> Result<Vec<ReportFile>, ReportError> {
    let inputs = [*input];
    let palette = Palette::of(&inputs);
    let mut files = Vec::new();
    for place in places(&inputs) {
        let Some(spectra) = Spectra::of(&place, &palette) else { continue };
        let (width, height) = SIZE;
        let frame =
            Frame { id: "spectrum", title: &spectra.title, description: &spectra.description, width, height };
        let chart = spectra
            .draw(&frame)
            .map_err(|error| ReportError::Render { format: FORMAT.name, reason: error.to_string() })?;
        files.push(ReportFile {
            name: format!("spectrum{}.svg", place.suffix),
            bytes: alone(&chart).into_bytes(),
        });
    }
    Ok(files)
}

/// A chart of a page, made a file of its own.
fn alone(chart: &str) -> String {
    let style = format!(
        "<style>{CHART_STYLE}svg{{background:var(--paper);color:var(--ink);font:13px system-ui,-apple-system,\"Segoe UI\",Arial,sans-serif}}</style>"
    );
    let chart = chart.replacen("<svg ", &format!("<svg xmlns=\"{NAMESPACE}\" "), 1);
    chart.replacen("</desc>", &format!("</desc>{style}"), 1)
}
