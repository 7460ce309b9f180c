//! A back end's server is started, found ready, and a failure to start says what to do.

// Clippy sees no tests outside `#[test]` functions; the helpers here are nothing else.
#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use wirebench::host::server::{RunningServer, ServerCommand, ServerSpec, start};
use wirebench::host::{HostError, use_binary};

const SERVICE: &str = r#"{"service": "seed", "seed": 1, "methods": {
    "getObj": {"params": [], "returns": {"text": {}}, "answer": {"value": {"text": "lqz nb"}}}}}"#;

/// Our binary, with a `serve` that needs no protocol: a program that says it listens and accepts.
fn binary() {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let serve = "import socket, sys
assert sys.argv[1:3] == ['serve', '--service-file'] and 'getObj' in open(sys.argv[3]).read()
listener = socket.create_server(('127.0.0.1', 0))
print('{\"listening\": \"127.0.0.1:%d\", \"protocol\": \"none\"}' % listener.getsockname()[1], flush=True)
while True: listener.accept()
";
        fs::write(folder.path().join("serve.py"), serve).unwrap();
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = serve ] && exec python3 {:?} \"$@\"\nexec {:?} \"$@\"\n",
            folder.path().join("serve.py"),
            env!("CARGO_BIN_EXE_wirebench")
        );
        let path = folder.path().join("wirebench");
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        folder
    });
    use_binary(folder.path().join("wirebench"));
}

fn spec(command: ServerCommand) -> ServerSpec {
    binary();
    ServerSpec {
        name: "tested".into(),
        command,
        cpus: Vec::new(),
        service_json: SERVICE.into(),
        folder: Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"),
        ready_timeout: Duration::from_secs(20),
        stop: Arc::default(),
    }
}

fn foreign(argv: &[&str]) -> ServerSpec {
    spec(ServerCommand::Foreign { argv: argv.iter().map(ToString::to_string).collect() })
}

fn connects(address: &str) -> Result<(), String> {
    TcpStream::connect(address).map(drop).map_err(|error| error.to_string())
}

fn answers_xmlrpc(address: &str) -> Result<(), String> {
    let body = "<?xml version='1.0'?><methodCall><methodName>getObj</methodName></methodCall>";
    let call = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        write!(stream, "POST /RPC2 HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = call().map_err(|error| error.to_string())?;
    if answer.contains("lqz nb") { Ok(()) } else { Err(answer) }
}

fn start_failing(spec: &ServerSpec) -> HostError {
    start(spec, &mut connects).map(drop).unwrap_err()
}

#[test]
fn a_python_peer_is_found_from_the_scenarios_folder_and_answers() {
    let peer = "scripts/peers/python/xmlrpc_server.py";
    let server =
        start(&foreign(&["{python}", peer, "--host", "{host}", "--port", "{port}"]), &mut answers_xmlrpc)
            .unwrap();
    let RunningServer { address, .. } = &server;
    answers_xmlrpc(address).unwrap();
    let service: PathBuf = server.service_file();
    assert!(service.exists());
    let address = address.clone();
    drop(server);
    assert!(!service.exists());
    assert!(connects(&address).is_err());
}

#[test]
fn our_own_server_is_asked_where_it_listens() {
    let args = ["serve", "--service-file", "{service}"].map(String::from).to_vec();
    let server = start(&spec(ServerCommand::Ours { args }), &mut connects).unwrap();
    connects(&server.address).unwrap();
}

#[test]
fn a_server_that_lost_its_port_gets_another() {
    let folder = tempfile::tempdir().unwrap();
    let lost = folder.path().join("lost");
    let script = format!(
        "[ $(cat {lost:?} 2>/dev/null | wc -l) -lt 2 ] || exec {{python}} -m http.server --bind {{host}} {{port}}
         echo {{port}} >> {lost:?}; echo 'bind: Address already in use' >&2; exit 1",
    );
    let server = start(&foreign(&["sh", "-c", &script]), &mut connects).unwrap();
    let ports = fs::read_to_string(&lost).unwrap();
    assert_eq!(ports.lines().count(), 2);
    assert!(ports.lines().all(|port| !server.address.ends_with(&format!(":{port}"))));
}

#[test]
fn a_server_that_never_gets_a_port_fails_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let tries = folder.path().join("tries");
    let script = format!("echo >> {tries:?}; echo EADDRINUSE >&2; exit 1");
    assert!(matches!(start_failing(&foreign(&["sh", "-c", &script])), HostError::Died { .. }));
    assert_eq!(fs::read_to_string(&tries).unwrap().lines().count(), 5);
}

#[test]
fn a_server_that_dies_is_quoted_at_once() {
    let failed = start_failing(&foreign(&["sh", "-c", "echo out of luck >&2; exit 9"])).to_string();
    assert!(failed.starts_with("tested exited with code 9 before it was ready"), "{failed}");
    assert!(failed.ends_with("out of luck"), "{failed}");
}

#[test]
fn a_server_that_answers_nothing_fails_with_the_last_reason() {
    let mut spec = foreign(&["sleep", "100"]);
    spec.ready_timeout = Duration::from_millis(50);
    let asked = Cell::new(0);
    let failed = start(&spec, &mut |_| {
        asked.set(asked.get() + 1);
        Err(format!("refused {}", asked.get()))
    });
    match failed.unwrap_err() {
        HostError::NotReady { reason, .. } => assert_eq!(reason, format!("refused {}", asked.get())),
        other => panic!("{other}"),
    }
    assert!(asked.get() > 1);
}

#[test]
fn a_missing_command_and_a_missing_package_say_how_to_get_them() {
    let missing = start_failing(&foreign(&["no-such-server", "{port}"]));
    assert!(matches!(missing, HostError::CommandMissing { .. }), "{missing}");
    // -S: without installed packages.
    let peer = "scripts/peers/python/zerorpc_server.py";
    match start_failing(&foreign(&["python3", "-S", peer, "--port", "{port}"])) {
        HostError::MissingPeer { what, how_to_get_it } => {
            assert_eq!(what, "package gevent");
            assert_eq!(how_to_get_it, "run ./scripts/setup-python");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn the_peers_draw_the_same_random_numbers_as_our_servers() {
    let script = "import sys; sys.path.insert(0, 'scripts/peers/python')
from service import Random
random = Random.labelled(42, 'service').at(7)
print(random.bits(), random.below(1000), repr(random.unit()))";
    let python = std::process::Command::new("python3").args(["-c", script]).output().unwrap();
    let mut random = wirebench::rpc::random::Random::labelled(42, "service").at(7);
    let ours = format!("{} {} {:?}\n", random.next_u64(), random.below(1_000), random.unit());
    assert_eq!(String::from_utf8(python.stdout).unwrap(), ours);
}
