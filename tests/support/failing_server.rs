//! An XML-RPC server with a fault, in nothing but Python's standard library.

use super::Sandbox;

/// What is wrong with it.
#[derive(Debug, Clone, Copy)]
pub enum FailingServer {
    /// Nothing.
    Healthy,
    /// Ends at once, with words.
    CrashesAtStart,
    /// Accepts connections and never answers.
    NeverAnswers,
    /// Answers everything with what is no HTTP.
    SpeaksGarbage,
    /// Answers some calls, then ends with code 0.
    Exits,
    /// Answers some calls, then kills itself.
    IsKilled,
    /// Answers some calls, then never again.
    Hangs,
    /// Answers some calls, then what is no HTTP.
    TurnsToGarbage,
    /// Answers some calls, then wrongly.
    AnswersWrongly,
    /// Answers, and cannot be asked to end.
    IgnoresSigterm,
}

const SERVER: &str = r#"
import os, signal, socket, subprocess, sys, time
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

fault, port = sys.argv[1], int(sys.argv[2])
good_calls = 50
calls = 0

def say(words):
    print(words, file=sys.stderr, flush=True)

if fault == "CrashesAtStart":
    say("cannot open the database")
    sys.exit(7)
if fault in ("NeverAnswers", "SpeaksGarbage"):
    listener = socket.create_server(("127.0.0.1", port))
    say("listening and up to no good")
    kept = []
    while True:
        connection, _ = listener.accept()
        kept.append(connection)
        if fault == "SpeaksGarbage":
            connection.sendall(b"\x00\xff garbage\r\n\r\n")
            connection.recv(65536)
            kept.clear()
if fault == "IgnoresSigterm":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)"],
                     start_new_session=True)

class Handler(SimpleXMLRPCRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self):
        if fault == "TurnsToGarbage" and calls >= good_calls:
            self.wfile.write(b"\x00\xff garbage\r\n\r\n")
            self.wfile.flush()
            self.close_connection = True
            return
        super().do_POST()

def get():
    global calls
    calls += 1
    if calls > good_calls:
        if fault == "Exits":
            say("had enough after %d calls" % good_calls)
            os._exit(0)
        if fault == "IsKilled":
            say("these are my last words")
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "Hangs":
            time.sleep(1000)
        if fault == "AnswersWrongly":
            return "wrong"
    return "right"

server = SimpleXMLRPCServer(("127.0.0.1", port), requestHandler=Handler, logRequests=False)
server.register_function(get, "get")
server.serve_forever()
"#;

/// Writes the server into the sandbox and returns the `[backends.NAME]` table for it. The scenario
/// needs a method `get` that returns the text `right`.
pub fn failing_backend(sandbox: &Sandbox, name: &str, fault: FailingServer) -> String {
    let script = sandbox.write("failing_server.py", SERVER);
    format!(
        "[backends.{name}]\nprotocol = \"xmlrpc\"\ncommand = [\"python3\", {:?}, \"{fault:?}\", \"{{port}}\"]\n",
        script.display().to_string()
    )
}
