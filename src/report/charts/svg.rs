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

/// Text and axes.
pub(super) const INK: RGBColor = RGBColor(0, 0, 0);
/// Grid lines.
pub(super) const GRID: RGBColor = RGBColor(0, 0, 1);
/// What is around something else.
pub(super) const FAINT: RGBColor = RGBColor(0, 0, 2);

/// plotters draws on whole pixels: the drawing is so many times larger for it, so that lines are smooth.
pub(super) const FINE: i32 = 4;

/// How many colours the page has for series.
pub(in crate::report) const COLOURS: usize = 6;
/// How many dash patterns the page has for lines.
pub(in crate::report) const DASHES: usize = 4;

/// The colour that stands for a series.
pub(super) fn series(index: usize) -> RGBColor {
    RGBColor(1, 0, u8::try_from(index % (COLOURS * DASHES)).unwrap_or(0))
}

/// The width of a text of a size: an average over the letters of sans-serif faces.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    text.chars().count() as f64 * size * 0.56
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
        (1, _, index) => {
            let index = usize::from(index);
            format!("l{} d{}", index % COLOURS, index % DASHES)
        }
        (_, _, 1) => "grid".to_owned(),
        _ => "axis".to_owned(),
    }
}

fn fill_class(color: BackendColor) -> String {
    match color.rgb {
        (1, _, index) => format!("f{}", usize::from(index) % COLOURS),
        (_, _, 2) => "faint".to_owned(),
        _ => "ink".to_owned(),
    }
}

/// A coordinate of plotters in the units of the drawing.
fn units(fine: i32) -> f64 {
    f64::from(fine) / f64::from(FINE)
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
            let mut points = String::new();
            for (x, y) in path {
                let _ = write!(points, "{},{} ", units(x), units(y));
            }
            let class = line_class(style.color());
            self.shape("polyline", &class, format_args!("points=\"{}\"", points.trim_end()));
        }
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
