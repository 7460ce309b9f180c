//! What was probably meant, where people know other words and forms.

use super::errors::{REST, check};

#[test]
fn types_by_other_names_and_lists_in_other_forms() {
    check(
        &[
            ("m.returns = \"string\"", "3:3", "did you mean \"text\"?"),
            ("m.returns = { string = { length = 3 } }", "3:15", "did you mean `text`?"),
            ("m.returns = { of = \"int\" }", "3:15", "a list is written as { list = { of = \"int\""),
            ("m.params = { a = [\"int\"] }", "3:14", "a list is written as { list = { of = \"int\""),
            ("m.returns = { list = \"int\" }", "3:15", "for example { list = { of = \"int\""),
            ("m.returns = { list = {} }", "3:15", "for example { list = { of = \"int\""),
            ("m.returns = \"array\"", "3:3", "for example { list = { of = \"int\""),
        ],
        "name = \"x\"\n[methods]\n",
        "[backends.b]\nprotocol = \"grpc\"\n",
    );
}

#[test]
fn a_command_as_a_text_is_shown_as_the_list_that_it_has_to_be() {
    let no_list = "4:1";
    check(
        &[
            (
                "command = \"./server --port {port}\"",
                no_list,
                "command = [\"./server\", \"--port\", \"{port}\"]",
            ),
            ("command = \"sh -c 'x y'\"", no_list, "for itself, without a shell: command = [\"./server\""),
        ],
        "name = \"x\"\n[backends.c]\nprotocol = \"grpc\"\n",
        REST,
    );
}
