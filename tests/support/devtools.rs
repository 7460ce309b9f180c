//! Drives a headless Chromium by the DevTools protocol over a pipe, so that tests see what a reader sees.
//!
//! <https://chromedevtools.github.io/devtools-protocol/>; messages end with a zero byte.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

/// Nothing that a page does takes as long.
const PATIENCE: Duration = Duration::from_secs(60);

/// The browser, under one of its names. Where everything has to be there (CI), its lack is a failure.
pub fn find_browser() -> Option<&'static str> {
    let found = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| {
        let version = Command::new(name).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    });
    if found.is_none() {
        assert!(!must_be_there(), "there is no chromium to show the page to: install it");
        eprintln!("skipped: there is no chromium to show the page to");
    }
    found
}

/// axe-core, where `scripts/test` has installed it.
pub fn find_axe() -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/node_modules/axe-core/axe.min.js");
    let found = std::fs::read_to_string(path).ok();
    if found.is_none() {
        assert!(!must_be_there(), "there is no axe-core: npm ci --prefix tests/browser");
        eprintln!("skipped: there is no axe-core (npm ci --prefix tests/browser)");
    }
    found
}

fn must_be_there() -> bool {
    let is = |name: &str, value: &str| std::env::var_os(name).is_some_and(|found| found == value);
    is("CI", "true") || is("WIREBENCH_REQUIRE_PEERS", "1")
}

/// A running browser. It ends with this.
pub struct Browser {
    child: Child,
    to: File,
    from: Receiver<Value>,
    last_id: u64,
    events: Vec<Value>,
    _folder: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a page is shown.
#[derive(Clone, Copy)]
pub struct Screen {
    pub width: u32,
    pub height: u32,
    pub dark: bool,
    pub scripts: bool,
}

impl Screen {
    pub const DESKTOP: Screen = Screen { width: 1280, height: 900, dark: false, scripts: true };
    pub const PHONE: Screen = Screen { width: 320, height: 640, ..Screen::DESKTOP };
}

impl Browser {
    pub fn start(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pipes: [PathBuf; 2] = ["in", "out"].map(|name| folder.path().join(name));
        for pipe in &pipes {
            nix::unistd::mkfifo(pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        }
        let child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<\"$PIPE_IN\" 4>\"$PIPE_OUT\"", name])
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .env("PIPE_IN", &pipes[0])
            .env("PIPE_OUT", &pipes[1])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let to = OpenOptions::new().write(true).open(&pipes[0]).unwrap();
        let mut reader = BufReader::new(File::open(&pipes[1]).unwrap());
        let (sender, from) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while reader.read_until(0, &mut message).is_ok_and(|read| read > 0) {
                message.pop();
                let Ok(value) = serde_json::from_slice(&message) else { break };
                if sender.send(value).is_err() {
                    break;
                }
                message.clear();
            }
        });
        Self { child, to, from, last_id: 0, events: Vec::new(), _folder: folder }
    }

    /// Sends a command and waits for what it gives.
    fn ask(&mut self, session: Option<&str>, method: &str, params: Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = serde_json::to_vec(&message).unwrap();
        bytes.push(0);
        self.to.write_all(&bytes).unwrap();
        loop {
            let answer = self.next(method);
            if answer["id"] == id {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
            self.events.push(answer);
        }
    }

    fn next(&self, what: &str) -> Value {
        match self.from.recv_timeout(PATIENCE) {
            Ok(message) => message,
            Err(error) => panic!("the browser says nothing while the test waits for {what}: {error}"),
        }
    }

    /// Opens a file and waits until it is loaded.
    pub fn open(&mut self, file: &Path, hash: &str, screen: Screen) -> Page<'_> {
        let target = self.ask(None, "Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session =
            self.ask(None, "Target.attachToTarget", attach)["sessionId"].as_str().unwrap().to_owned();
        let target = target["targetId"].clone();
        let mut page = Page { browser: self, session, target };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.ask(&format!("{domain}.enable"), json!({}));
        }
        page.show_on(screen);
        page.browser.events.clear();
        page.ask("Page.navigate", json!({ "url": format!("file://{}{hash}", file.display()) }));
        page.wait_for("Page.loadEventFired");
        page
    }
}

/// A page that is shown.
pub struct Page<'a> {
    browser: &'a mut Browser,
    session: String,
    target: Value,
}

impl Drop for Page<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let target = self.target.clone();
            self.browser.ask(None, "Target.closeTarget", json!({ "targetId": target }));
        }
    }
}

impl Page<'_> {
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        let session = self.session.clone();
        self.browser.ask(Some(&session), method, params)
    }

    fn wait_for(&mut self, event: &str) {
        while !self.browser.events.iter().any(|seen| seen["method"] == event) {
            let message = self.browser.next(event);
            self.browser.events.push(message);
        }
    }

    /// Changes size and scheme.
    pub fn show_on(&mut self, screen: Screen) {
        let Screen { width, height, dark, scripts } = screen;
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.ask("Emulation.setDeviceMetricsOverride", metrics);
        let scheme = if dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.ask("Emulation.setEmulatedMedia", features);
        self.ask("Emulation.setScriptExecutionDisabled", json!({ "value": !scripts }));
    }

    /// Shows it as on paper.
    pub fn print_media(&mut self) {
        self.ask("Emulation.setEmulatedMedia", json!({ "media": "print" }));
    }

    /// What an expression gives; promises are waited for.
    pub fn eval(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.ask("Runtime.evaluate", params);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Presses a key where the focus is, as `Tab` or `ArrowRight`.
    pub fn press(&mut self, key: &str) {
        let code = match key {
            "Tab" => 9,
            "ArrowRight" => 39,
            " " => 32,
            _ => 13,
        };
        let text = if key == "Enter" {
            "\r"
        } else if key == " " {
            " "
        } else {
            ""
        };
        for kind in ["keyDown", "keyUp"] {
            let mut params = json!({ "type": kind, "key": key, "windowsVirtualKeyCode": code });
            if kind == "keyDown" && !text.is_empty() {
                params["text"] = json!(text);
            }
            self.ask("Input.dispatchKeyEvent", params);
        }
    }

    /// Errors on the console, and requests for anything but the page itself.
    pub fn complaints(&mut self) -> Vec<String> {
        // What is under way is told before the answer.
        self.eval("new Promise(done => setTimeout(done, 50))");
        let mut found = Vec::new();
        for event in &self.browser.events {
            let params = &event["params"];
            match event["method"].as_str().unwrap_or_default() {
                "Runtime.exceptionThrown" => found.push(params["exceptionDetails"].to_string()),
                "Runtime.consoleAPICalled" if params["type"] != "log" => {
                    found.push(params["args"].to_string());
                }
                "Log.entryAdded" => found.push(params["entry"].to_string()),
                "Network.requestWillBeSent" if params["type"] != "Document" => {
                    found.push(format!("a request for {}", params["request"]["url"]));
                }
                _ => {}
            }
        }
        found
    }

    /// A picture of the whole page.
    pub fn picture(&mut self, path: &Path) {
        let params = json!({ "captureBeyondViewport": true });
        let answer = self.ask("Page.captureScreenshot", params);
        std::fs::write(path, decoded(&answer["data"])).unwrap();
    }

    /// The page as a PDF with its headings as bookmarks.
    pub fn pdf(&mut self) -> Vec<u8> {
        let params =
            json!({ "generateTaggedPDF": true, "generateDocumentOutline": true, "preferCSSPageSize": true });
        decoded(&self.ask("Page.printToPDF", params)["data"])
    }
}

fn decoded(data: &Value) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(data.as_str().unwrap()).unwrap()
}
