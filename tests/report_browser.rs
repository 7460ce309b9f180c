//! Shows the page to a real browser: at the widths of a desktop and of a small telephone, light and
//! dark, nothing is wider than the screen.

// A test says with what it cannot go on by ending there.
#![allow(clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use wirebench::report::render;

mod fixture {
    include!("support/run.rs");
}

/// The browser, under one of its names.
fn browser() -> Option<&'static str> {
    ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success()))
}

fn browse(browser: &str, profile: &Path, arguments: &[&str]) -> Output {
    Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(arguments)
        .output()
        .expect("the browser starts")
}

/// A page that shows the report in a frame of a width and writes down what is wider than the text's column.
fn probe(report: &Path, width: u32) -> String {
    format!(
        "<!doctype html><title>probe</title><iframe id=frame src=\"{}\" style=\"width:{width}px;height:900px;border:0\"></iframe>\
         <p id=found>waiting</p><script>frame.onload=()=>{{const d=frame.contentDocument,w=d.documentElement.clientWidth;\
         const scrolled=e=>{{for(;e;e=e.parentElement)if(e.className=='scroll')return true;return false}};\
         const m=d.querySelector('main').getBoundingClientRect().right;\
         const wide=[...d.body.querySelectorAll('*')].filter(e=>!scrolled(e)&&e.getBoundingClientRect().right>m);\
         found.textContent='client '+w+' scroll '+d.documentElement.scrollWidth+' wide '+wide.length+' '+\
         wide.slice(0,3).map(e=>e.tagName+'.'+e.getAttribute('class')).join(' ')}}</script>",
        report.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    )
}

/// Where screenshots are left for people to look at.
fn gallery() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

#[test]
fn the_page_fits_every_screen_in_light_and_dark() {
    let Some(browser) = browser() else {
        assert!(
            std::env::var_os("WIREBENCH_REQUIRE_PEERS").is_none_or(|value| value != "1"),
            "WIREBENCH_REQUIRE_PEERS=1, and there is no chromium: install it"
        );
        eprintln!("skipped: there is no chromium to show the page to");
        return;
    };
    let dir = tempfile::tempdir().expect("a folder");
    let profile = dir.path().join("profile");
    for (name, (run, histograms)) in [("plain", fixture::run()), ("hostile", fixture::hostile_run())] {
        let report = dir.path().join(format!("{name}.html"));
        std::fs::write(&report, render("html", &run, &histograms).expect("a page"))
            .expect("the page is written");
        for width in [1280, 320] {
            let page = dir.path().join(format!("probe-{name}-{width}.html"));
            std::fs::write(&page, probe(&report, width)).expect("the probe is written");
            let address = format!("file://{}", page.display());
            let output = browse(
                browser,
                &profile,
                &["--allow-file-access-from-files", "--virtual-time-budget=10000", "--dump-dom", &address],
            );
            let dom = String::from_utf8_lossy(&output.stdout).into_owned();
            let expected = format!("client {width} scroll {width} wide 0");
            assert!(dom.contains(&expected), "{name} at {width}: {dom}");
        }
        for (scheme, blink) in [("light", "1"), ("dark", "0")] {
            for (width, height) in [("1280", "6400"), ("500", "11500")] {
                let picture = gallery().join(format!("report-{name}-{scheme}-{width}.png"));
                let output = browse(
                    browser,
                    &profile,
                    &[
                        &format!("--blink-settings=preferredColorScheme={blink}"),
                        &format!("--window-size={width},{height}"),
                        &format!("--screenshot={}", picture.display()),
                        &format!("file://{}", report.display()),
                    ],
                );
                assert!(output.status.success() && picture.exists(), "no picture: {output:?}");
            }
        }
    }
}
