//! A short document of headings, paragraphs, points and tables, as text and as Markdown.

use super::super::text::{line, markdown};

/// The longest sentence; a name of a stranger could be endless.
const MAX_CHARS: usize = 1_000;

#[derive(Debug, Clone, PartialEq)]
enum Block {
    Heading(String),
    Paragraph(String),
    Point(String),
    Table { head: Vec<String>, rows: Vec<Vec<String>> },
}

/// Blocks in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Document {
    blocks: Vec<Block>,
}

impl Document {
    pub(super) fn heading(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Heading(text.into()));
    }

    pub(super) fn paragraph(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Paragraph(text.into()));
    }

    /// A paragraph that is not said again where the document has it.
    pub(super) fn once(&mut self, text: &str) {
        let paragraph = Block::Paragraph(text.to_owned());
        if !self.blocks.contains(&paragraph) {
            self.blocks.push(paragraph);
        }
    }

    pub(super) fn point(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Point(text.into()));
    }

    /// The first column is text, the others are figures.
    pub(super) fn table(&mut self, head: &[&str], rows: Vec<Vec<String>>) {
        let head = head.iter().map(|title| (*title).to_owned()).collect();
        self.blocks.push(Block::Table { head, rows });
    }

    pub(super) fn to_text(&self, columns: usize) -> String {
        let mut text = String::new();
        for (index, block) in self.blocks.iter().enumerate() {
            let follows_point = index.checked_sub(1).and_then(|last| self.blocks.get(last));
            let joined = matches!(
                (follows_point, block),
                (Some(Block::Point(_) | Block::Heading(_)), Block::Point(_))
            );
            let under_heading = matches!(follows_point, Some(Block::Heading(_)));
            if index > 0 && !joined && !under_heading {
                text.push('\n');
            }
            match block {
                Block::Heading(title) => {
                    let title = line(title, MAX_CHARS);
                    text.push_str(&format!("{title}\n{}\n", "─".repeat(title.chars().count().min(columns))));
                }
                Block::Paragraph(words) => text.push_str(&wrapped(words, "", "", columns)),
                Block::Point(words) => text.push_str(&wrapped(words, "  - ", "    ", columns)),
                Block::Table { head, rows } => text.push_str(&aligned(head, rows)),
            }
        }
        text
    }

    pub(super) fn to_markdown(&self) -> String {
        let escape = |text: &String| markdown(text, MAX_CHARS);
        let mut text = String::new();
        for (index, block) in self.blocks.iter().enumerate() {
            let last = index.checked_sub(1).and_then(|last| self.blocks.get(last));
            let joined = matches!((last, block), (Some(Block::Point(_)), Block::Point(_)));
            if index > 0 && !joined {
                text.push('\n');
            }
            match block {
                Block::Heading(title) => text.push_str(&format!("### {}\n", escape(title))),
                Block::Paragraph(words) => text.push_str(&format!("{}\n", escape(words))),
                Block::Point(words) => text.push_str(&format!("- {}\n", escape(words))),
                Block::Table { head, rows } => {
                    let row = |cells: &Vec<String>| {
                        format!("| {} |\n", cells.iter().map(escape).collect::<Vec<_>>().join(" | "))
                    };
                    text.push_str(&row(head));
                    let rule = |index| if index == 0 { "---" } else { "---:" };
                    let rules: Vec<&str> = (0..head.len()).map(rule).collect();
                    text.push_str(&format!("| {} |\n", rules.join(" | ")));
                    text.extend(rows.iter().map(row));
                }
            }
        }
        text
    }
}

fn wrapped(words: &str, first: &str, rest: &str, columns: usize) -> String {
    let words = line(words, MAX_CHARS);
    let mut text = String::new();
    let mut current = first.to_owned();
    let mut is_empty = true;
    for word in words.split_whitespace() {
        let width = current.chars().count() + usize::from(!is_empty) + word.chars().count();
        if !is_empty && width > columns {
            text.push_str(&current);
            text.push('\n');
            current = rest.to_owned();
            is_empty = true;
        }
        if !is_empty {
            current.push(' ');
        }
        current.push_str(word);
        is_empty = false;
    }
    text.push_str(&current);
    text.push('\n');
    text
}

fn aligned(head: &[String], rows: &[Vec<String>]) -> String {
    const MAX_CELL_CHARS: usize = 48;
    let shown = |cells: &[String]| cells.iter().map(|cell| line(cell, MAX_CELL_CHARS)).collect::<Vec<_>>();
    let lines: Vec<Vec<String>> =
        std::iter::once(shown(head)).chain(rows.iter().map(|row| shown(row))).collect();
    let width = |column: usize| {
        lines.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    for row in lines {
        let mut padded = String::from(" ");
        for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
            padded.push_str(&if index == 0 {
                format!(" {cell:<width$}")
            } else {
                format!("  {cell:>width$}")
            });
        }
        text.push_str(padded.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_and_tables_are_aligned() {
        let mut document = Document::default();
        document.heading("a b");
        document.point("one two three");
        document.point("four");
        document.table(&["x", "much"], vec![vec!["long name".into(), "1".into()]]);
        assert_eq!(
            document.to_text(14),
            "a b\n───\n  - one two\n    three\n  - four\n\n  x          much\n  long name     1\n"
        );
    }

    #[test]
    fn names_of_strangers_cannot_write_markup_or_rewrite_the_terminal() {
        let mut document = Document::default();
        document.paragraph("<b>|x|\u{1b}[31m");
        assert_eq!(document.to_markdown(), "&lt;b&gt;\\|x\\|\\[31m\n");
        assert_eq!(document.to_text(80), "<b>|x|[31m\n");
    }
}
