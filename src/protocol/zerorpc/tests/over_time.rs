//! Heartbeats and credit, with times that are passed in.

use super::*;

#[test]
fn the_server_beats_every_five_seconds_and_gives_a_silent_client_up_after_three() {
    let mut server = server();
    let call = call(&mut server, 1, &request(b"\xc4\x01a", b"\xa1v\x03", "getObj", b"\x90"), 0);
    let (mut outbox, mut lost) = (Vec::new(), Vec::new());
    assert_eq!(server.tick(4 * S, &mut outbox, &mut lost), Some(5 * S));
    assert_eq!(server.tick(5 * S, &mut outbox, &mut lost), Some(10 * S));
    assert_eq!(server.tick(10 * S, &mut outbox, &mut lost), Some(15 * S));
    let beat = || ("_zpc_hb".to_owned(), b"\x91\x00".to_vec());
    assert_eq!(names(&outbox), [beat(), beat()]);
    assert!(outbox.iter().all(|posted| posted.to == from(1)));
    assert_eq!(Event::parse(&outbox[0].body).unwrap().response_to, Some(&b"\xc4\x01a"[..]));
    assert_eq!(lost, []);
    assert_eq!(server.tick(15 * S, &mut outbox, &mut lost), None);
    assert_eq!(lost, [call]);
}

#[test]
fn a_client_that_beats_keeps_its_call_for_as_long_as_it_likes() {
    let mut server = server();
    call(&mut server, 1, &request(b"\xc4\x01a", b"\xa1v\x03", "getObj", b"\x90"), 0);
    let (mut outbox, mut lost) = (Vec::new(), Vec::new());
    for beat in 1..=20 {
        ask(&mut server, 100 + beat, &event_on(b"\xc4\x01a", "_zpc_hb", b"\x91\x00"), beat * 5 * S - 1);
        server.tick(beat * 5 * S, &mut outbox, &mut lost);
    }
    assert_eq!((outbox.len(), lost.len()), (20, 0));
    // The same id with another type, or from another peer, is another channel.
    ask(&mut server, 200, &event_on(b"\xa1a", "_zpc_hb", b"\x91\x00"), 104 * S);
    let body = event_on(b"\xc4\x01a", "_zpc_hb", b"\x91\x00");
    let stranger = Incoming {
        reply_to: ReplyTo { peer: 8, id: 1 },
        path: None,
        body: &body,
        deadline_ns: None,
        key: None,
    };
    server.open(stranger, 104 * S, &mut Vec::new());
    server.tick(105 * S, &mut outbox, &mut lost);
    server.tick(110 * S, &mut outbox, &mut lost);
    assert_eq!(lost.len(), 1);
}

#[test]
fn a_client_of_version_1_is_never_asked_for_heartbeats() {
    let mut server = server();
    call(&mut server, 1, &request(b"\xa1a", b"", "getObj", b"\x90"), 0);
    let (mut outbox, mut lost) = (Vec::new(), Vec::new());
    for now in 1..40 {
        server.tick(now * 5 * S, &mut outbox, &mut lost);
    }
    assert_eq!((outbox.len(), lost.len()), (0, 0));
}

#[test]
fn the_server_sends_one_item_and_then_as_many_as_it_is_allowed() {
    let mut server = server();
    let call = call(&mut server, 1, &request(b"\xa1a", b"\xa1v\x03", "feed", b"\x90"), 0);
    let item = |server: &mut Server| server.begin_reply(call, true, &mut Vec::new());
    assert!(server.may_send(call));
    item(&mut server);
    assert!(!server.may_send(call));
    ask(&mut server, 2, &event_on(b"\xa1a", "_zpc_hb", b"\x91\x02"), 0);
    assert!(!server.may_send(call), "from version 3 heartbeats carry no credit");
    for garbage in [&b"\xc0"[..], b"\x90", b"\x91\xa1x", b"\x91\xff", b""] {
        ask(&mut server, 2, &event_on(b"\xa1a", "_zpc_more", garbage), 0);
        assert!(!server.may_send(call));
    }
    ask(&mut server, 2, &event_on(b"\xa1a", "_zpc_more", b"\x91\x02"), 0);
    item(&mut server);
    item(&mut server);
    assert!(!server.may_send(call));
    ask(&mut server, 2, &event_on(b"\xa1a", "_zpc_more", b"\x91\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), 0);
    ask(&mut server, 2, &event_on(b"\xa1a", "_zpc_more", b"\x91\xce\xff\xff\xff\xff"), 0);
    ask(&mut server, 2, &event_on(b"\xa1a", "_zpc_more", b"\x91\xce\xff\xff\xff\xff"), 0);
    assert!(server.may_send(call));
    let mut end = Vec::new();
    server.end_stream(call, &mut end);
    let end = Event::parse(&end).unwrap();
    assert_eq!((end.name, end.args), (Some("STREAM_DONE"), &b"\xc0"[..]));
}

#[test]
fn before_version_3_heartbeats_are_credit() {
    let mut server = server();
    let call = call(&mut server, 1, &request(b"\xa1a", b"\xa1v\x02", "feed", b"\x90"), 0);
    server.begin_reply(call, true, &mut Vec::new());
    ask(&mut server, 2, &event_on(b"\xa1a", "_zpc_hb", b"\x91\x01"), 0);
    assert!(server.may_send(call));
}

#[test]
fn a_client_gives_credit_as_the_real_one_does() {
    let (mut client, mut server) = (client(), server());
    let mut body = Vec::new();
    client.begin_call(5, 2, 0, &mut body);
    body.push(0x90);
    let call = call(&mut server, 1, &body, 0);
    let mut given = Vec::new();
    for item in 0..260_u32 {
        let mut outbox = Vec::new();
        let mut message = Vec::new();
        server.begin_reply(call, true, &mut message);
        message.push(7);
        let opened = client.open(None, &message, 0, &mut outbox);
        assert_eq!(opened, Ok(Opened::Item { id: 5, body: &[7] }));
        given.extend(names(&outbox).into_iter().map(|(name, args)| (item, name, args)));
    }
    let more = |item, args: &[u8]| (item, "_zpc_more".to_owned(), args.to_vec());
    let expected = [
        more(0, b"\x91\x64"),
        more(51, b"\x91\x33"),
        more(102, b"\x91\x33"),
        more(153, b"\x91\x33"),
        more(204, b"\x91\x33"),
        more(255, b"\x91\x33"),
    ];
    assert_eq!(given, expected);
}

#[test]
fn ten_thousand_items_pass_under_credit() {
    let (mut client, mut server) = (client(), server());
    let mut body = Vec::new();
    client.begin_call(9, 2, 0, &mut body);
    body.push(0x90);
    let call = call(&mut server, 1, &body, 0);
    let (mut sent, mut received, mut in_inbox) = (0_u32, 0_u32, 0);
    let mut wire = std::collections::VecDeque::new();
    while received < 10_000 {
        while sent < 10_000 && server.may_send(call) {
            let mut message = Vec::new();
            server.begin_reply(call, true, &mut message);
            message.extend_from_slice(&sent.to_be_bytes());
            wire.push_back(message);
            sent += 1;
        }
        in_inbox = in_inbox.max(wire.len());
        let message = wire.pop_front().expect("the credit never runs dry");
        let mut outbox = Vec::new();
        let opened = client.open(None, &message, 0, &mut outbox);
        assert_eq!(opened, Ok(Opened::Item { id: 9, body: &received.to_be_bytes() }));
        received += 1;
        for posted in outbox {
            assert_eq!(ask(&mut server, 2, &posted.body, 0), Asked::Nothing);
        }
    }
    assert!(in_inbox <= 100, "{in_inbox}");
    let mut end = Vec::new();
    server.end_stream(call, &mut end);
    server.finish(call);
    let mut outbox = Vec::new();
    assert_eq!(client.open(None, &end, 0, &mut outbox), Ok(Opened::End { id: 9 }));
    assert_eq!(client.open(None, &end, 0, &mut outbox), Ok(Opened::Nothing));
}

#[test]
fn a_client_that_waits_seventeen_seconds_beats_three_times() {
    let (mut client, mut server) = (client(), server());
    let mut body = Vec::new();
    client.begin_call(1, 1, 0, &mut body);
    body.push(0x90);
    let call = call(&mut server, 1, &body, 0);
    let (mut from_client, mut from_server) = (Vec::new(), Vec::new());
    let (mut lost_calls, mut lost_keys) = (Vec::new(), Vec::new());
    for now in 1..=17 {
        client.tick(now * S, &mut from_client, &mut lost_calls);
        server.tick(now * S, &mut from_server, &mut lost_keys);
        if now % 5 == 0 {
            ask(&mut server, 2, &from_client.last().unwrap().body, now * S);
            client.open(None, &from_server.last().unwrap().body, now * S, &mut Vec::new()).unwrap();
        }
    }
    assert_eq!((lost_calls.len(), lost_keys.len()), (0, 0));
    assert_eq!(names(&from_client), vec![("_zpc_hb".to_owned(), b"\x91\x00".to_vec()); 3]);
    let mut reply = Vec::new();
    server.begin_reply(call, false, &mut reply);
    reply.push(1);
    let opened = client.open(None, &reply, 17 * S, &mut Vec::new());
    assert_eq!(opened, Ok(Opened::Answer { id: 1, body: &[1] }));
    assert_eq!(client.tick(100 * S, &mut from_client, &mut lost_calls), None, "a closed channel is silent");
}

#[test]
fn a_client_gives_a_silent_server_up_and_forgets_what_its_caller_forgot() {
    let mut client = client();
    for id in [1, 2] {
        client.begin_call(id, 1, 0, &mut Vec::new());
    }
    client.forget(2);
    client.forget(2);
    let (mut outbox, mut lost) = (Vec::new(), Vec::new());
    for now in [5, 10, 15] {
        client.tick(now * S, &mut outbox, &mut lost);
    }
    assert_eq!(lost, [1]);
    assert_eq!(outbox.len(), 2);
}
