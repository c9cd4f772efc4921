//! What RFC 6455 wants of a server, frame by frame.

use super::*;

fn frame(opcode: OpCode, is_final: bool, payload: &[u8]) -> Vec<u8> {
    let mask = [1, 2, 3, 4];
    let mut bytes = Vec::new();
    FrameHeader { is_final, opcode, mask: Some(mask), ..FrameHeader::default() }
        .format(payload.len() as u64, &mut bytes)
        .unwrap();
    let mut payload = payload.to_vec();
    unmask(&mut payload, mask);
    bytes.extend(payload);
    bytes
}

const BINARY: OpCode = OpCode::Data(Data::Binary);

async fn read_all(bytes: &[u8], max: usize) -> Result<Vec<Message>, SocketError> {
    let (mut client, server) = tokio::io::duplex(1 << 20);
    client.write_all(bytes).await.unwrap();
    drop(client);
    let mut socket = WebSocket::new(server, &[], max);
    let mut messages = Vec::new();
    loop {
        match socket.next().await? {
            Message::Closed => return Ok(messages),
            message => messages.push(message),
        }
    }
}

#[tokio::test]
async fn messages_arrive_whole_whatever_their_size_and_nothing_is_held_after_them() {
    for size in [0, 1, 7, 125, 126, 4095, 4096, 65_535, 65_536, 66_000] {
        let payload: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
        let (mut client, server) = tokio::io::duplex(1000);
        let bytes = frame(BINARY, true, &payload);
        let writing = tokio::spawn(async move { client.write_all(&bytes).await });
        let mut socket = WebSocket::new(server, &[], 70_000);
        assert_eq!(socket.next().await.unwrap(), Message::Binary(payload.into()));
        assert_eq!(socket.input.capacity(), 0, "{size} bytes leave no buffer behind");
        writing.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_ping_between_fragments_is_answered_and_the_message_still_comes_whole() {
    let mut bytes = frame(BINARY, false, b"one ");
    bytes.extend(frame(OpCode::Control(Control::Ping), true, b"!"));
    bytes.extend(frame(OpCode::Data(Data::Continue), true, b"message"));
    let messages = read_all(&bytes, 100).await.unwrap();
    assert_eq!(messages, [Message::Ping("!".into()), Message::Binary("one message".into())]);
}

#[tokio::test]
async fn a_length_of_four_gigabytes_is_refused_before_anything_is_allocated() {
    let mut bytes = vec![0x82, 0xff];
    bytes.extend((4u64 << 30).to_be_bytes());
    bytes.extend([0; 4]);
    let error = read_all(&bytes, 65_000).await.unwrap_err();
    assert!(matches!(error, SocketError::TooLarge { got_bytes: 4_294_967_296, .. }), "{error}");
}

#[tokio::test]
async fn fragments_cannot_add_up_to_more_than_a_message_may_have() {
    let mut bytes = frame(BINARY, false, &[0; 60]);
    bytes.extend(frame(OpCode::Data(Data::Continue), true, &[0; 60]));
    assert!(matches!(read_all(&bytes, 100).await, Err(SocketError::TooLarge { got_bytes: 120, .. })));
}

#[tokio::test]
async fn what_rfc_6455_forbids_is_refused() {
    let unmasked = [0x82, 0x01, 0x00];
    let reserved = {
        let mut bytes = frame(BINARY, true, b"x");
        bytes[0] |= 0x40;
        bytes
    };
    let long_ping = frame(OpCode::Control(Control::Ping), true, &[0; 126]);
    let stray = frame(OpCode::Data(Data::Continue), true, b"x");
    let unknown = {
        let mut bytes = frame(BINARY, true, b"x");
        bytes[0] = 0x83;
        bytes
    };
    let nested = {
        let mut bytes = frame(BINARY, false, b"x");
        bytes.extend(frame(BINARY, true, b"y"));
        bytes
    };
    for bytes in [&unmasked[..], &reserved, &long_ping, &stray, &unknown, &nested] {
        assert!(matches!(read_all(bytes, 1000).await, Err(SocketError::Protocol { .. })), "{bytes:?}");
    }
    let text = frame(OpCode::Data(Data::Text), true, b"hello");
    assert!(matches!(read_all(&text, 1000).await, Err(SocketError::Text)));
}

#[tokio::test]
async fn a_message_cut_at_any_byte_is_no_message() {
    let whole = frame(BINARY, true, &[7; 300]);
    for end in 0..whole.len() {
        assert_eq!(read_all(&whole[..end], 1000).await.unwrap(), [], "cut at {end}");
    }
}

#[tokio::test]
async fn a_goodbye_is_answered_with_its_own_code() {
    let closing = |payload: &[u8]| frame(OpCode::Control(Control::Close), true, payload);
    for code in [1000_u16, 1001, 1011, 3000, 3999, 4000, 4999] {
        let payload = [&code.to_be_bytes()[..], "bis später".as_bytes()].concat();
        assert_eq!(read_all(&closing(&payload), 100).await.unwrap(), [Message::Goodbye(code)]);
    }
    assert_eq!(read_all(&closing(b""), 100).await.unwrap(), [Message::Goodbye(1000)], "one without a code");
}

#[tokio::test]
async fn a_goodbye_that_rfc_6455_forbids_is_refused() {
    let closing = |payload: &[u8]| frame(OpCode::Control(Control::Close), true, payload);
    assert!(matches!(read_all(&closing(&[3]), 100).await, Err(SocketError::Protocol { .. })));
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
        let read = read_all(&closing(&code.to_be_bytes()), 100).await;
        assert!(matches!(read, Err(SocketError::Protocol { .. })), "{code}: {read:?}");
    }
    let read = read_all(&closing(&[0x03, 0xe8, 0xed, 0xa0, 0x80]), 100).await;
    assert_eq!(read.unwrap_err().close_code(), 1007);
}
