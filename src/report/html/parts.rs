//! What a page is put together from: sections of blocks of charts, each with its table.

use crate::report::charts::{COLOURS, ChartError, Frame, dash};

/// Charts are drawn twice, for wide and for narrow screens; the page shows one.
const WIDE: (u32, u32) = (920, 400);
const NARROW: (u32, u32) = (340, 320);

/// A part of the page with a heading in its contents.
pub(super) struct Section {
    /// Its address in the page.
    pub id: &'static str,
    pub title: &'static str,
    /// What it shows, and how to read it.
    pub about: &'static str,
    pub blocks: Vec<Block>,
    /// Stands where there is no block.
    pub nothing: &'static str,
}

/// The charts of one load point.
pub(super) struct Block {
    pub id: String,
    /// Empty where the run has one load point only.
    pub heading: String,
    pub charts: Vec<Chart>,
    /// Tables whose fields are shaded by their figure.
    pub heats: Vec<Heat>,
    /// Other tables.
    pub grids: Vec<Grid>,
    /// Sentences below the charts.
    pub notes: Vec<String>,
}

/// A table whose fields are shaded.
pub(super) struct Heat {
    pub title: String,
    pub corner: &'static str,
    pub header: Vec<String>,
    pub rows: Vec<(String, Vec<Shaded>)>,
}

/// A field of a heat table.
pub(super) struct Shaded {
    pub text: String,
    /// `h0` to `h6`, from the best to the worst; empty where there is no figure.
    pub class: String,
}

/// A chart, or several small ones beside each other.
pub(super) struct Chart {
    pub id: String,
    pub heading: String,
    /// For wide screens, and for narrow ones.
    pub pair: Option<(String, String)>,
    /// One size for every screen.
    pub small: Vec<Small>,
    pub legend: Vec<Key>,
    /// Whether the legend is for narrow screens only: the wide chart names its lines itself.
    pub legend_when_narrow: bool,
    pub note: String,
    /// The figures behind it.
    pub grid: Option<Grid>,
}

/// One of several small charts.
pub(super) struct Small {
    pub title: String,
    pub charts: Vec<String>,
    /// What is missing in them; empty where nothing is.
    pub note: String,
}

/// A table of text.
pub(super) struct Grid {
    pub title: String,
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// A line or colour of a legend.
pub(super) struct Key {
    /// The classes of a line sample; empty for a filled one.
    pub line: String,
    /// The class of a filled sample.
    pub fill: String,
    pub name: String,
}

impl Key {
    /// Of the line of a series.
    pub(super) fn line(series: usize, name: String) -> Self {
        let line = format!("l{} d{}", series % COLOURS, dash(series));
        Self { line, fill: String::new(), name }
    }

    /// Of a colour.
    pub(super) fn fill(class: &str, name: &str) -> Self {
        Self { line: String::new(), fill: class.to_owned(), name: name.to_owned() }
    }
}

impl Block {
    /// Charts alone.
    pub(super) fn of(id: String, heading: String, charts: Vec<Chart>) -> Self {
        Self { id, heading, charts, heats: Vec::new(), grids: Vec::new(), notes: Vec::new() }
    }
}

impl Chart {
    /// One without a legend.
    pub(super) fn of(id: String, heading: &str, pair: (String, String)) -> Self {
        Self {
            id,
            heading: heading.to_owned(),
            pair: Some(pair),
            small: Vec::new(),
            legend: Vec::new(),
            legend_when_narrow: false,
            note: String::new(),
            grid: None,
        }
    }

    /// Several small ones.
    pub(super) fn of_small(id: String, heading: &str, small: Vec<Small>) -> Self {
        Self { pair: None, small, ..Self::of(id, heading, Default::default()) }
    }
}

/// Draws a chart for both widths.
pub(super) fn twice(
    id: &str,
    title: &str,
    description: &str,
    draw: impl Fn(&Frame<'_>) -> Result<String, ChartError>,
) -> Result<(String, String), ChartError> {
    let one = |suffix: &str, (width, height): (u32, u32)| {
        let id = format!("{id}-{suffix}");
        draw(&Frame { id: &id, title, description, width, height })
    };
    Ok((one("w", WIDE)?, one("n", NARROW)?))
}
