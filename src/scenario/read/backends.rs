//! Reads `[backends]`.

use super::node::{Node, Read, Section};
use super::words::{closest, join, quote};
use crate::scenario::{Backend, BackendKind, Catalogue, Compression, Hosting, Listen, ProtoFiles, ServerUrl};

/// What a command may leave open.
const PLACEHOLDERS: [&str; 3] = ["python", "host", "port"];

/// Reads every back end.
pub(super) fn read_backends(node: &Node<'_>, catalogue: &dyn Catalogue) -> Read<Vec<Backend>> {
    node.entries()?.iter().map(|entry| read_backend(entry, catalogue)).collect()
}

fn read_backend(node: &Node<'_>, catalogue: &dyn Catalogue) -> Read<Backend> {
    // Names stand in flags with commas between them and in file names.
    let allowed = |character: char| character.is_ascii_alphanumeric() || "_.-".contains(character);
    let starts = node.name.starts_with(|first: char| first.is_ascii_alphanumeric());
    if !starts || !node.name.chars().all(allowed) || node.name.len() > super::keys::LONGEST_NAME {
        return Err(node
            .name_problem("not the name of a back end")
            .with_help("allowed: a letter or digit, then letters, digits, `_`, `.` and `-`, 100 at most"));
    }
    let section = node.section()?;
    let url = section.get("url").map(|node| read_url(node, catalogue)).transpose()?;
    let kind = match &url {
        Some((_, protocol)) => {
            for other in ["codec", "transport", "command", "server_threads", "listen"] {
                section.exclusive("url", other)?;
            }
            check_same_protocol(&section, protocol)?;
            BackendKind::Protocol(protocol.clone())
        }
        None => read_kind(&section, catalogue)?,
    };
    let hosting = read_hosting(&section, url.map(|(url, _)| url))?;
    let flag = |name: &str| section.get(name).map_or(Ok(false), Node::boolean);
    Ok(Backend {
        name: node.name.to_owned(),
        kind,
        hosting,
        command: section.get("command").map(read_command).transpose()?,
        optional: flag("optional")?,
        xmlrpc_i8: flag("xmlrpc_i8")?,
        server_threads: section.get("server_threads").map(Node::small).transpose()?,
        proto: read_proto(&section)?,
        service: section.get("service").map(|node| node.text().map(str::to_owned)).transpose()?,
        metadata: match section.get("metadata") {
            Some(node) => {
                let pair = |entry: &Node<'_>| Ok((entry.name.to_owned(), entry.text()?.to_owned()));
                node.entries()?.iter().map(pair).collect::<Read<_>>()?
            }
            None => Vec::new(),
        },
        listen: read_listen(&section)?,
        compression: match section.get("compression") {
            Some(node) => Compression::from_name(node.choice()?).unwrap_or_default(),
            None => Compression::default(),
        },
    })
}

fn read_proto(section: &Section<'_>) -> Read<Option<ProtoFiles>> {
    let is_foreign = section.get("url").is_some() || section.get("command").is_some();
    for key in ["proto", "service"] {
        if let (Some(node), false) = (section.get(key), is_foreign) {
            return Err(node.name_problem("describes a server of your own").with_help(
                "give its `url` or the `command` that starts it; ours offers the methods of the scenario",
            ));
        }
    }
    let path = |node: &Node<'_>| Ok(node.folder.join(node.text()?));
    match (section.get("proto"), section.get("proto_include")) {
        (None, Some(node)) => Err(node.name_problem("there is no `proto` to find imports for")),
        (None, None) => Ok(None),
        (Some(file), include) => Ok(Some(ProtoFiles {
            file: path(file)?,
            include: match include {
                Some(node) => node.items()?.iter().map(path).collect::<Read<_>>()?,
                None => Vec::new(),
            },
            compiled: None,
        })),
    }
}

fn read_listen(section: &Section<'_>) -> Read<Listen> {
    let Some(node) = section.get("listen") else { return Ok(Listen::default()) };
    let listen = Listen::from_name(node.choice()?).unwrap_or_default();
    if section.get("hosting").is_some_and(|hosting| hosting.choice() == Ok("in-process"))
        && listen != Listen::Tcp
    {
        return Err(node.problem("a server within the client listens on TCP").with_help("remove `listen`"));
    }
    if section.get("command").is_some() && listen != Listen::Tcp {
        return Err(node
            .problem("a command is told a host and a port")
            .with_help("remove `listen`, or start the server yourself and give its `url`"));
    }
    Ok(listen)
}

fn read_url(node: &Node<'_>, catalogue: &dyn Catalogue) -> Read<(ServerUrl, String)> {
    let url = ServerUrl::parse(node.text()?).map_err(|why| {
        node.problem(format!("not the address of a server: {why}"))
            .with_help("for example grpc+http://127.0.0.1:50051")
    })?;
    let schemes = catalogue.schemes();
    match schemes.iter().find(|(scheme, _)| *scheme == url.scheme) {
        Some((_, protocol)) => {
            let protocol = (*protocol).to_owned();
            Ok((url, protocol))
        }
        None => Err(node.problem(format!("unknown scheme {}", quote(&url.scheme))).with_help(format!(
            "allowed: {}",
            join(schemes.iter().map(|(scheme, _)| format!("{scheme}://")))
        ))),
    }
}

fn check_same_protocol(section: &Section<'_>, protocol: &str) -> Read<()> {
    match section.get("protocol") {
        Some(node) if node.text()? != protocol => Err(node
            .problem(format!("the url says {protocol}"))
            .with_help("remove `protocol`: the scheme of the url names it")),
        _ => Ok(()),
    }
}

fn read_kind(section: &Section<'_>, catalogue: &dyn Catalogue) -> Read<BackendKind> {
    section.exclusive("protocol", "codec")?;
    section.exclusive("protocol", "transport")?;
    if let Some(node) = section.get("protocol") {
        return known(node, "protocol", &catalogue.protocols()).map(BackendKind::Protocol);
    }
    match (section.get("codec"), section.get("transport")) {
        (Some(codec), Some(transport)) => Ok(BackendKind::Pair {
            codec: known(codec, "codec", &catalogue.codecs())?,
            transport: known(transport, "transport", &catalogue.transports())?,
        }),
        (Some(codec), None) => Err(codec
            .name_problem("a free pair needs `transport` too")
            .with_help(format!("transports: {}", join(catalogue.transports())))),
        (None, Some(transport)) => Err(transport
            .name_problem("a free pair needs `codec` too")
            .with_help(format!("codecs: {}", join(catalogue.codecs())))),
        (None, None) => Err(section.node().name_problem("which protocol?").with_help(format!(
            "give `protocol` ({}), `codec` and `transport`, or `url`",
            join(catalogue.protocols())
        ))),
    }
}

fn known(node: &Node<'_>, what: &str, names: &[&str]) -> Read<String> {
    let name = node.text()?;
    if names.contains(&name) {
        return Ok(name.to_owned());
    }
    let allowed = join(names);
    Err(node.problem(format!("unknown {what} {}", quote(name))).with_help(
        match closest(name, names.iter().copied()) {
            Some(meant) => format!("did you mean \"{meant}\"? allowed: {allowed}"),
            None => format!("allowed: {allowed}"),
        },
    ))
}

fn read_hosting(section: &Section<'_>, url: Option<ServerUrl>) -> Read<Hosting> {
    let named = section.get("hosting").map(|node| Ok((node, node.choice()?))).transpose()?;
    match (named, url) {
        (None | Some((_, "external")), Some(url)) => Ok(Hosting::External(url)),
        (Some((node, _)), Some(_)) => {
            Err(node.problem("a server with a url is external").with_help("remove `hosting`"))
        }
        (Some((node, "external")), None) => Err(node
            .problem("an external server needs its `url`")
            .with_help("for example url = \"grpc+http://127.0.0.1:50051\"")),
        (Some((node, "in-process")), None) if section.get("command").is_some() => Err(node
            .problem("a command is a process of its own")
            .with_help("hosting = \"subprocess\", or remove `command`")),
        (Some((_, "in-process")), None) => Ok(Hosting::InProcess),
        (None | Some(_), None) => Ok(Hosting::Subprocess),
    }
}

fn read_command(node: &Node<'_>) -> Read<Vec<String>> {
    let mut words = Vec::new();
    let items = node.items().map_err(|problem| match node.literal().as_str() {
        Some(text) => {
            problem.with_help(format!("each word for itself, without a shell: command = {}", listed(text)))
        }
        None => problem,
    })?;
    for item in items {
        let word = item.text()?;
        if word.contains('\0') {
            return Err(item.problem("a command cannot hold a NUL character"));
        }
        check_placeholders(&item, word)?;
        words.push(word.to_owned());
    }
    if words.first().is_none_or(|program| program.trim().is_empty()) {
        return Err(node.problem("the program's name is empty"));
    }
    Ok(words)
}

/// A command line as the list that was meant: its words where no quotes hold some of them together.
fn listed(text: &str) -> String {
    const MOST_WORDS: usize = 12;
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_plain =
        |word: &&str| !word.contains(['"', '\'', '\\', '`']) && !word.chars().any(char::is_control);
    if words.is_empty() || words.len() > MOST_WORDS || !words.iter().all(is_plain) {
        return "[\"./server\", \"--port\", \"{port}\"]".to_owned();
    }
    format!("[{}]", join(words.iter().map(|word| format!("\"{word}\""))))
}

/// Refuses `{prot}`, which was surely meant to be filled in; other braces are the command's own.
fn check_placeholders(node: &Node<'_>, word: &str) -> Read<()> {
    for part in word.split('{').skip(1) {
        let Some((name, _)) = part.split_once('}') else { continue };
        if let (false, Some(meant)) = (PLACEHOLDERS.contains(&name), closest(name, PLACEHOLDERS)) {
            return Err(node
                .problem(format!("unknown placeholder {}", quote(name)))
                .with_help(format!("did you mean {{{meant}}}? allowed: {{python}}, {{host}}, {{port}}")));
        }
    }
    Ok(())
}
