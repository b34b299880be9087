use super::*;
use proptest::prelude::*;
use std::vec::Vec;

/// An extension.
fn extension(number: u16, value: &[u8]) -> Vec<u8> {
    [&number.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), value].concat()
}

/// A list with its length in two octets before it.
fn listed(items: &[u8]) -> Vec<u8> {
    [&(items.len() as u16).to_be_bytes()[..], items].concat()
}

fn numbers(list: &[u16]) -> Vec<u8> {
    list.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// A handshake message.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &(body.len() as u32).to_be_bytes()[1..], body].concat()
}

/// A ClientHello as an endpoint would send it.
pub(crate) fn client_hello(name: &[u8], protocols: &[&[u8]], ciphers: &[u16], versions: &[u16]) -> Vec<u8> {
    let name = listed(&[&[0][..], &listed(name)].concat());
    let protocols: Vec<u8> = protocols.iter().flat_map(|p| [&[p.len() as u8][..], p].concat()).collect();
    let extensions = [
        extension(0x3a3a, b""),
        extension(SERVER_NAME, &name),
        extension(ALPN, &listed(&protocols)),
        extension(SUPPORTED_VERSIONS, &[&[(versions.len() * 2) as u8][..], &numbers(versions)].concat()),
        extension(SIGNATURE_ALGORITHMS, &listed(&numbers(&[0x0403, 0x0804]))),
        extension(51, &[7; 300]),
    ];
    let body = [
        &[3, 3][..],
        &[0x55; 32],
        &[32],
        &[9; 32],
        &listed(&numbers(ciphers)),
        &[1, 0],
        &listed(&extensions.concat()),
    ];
    message(1, &body.concat())
}

fn read(octets: &[u8]) -> Hello {
    let mut reader = HelloReader::default();
    reader.push(octets);
    reader.hello().clone()
}

#[test]
fn a_client() {
    let octets = client_hello(
        b"broker.example",
        &[b"x-amzn-mqtt-ca", b"mqtt"],
        &[0x0a0a, 0x1301, 0xc02f],
        &[0x6a6a, 0x0304, 0x0303],
    );
    let hello = read(&octets);
    assert_eq!(hello.kind, Kind::Client);
    assert_eq!((hello.legacy_version, hello.supported_version, hello.version()), (0x0303, 0x0304, 0x0304));
    assert_eq!(hello.ciphers, [0x0a0a, 0x1301, 0xc02f]);
    assert_eq!(hello.extensions, [0x3a3a, 0, 16, 43, 13, 51]);
    assert_eq!(hello.signature_algorithms, [0x0403, 0x0804]);
    assert_eq!(hello.server_name, b"broker.example");
    assert_eq!((hello.protocol.as_slice(), hello.protocol_end), (&b"x-amzn-mqtt-ca"[..], b'a'));
    assert!(hello.mqtt && hello.complete);
}

#[test]
fn a_server_and_what_is_alike() {
    let extensions = listed(&extension(SUPPORTED_VERSIONS, &[3, 4]));
    let body = [&[3, 3][..], &[0x55; 32], &[0], &[0x13, 0x02], &[0], &extensions].concat();
    let hello = read(&message(2, &body));
    assert_eq!((hello.kind, hello.version(), hello.complete), (Kind::Server, 0x0304, true));
    assert_eq!(hello.ciphers, [0x1302]);
    // Without extensions, as of old.
    let hello = read(&message(2, &body[..38]));
    assert_eq!((hello.version(), hello.ciphers.as_slice(), hello.complete), (0x0303, &[0x1302][..], true));
    for protocols in [&[&b"mqtt2"[..], b"mqt", b"xmqtt"][..], &[]] {
        assert!(!read(&client_hello(b"", protocols, &[1], &[0x0303])).mqtt);
    }
}

#[test]
fn what_does_not_fit_is_cut_and_said() {
    let ciphers: Vec<u16> = (0..300).collect();
    let hello = read(&client_hello(&[b'n'; 200], &[b"mqtt"], &ciphers, &[0x0304]));
    assert_eq!((hello.server_name.len(), hello.ciphers.len()), (SERVER_NAME_OCTETS, CIPHERS));
    assert!(hello.mqtt && !hello.complete);
    let mut reader = HelloReader::default();
    assert!(reader.push(b"\x0b\0\0\x10certificate"));
    assert!(!reader.hello().complete);
}

proptest! {
    #[test]
    fn any_split_gives_the_same(
        name in prop::collection::vec(any::<u8>(), 0..140),
        protocols in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..4),
        ciphers in prop::collection::vec(any::<u16>(), 0..40),
        cuts in prop::collection::vec(1usize..80, 1..20),
    ) {
        let protocols: Vec<&[u8]> = protocols.iter().map(Vec::as_slice).collect();
        let octets = client_hello(&name, &protocols, &ciphers, &[0x0304]);
        let whole = read(&octets);
        prop_assert!(whole.complete);
        prop_assert_eq!(whole.ciphers.as_slice(), ciphers.as_slice());
        prop_assert_eq!(whole.server_name.as_slice(), &name[..name.len().min(SERVER_NAME_OCTETS)]);
        let mut reader = HelloReader::default();
        let mut rest = octets.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break; }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            prop_assert_eq!(reader.push(piece), after.is_empty());
            rest = after;
        }
        prop_assert_eq!(reader.hello(), &whole);
        // However it is cut short or damaged: no panic, and no claim to be whole.
        for end in 0..octets.len() {
            prop_assert!(!read(&octets[..end]).complete);
        }
    }

    #[test]
    fn no_octets_panic(octets in prop::collection::vec(any::<u8>(), 0..400), server in any::<bool>()) {
        read(&octets);
        read(&message(if server { 2 } else { 1 }, &octets));
    }
}
