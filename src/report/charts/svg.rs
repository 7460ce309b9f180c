//! A plotters backend that writes SVG for a page with a light and a dark face.
//!
//! plotters' own SVG backend writes colours into the drawing; here a colour stands for a CSS class,
//! so that the page decides. Text is placed by its anchor, and no font is measured or needed.

use std::convert::Infallible;
use std::fmt::Write as _;

use plotters::style::RGBColor;
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    FontTransform,
};

use super::Frame;
use crate::report::text::line;

/// Text and axes.
pub(super) const INK: RGBColor = RGBColor(0, 0, 0);
/// Grid lines.
pub(super) const GRID: RGBColor = RGBColor(0, 0, 1);
/// What is around something else.
pub(super) const FAINT: RGBColor = RGBColor(0, 0, 2);
/// A target, such as a gate of the scenario.
pub(super) const TARGET: RGBColor = RGBColor(0, 0, 3);
/// A warm-up.
pub(super) const WARM_UP: RGBColor = RGBColor(0, 0, 4);
/// A stall.
pub(super) const STALL: RGBColor = RGBColor(0, 0, 5);

/// plotters draws on whole pixels: the drawing is so many times larger for it, so that lines are smooth.
pub(super) const FINE: i32 = 4;

/// How many colours the page has for series.
pub(in crate::report) const COLOURS: usize = 6;
/// How many dash patterns the page has for lines.
pub(in crate::report) const DASHES: usize = 4;

/// The dash pattern of a series: each colour has every pattern before one comes again.
pub(in crate::report) fn dash(index: usize) -> usize {
    (index + index / COLOURS) % DASHES
}

/// The series of the same colour with another dash pattern.
pub(in crate::report) fn with_dash(index: usize, wanted: usize) -> usize {
    let colour = index % COLOURS;
    (0..DASHES)
        .map(|turn| colour + turn * COLOURS)
        .find(|index| dash(*index) == wanted % DASHES)
        .unwrap_or(colour)
}

/// How many colours the page has for the parts of a bar.
pub(super) const PARTS: usize = 9;
/// How many shades a heat table has.
pub(in crate::report) const SHADES: usize = 7;

fn byte(index: usize) -> u8 {
    u8::try_from(index).unwrap_or(0)
}

/// The colour that stands for the line of a series.
pub(super) fn series(index: usize) -> RGBColor {
    RGBColor(1, 0, byte(index % (COLOURS * DASHES)))
}

/// The same, for what is beside the line, and thinner.
pub(super) fn thin(index: usize) -> RGBColor {
    RGBColor(1, 1, byte(index % (COLOURS * DASHES)))
}

/// The same, for what is hardly to be seen.
pub(super) fn hint(index: usize) -> RGBColor {
    RGBColor(1, 2, byte(index % (COLOURS * DASHES)))
}

/// The band around the line of a series.
pub(super) fn band(index: usize) -> RGBColor {
    RGBColor(2, 0, byte(index % COLOURS))
}

/// A part of a bar.
pub(super) fn part(index: usize) -> RGBColor {
    RGBColor(3, 0, byte(index % PARTS))
}

/// The width of a text of a size, in a wide face (DejaVu Sans): in others it is shorter.
pub(in crate::report) fn text_width(text: &str, size: f64) -> f64 {
    let share = |letter: char| match letter {
        'i' | 'j' | 'l' | '|' | '!' | '.' | ',' | ':' | ';' | '\'' | ' ' | 'I' | '(' | ')' | '[' | ']' => {
            0.37
        }
        'f' | 'r' | 't' | '-' | '/' | '\\' => 0.42,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '…' => 1.0,
        'A'..='Z' | '&' | '+' | '=' | '<' | '>' | '~' | '#' => 0.84,
        letter if letter.is_ascii() => 0.64,
        letter if letter < '\u{2e80}' => 0.86,
        _ => 1.05,
    };
    text.chars().map(share).sum::<f64>() * size
}

/// As much of a line of text as fits into a width.
pub(super) fn fitting(text: &str, size: f64, room: f64) -> String {
    let most = text.chars().count().min(400);
    (1..=most)
        .rev()
        .map(|letters| line(text, letters))
        .find(|text| text_width(text, size) <= room)
        .unwrap_or_default()
}

/// The drawing, which is text that grows.
pub(super) struct Svg<'a> {
    text: &'a mut String,
    size: (u32, u32),
}

impl<'a> Svg<'a> {
    /// Begins a drawing in `text`.
    pub(super) fn begin(text: &'a mut String, frame: &Frame<'_>, height: u32) -> Self {
        let (id, width) = (frame.id, frame.width);
        let _ = write!(
            text,
            "<svg role=\"img\" viewBox=\"0 0 {width} {height}\" aria-labelledby=\"{id}-t {id}-d\"><title id=\"{id}-t\">"
        );
        push_escaped(text, frame.title);
        let _ = write!(text, "</title><desc id=\"{id}-d\">");
        push_escaped(text, frame.description);
        text.push_str("</desc>\n");
        Self { text, size: (width * FINE.unsigned_abs(), height * FINE.unsigned_abs()) }
    }

    fn shape(&mut self, element: &str, class: &str, attributes: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.text, "<{element} class=\"{class}\" {attributes}/>");
    }
}

/// Ends a drawing.
pub(super) fn end(text: &mut String) {
    text.push_str("</svg>\n");
}

fn push_escaped(text: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '&' => text.push_str("&amp;"),
            '"' => text.push_str("&quot;"),
            '\'' => text.push_str("&#39;"),
            other => text.push(other),
        }
    }
}

fn line_class(color: BackendColor) -> String {
    match color.rgb {
        (1, weight, index) => {
            let index = usize::from(index);
            let weight = match weight {
                0 => "",
                1 => " thin",
                _ => " hint",
            };
            format!("l{} d{}{weight}", index % COLOURS, dash(index))
        }
        (_, _, 3) => "target".to_owned(),
        (_, _, 1) => "grid".to_owned(),
        _ => "axis".to_owned(),
    }
}

fn fill_class(color: BackendColor) -> String {
    match color.rgb {
        (1, _, index) => format!("f{}", usize::from(index) % COLOURS),
        (2, _, index) => format!("b{index}"),
        (3, _, index) => format!("f{index}"),
        (_, _, 2) => "faint".to_owned(),
        (_, _, 4) => "warm".to_owned(),
        (_, _, 5) => "stall".to_owned(),
        _ => "ink".to_owned(),
    }
}

/// A coordinate of plotters in the units of the drawing.
fn units(fine: i32) -> f64 {
    f64::from(fine) / f64::from(FINE)
}

/// Points in the units of the drawing. A tenth of a unit is finer than any screen.
fn points(path: impl IntoIterator<Item = BackendCoord>) -> String {
    let mut points = String::new();
    for (x, y) in path {
        let tenth = |fine: i32| (units(fine) * 10.0).round() / 10.0;
        let _ = write!(points, "{},{} ", tenth(x), tenth(y));
    }
    points.truncate(points.trim_end().len());
    points
}

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

impl DrawingBackend for Svg<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        let class = fill_class(color);
        let (x, y) = (units(x), units(y));
        self.shape("rect", &class, format_args!("x=\"{x}\" y=\"{y}\" width=\"1\" height=\"1\""));
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        if style.color().alpha > 0.0 {
            let class = line_class(style.color());
            let ([x1, y1], [x2, y2]) = ([from.0, from.1].map(units), [to.0, to.1].map(units));
            self.shape("line", &class, format_args!("x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\""));
        }
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (left, top): BackendCoord,
        (right, bottom): BackendCoord,
        style: &S,
        _fill: bool,
    ) -> Drawn {
        if style.color().alpha > 0.0 {
            let class = fill_class(style.color());
            let [left, top, right, bottom] = [left, top, right, bottom].map(units);
            let (width, height) = ((right - left).max(0.0), (bottom - top).max(0.0));
            self.shape(
                "rect",
                &class,
                format_args!("x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\""),
            );
        }
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        if style.color().alpha > 0.0 {
            let points = points(path);
            let class = line_class(style.color());
            self.shape("polyline", &class, format_args!("points=\"{points}\""));
        }
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        corners: I,
        style: &S,
    ) -> Drawn {
        let points = points(corners);
        let class = fill_class(style.color());
        self.shape("polygon", &class, format_args!("points=\"{points}\""));
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        (x, y): BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let (x, y, radius) = (units(x), units(y), f64::from(radius) / f64::from(FINE));
        let class =
            if fill { fill_class(style.color()) } else { format!("{} ring", line_class(style.color())) };
        self.shape("circle", &class, format_args!("cx=\"{x}\" cy=\"{y}\" r=\"{radius}\""));
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, (x, y): BackendCoord) -> Drawn {
        let anchor = match style.anchor().h_pos {
            HPos::Left => "start",
            HPos::Center => "middle",
            HPos::Right => "end",
        };
        // Shares of the letters' size, so that the text stands where the anchor says in any font.
        let dy = match style.anchor().v_pos {
            VPos::Top => 0.8,
            VPos::Center => 0.35,
            VPos::Bottom => -0.2,
        };
        let (x, y) = (units(x), units(y));
        let size = style.size() / f64::from(FINE);
        let turned = match style.transform() {
            FontTransform::None => String::new(),
            FontTransform::Rotate90 => format!(" transform=\"rotate(90 {x} {y})\""),
            FontTransform::Rotate180 => format!(" transform=\"rotate(180 {x} {y})\""),
            FontTransform::Rotate270 => format!(" transform=\"rotate(270 {x} {y})\""),
        };
        let _ = write!(
            self.text,
            "<text x=\"{x}\" y=\"{y}\" dy=\"{dy}em\" font-size=\"{size}\" text-anchor=\"{anchor}\"{turned}>"
        );
        push_escaped(self.text, text);
        self.text.push_str("</text>\n");
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let size = style.size();
        Ok((text_width(text, size).ceil() as u32, size.ceil() as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_of_24_series_look_alike() {
        let looks: std::collections::BTreeSet<_> =
            (0..COLOURS * DASHES).map(|index| (index % COLOURS, dash(index))).collect();
        assert_eq!(looks.len(), COLOURS * DASHES);
        for index in 0..COLOURS * DASHES {
            for wanted in 0..DASHES {
                let found = with_dash(index, wanted);
                assert_eq!((found % COLOURS, dash(found)), (index % COLOURS, wanted));
            }
        }
    }
}
