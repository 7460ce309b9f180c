//! Shows the page to a real browser, and does with it what a reader does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/devtools.rs"]
mod devtools;

use std::path::{Path, PathBuf};

use devtools::{Browser, Page, Screen, find_axe, find_browser};
use serde_json::{Value, json};
use wirebench::report::{Input, Options, render, render_together};

mod fixture {
    include!("support/run.rs");
}

/// The sections in the order in which a team asks.
const SECTIONS: [&str; 10] = [
    "answer",
    "validity",
    "results",
    "spectrum-section",
    "load",
    "time-section",
    "bytes",
    "why",
    "scaling",
    "method",
];

/// The pages that are looked at, in a folder of their own.
struct Pages {
    folder: tempfile::TempDir,
}

impl Pages {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.html"))
    }

    fn write(&self, name: &str) -> PathBuf {
        let bytes = match name {
            "small" => render("html", &fixture::small_run().0, &fixture::small_run().1).unwrap(),
            "plain" => render("html", &fixture::run().0, &fixture::run().1).unwrap(),
            "hostile" => render("html", &fixture::hostile_run().0, &fixture::hostile_run().1).unwrap(),
            "large" => render("html", &fixture::large_run().0, &fixture::large_run().1).unwrap(),
            "sweep" => render("html", &fixture::sweep_run().0, &fixture::sweep_run().1).unwrap(),
            _ => {
                let runs = [fixture::small_run(), fixture::small_run()];
                let inputs = runs.each_ref().map(|(run, histograms)| Input {
                    run,
                    histograms,
                    options: Options::default(),
                });
                let files = render_together("html", &inputs).unwrap().unwrap();
                files.into_iter().next().unwrap().bytes
            }
        };
        let path = self.path(name);
        std::fs::write(&path, &bytes).unwrap();
        std::fs::write(gallery(&format!("report-{name}.html")), bytes).unwrap();
        path
    }
}

/// Where pictures are left for people to look at.
fn gallery(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// What is wider than the screen, or than the column of text.
const TOO_WIDE: &str = "(() => {
    const scrolled = e => { for (; e; e = e.parentElement) if (e.classList?.contains('scroll')) return true; return false; };
    const right = document.querySelector('main').getBoundingClientRect().right + 0.5;
    const root = document.documentElement;
    const wide = [...document.body.querySelectorAll('main *, header *, footer *')]
        .filter(e => !scrolled(e) && e.getClientRects().length && e.getBoundingClientRect().right > right
            && getComputedStyle(e).position !== 'absolute');
    const names = wide.slice(0, 5).map(e => e.tagName + '.' + e.getAttribute('class') + ' ' + e.textContent.slice(0, 40));
    return root.scrollWidth > root.clientWidth ? ['the page scrolls sideways', ...names] : names;
})()";

#[test]
fn the_page_fits_every_screen_in_light_and_dark() {
    let Some(name) = find_browser() else { return };
    let (mut browser, pages) = (Browser::start(name), Pages::new());
    for name in ["plain", "hostile", "sweep", "several"] {
        let path = pages.write(name);
        let mut page = browser.open(&path, "", Screen::DESKTOP);
        for (what, screen) in [("desktop", Screen::DESKTOP), ("phone", Screen::PHONE)] {
            for dark in [false, true] {
                page.show_on(Screen { dark, ..screen });
                let scheme = if dark { "dark" } else { "light" };
                assert_eq!(page.eval(TOO_WIDE), json!([]), "{name} on a {what}");
                if name == "plain" || name == "sweep" && what == "desktop" {
                    page.picture(&gallery(&format!("report-{name}-{what}-{scheme}.png")));
                }
            }
        }
        assert_eq!(page.complaints(), [""; 0], "{name}");
    }
}

/// Texts of charts that lie over each other, as the browser has set them.
const OVERLAPS: &str = "[...document.querySelectorAll('figure svg')].filter(svg => svg.getClientRects().length).flatMap(svg => {
    const boxes = [...svg.querySelectorAll('text:not([transform])')].map(t => [t.textContent, t.getBBox()]);
    return boxes.flatMap(([a, x], i) => boxes.slice(i + 1)
        .filter(([, y]) => x.x < y.x + y.width && y.x < x.x + x.width && x.y + 3 < y.y + y.height - 3 && y.y + 3 < x.y + x.height - 3)
        .map(([b]) => a + ' / ' + b + ' in ' + svg.querySelector('title').textContent));
})";

#[test]
fn two_hundred_cells_stay_usable_and_no_labels_overlap() {
    let Some(name) = find_browser() else { return };
    let (mut browser, pages) = (Browser::start(name), Pages::new());
    let path = pages.write("large");
    let mut page = browser.open(&path, "", Screen::DESKTOP);
    assert_eq!(page.eval("document.querySelectorAll('.results tbody tr').length"), json!(200));
    assert_eq!(page.eval(TOO_WIDE), json!([]));
    page.eval("for (const d of document.querySelectorAll('details')) d.open = true");
    assert_eq!(page.eval(OVERLAPS), json!([]));
    page.show_on(Screen::PHONE);
    assert_eq!(page.eval(TOO_WIDE), json!([]));
    assert_eq!(page.eval(OVERLAPS), json!([]));
    page.show_on(Screen::DESKTOP);
    page.eval("filter.value = 'grpc c12'; filter.dispatchEvent(new Event('input'))");
    assert_eq!(page.eval("shown.textContent"), json!("1 of 200 rows"));
    assert_eq!(page.complaints(), [""; 0]);
}

#[test]
fn nobody_is_kept_out_of_the_page_in_light_or_dark() {
    let (Some(name), Some(axe)) = (find_browser(), find_axe()) else { return };
    let (mut browser, pages) = (Browser::start(name), Pages::new());
    let dark = Screen { dark: true, ..Screen::DESKTOP };
    for (name, screens) in [
        ("small", &[Screen::DESKTOP, dark, Screen::PHONE][..]),
        ("hostile", &[Screen::DESKTOP]),
        ("several", &[dark]),
    ] {
        let path = pages.write(name);
        for screen in screens {
            let mut page = browser.open(&path, "", *screen);
            page.eval("for (const d of document.querySelectorAll('details')) d.open = true");
            page.eval(&axe);
            let found = page.eval(
                "axe.run(document, {resultTypes: ['violations'],
                    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})
                    .then(of => of.violations.map(v => v.id + ': ' + v.help + ': '
                        + v.nodes.slice(0, 3).map(n => n.target + ' ' + n.failureSummary).join(' | ')))",
            );
            assert_eq!(found, json!([]), "{name} at {} dark {}", screen.width, screen.dark);
        }
    }
}

fn names(page: &mut Page<'_>) -> Vec<String> {
    let rows = page.eval("[...document.querySelectorAll('.results tbody tr')].filter(r => !r.hidden).map(r => r.querySelector('th bdi').textContent)");
    serde_json::from_value(rows).unwrap()
}

fn values(page: &mut Page<'_>, key: &str) -> Vec<f64> {
    let found = page.eval(&format!(
        "[...document.querySelectorAll('.results tbody td[data-k={key}]')].map(t => t.dataset.v).filter(v => v).map(Number)"
    ));
    serde_json::from_value(found).unwrap()
}

#[test]
fn a_reader_sorts_filters_chooses_and_links() {
    let Some(name) = find_browser() else { return };
    let (mut browser, pages) = (Browser::start(name), Pages::new());
    let path = pages.write("plain");
    let mut page = browser.open(&path, "", Screen::DESKTOP);
    let begin = names(&mut page);

    // By the heading's button, once and again.
    let sort = "document.querySelector('th[data-k=p99]').getAttribute('aria-sort')";
    assert_eq!(page.eval(sort), Value::Null);
    page.eval("document.querySelector('th[data-k=p99] button').focus()");
    page.press("Enter");
    assert_eq!(page.eval(sort), json!("ascending"));
    let p99 = values(&mut page, "p99");
    assert!(p99.is_sorted() && p99.len() > 5, "{p99:?}");
    page.press("Enter");
    assert_eq!(page.eval(sort), json!("descending"));
    assert!(values(&mut page, "p99").iter().rev().is_sorted());
    assert_eq!(page.eval("location.hash"), json!("#;sort=p99-down"));

    // By metric: the best first, whichever way is better.
    page.eval("metric.value = 'rate'; metric.dispatchEvent(new Event('change'))");
    let rates = values(&mut page, "rate");
    assert!(rates.iter().rev().is_sorted(), "{rates:?}");
    assert_eq!(page.eval("document.querySelectorAll('th.chosen').length"), json!(1));
    let bar = "getComputedStyle(document.querySelector('td.chosen')).getPropertyValue('--bar')";
    assert_eq!(page.eval(bar), json!("100%"));
    page.eval("metric.value = ''; metric.dispatchEvent(new Event('change'))");
    assert_eq!(names(&mut page), begin, "the order of the run again");

    // Filtered.
    page.eval("filter.value = 'ZeroRPC c64'; filter.dispatchEvent(new Event('input'))");
    assert_eq!(names(&mut page), ["zerorpc"]);
    assert_eq!(page.eval("shown.textContent"), json!(format!("1 of {} rows", begin.len())));

    // By goal, with the keyboard.
    let shown =
        "[...document.querySelectorAll('.panel')].filter(p => p.getClientRects().length).map(p => p.id)";
    assert_eq!(page.eval(shown), json!(["answer-p99"]));
    page.eval("document.getElementById('goal-p99').focus()");
    page.press("ArrowRight");
    assert_eq!(page.eval(shown), json!(["answer-p50"]));
    assert_eq!(page.eval("location.hash"), json!("#;goal=p50;filter=ZeroRPC%20c64"));
    assert_eq!(page.complaints(), [""; 0]);
    drop(page);

    // A link brings all of it back.
    let mut page = browser.open(
        &path,
        "#spectrum-r500;goal=cpu;metric=p99;sort=rate-down;filter=%C3%A4%22%3Cb%3E",
        Screen::DESKTOP,
    );
    assert_eq!(page.eval(shown), json!(["answer-cpu"]));
    assert_eq!(page.eval("[metric.value, filter.value]"), json!(["p99", "ä\"<b>"]));
    assert_eq!(
        page.eval("document.querySelector('th[data-k=rate]').getAttribute('aria-sort')"),
        json!("descending")
    );
    let seen = "(() => { const r = document.getElementById('spectrum-r500').getBoundingClientRect(); return r.top >= -1 && r.top < innerHeight })()";
    assert_eq!(page.eval(seen), json!(true));
    assert_eq!(page.eval("document.activeElement.id"), json!("spectrum-r500"));
    // Another address on the same page, and nonsense.
    page.eval("location.hash = '#bytes;goal=bytes'; new Promise(done => setTimeout(done, 100))");
    assert_eq!(page.eval(shown), json!(["answer-bytes"]));
    // A link within the page changes nothing but the place.
    page.eval("filter.value = 'grpc'; filter.dispatchEvent(new Event('input')); document.querySelector('a[href=\"#validity\"]').click(); new Promise(done => setTimeout(done, 100))");
    assert_eq!(page.eval(shown), json!(["answer-bytes"]));
    assert_eq!(
        page.eval("[filter.value, location.hash]"),
        json!(["grpc", "#validity;goal=bytes;filter=grpc"])
    );
    page.eval("location.hash = '#%;goal=none;metric=none;sort=none;filter=%'; new Promise(done => setTimeout(done, 100))");
    assert_eq!(page.eval("[metric.value, filter.value]"), json!(["", ""]));
    // Copied.
    page.eval("getSelection().removeAllRanges(); document.querySelector('.copy').click(); new Promise(done => setTimeout(done, 100))");
    assert_eq!(page.eval("document.querySelector('.copy').textContent"), json!("Copied"));
    // The data are there to save, whole.
    let json = page.eval("atob(document.querySelector('a[download$=json]').href.split(',')[1])");
    let saved: Value = serde_json::from_str(json.as_str().unwrap()).unwrap();
    assert_eq!(saved["cells"].as_array().unwrap().len(), fixture::run().0.cells.len());
    let csv = page.eval("atob(document.querySelector('a[download$=csv]').href.split(',')[1])");
    assert!(csv.as_str().unwrap().starts_with("backend,point,"), "{csv}");
    assert_eq!(page.complaints(), [""; 0]);
}

#[test]
fn hostile_texts_do_nothing_in_a_browser() {
    let Some(name) = find_browser() else { return };
    let (mut browser, pages) = (Browser::start(name), Pages::new());
    let path = pages.write("hostile");
    let mut page = browser.open(&path, "", Screen::DESKTOP);
    assert_eq!(page.eval("document.scripts.length"), json!(1));
    assert_eq!(page.eval("[...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => a.name.startsWith('on'))).length"), json!(0));
    assert_eq!(page.eval("document.querySelectorAll('img, iframe, object, link').length"), json!(0));
    assert_eq!(page.eval("document.querySelectorAll('main > section').length"), json!(SECTIONS.len()));
    // A script that got in would not run.
    page.eval("{ const s = document.createElement('script'); s.textContent = 'window.got = 1'; document.body.append(s) }");
    assert_eq!(page.eval("window.got === undefined"), json!(true));
}

/// Which of the ids are shown with some height.
fn shown(page: &mut Page<'_>, ids: &[&str]) -> Value {
    let ids = serde_json::to_string(ids).unwrap();
    page.eval(&format!(
        "{ids}.filter(id => document.getElementById(id)?.getBoundingClientRect().height > 20)"
    ))
}

#[test]
fn the_page_is_complete_without_its_script_and_on_paper() {
    let Some(name) = find_browser() else { return };
    let (mut browser, pages) = (Browser::start(name), Pages::new());
    let path = pages.write("plain");
    let mut page = browser.open(&path, "", Screen { scripts: false, ..Screen::DESKTOP });
    assert_eq!(shown(&mut page, &SECTIONS), json!(SECTIONS));
    // Controls that need the script are not shown; the answers can be chosen without it.
    assert_eq!(page.eval("document.querySelector('.controls').getClientRects().length"), json!(0));
    assert_eq!(page.eval("document.querySelectorAll('thead button').length"), json!(0));
    assert_eq!(shown(&mut page, &["answer-p99", "answer-cpu"]), json!(["answer-p99"]));
    page.eval("document.getElementById('goal-cpu').checked = true");
    assert_eq!(shown(&mut page, &["answer-p99", "answer-cpu"]), json!(["answer-cpu"]));
    drop(page);

    let mut page = browser.open(&path, "", Screen::DESKTOP);
    page.print_media();
    assert_eq!(shown(&mut page, &SECTIONS), json!(SECTIONS));
    let panels = ["answer-p99", "answer-p50", "answer-rate", "answer-bytes", "answer-cpu"];
    assert_eq!(shown(&mut page, &panels), json!(panels), "paper has every answer");
    let hidden = "[...document.querySelectorAll('figure')].filter(f => f.getBoundingClientRect().height < 20).map(f => f.id)";
    assert_eq!(page.eval(hidden), json!([]));
    let pdf = page.pdf();
    std::fs::write(gallery("report-plain.pdf"), &pdf).unwrap();
    let text = String::from_utf8_lossy(&pdf);
    for heading in
        ["Which one to take", "Validity", "Percentile spectrum", "Bytes on the wire", "Method and machine"]
    {
        assert!(text.contains(&format!("({heading})")), "{heading} is no bookmark of the PDF");
    }
    assert!(pdf.len() < 4 << 20, "{}", pdf.len());
}
