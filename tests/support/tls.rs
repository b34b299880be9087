//! The records of a TLS 1.3 connection as a bystander sees them (RFC 8446): hellos, and octets without meaning behind.

/// A record.
fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &(body.len() as u16).to_be_bytes(), body].concat()
}

/// A ClientHello for TLS 1.3 that asks for these application protocols.
pub fn client_hello(protocols: &[&[u8]]) -> Vec<u8> {
    let mut extensions = vec![0, 43, 0, 3, 2, 3, 4, 0, 13, 0, 4, 0, 2, 4, 3];
    if !protocols.is_empty() {
        let list: Vec<u8> = protocols.iter().flat_map(|p| [&[p.len() as u8][..], p].concat()).collect();
        extensions.extend([0, 16, 0, list.len() as u8 + 2, 0, list.len() as u8]);
        extensions.extend(list);
    }
    let mut body = [&[3, 3][..], &[0x55; 32], &[0, 0, 2, 0x13, 1, 1, 0]].concat();
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    record(22, &[&[1, 0, 0, body.len() as u8][..], &body].concat())
}

/// ServerHello, and the encrypted rest of what the server says first.
pub fn server_flight() -> Vec<u8> {
    let hello = [&[2, 0, 0, 46, 3, 3][..], &[0x66; 32], &[0, 0x13, 1, 0, 0, 6, 0, 43, 0, 2, 3, 4]].concat();
    [record(22, &hello), record(20, &[1]), record(23, &[0xa5; 900])].concat()
}

/// The client's Finished.
pub fn client_finished() -> Vec<u8> {
    [record(20, &[1]), record(23, &[0x5a; 53])].concat()
}

/// Two session tickets.
pub fn tickets() -> Vec<u8> {
    [record(23, &[0xa5; 250]), record(23, &[0xa5; 250])].concat()
}

/// Application data, unreadable and 17 octets longer than it is.
pub fn sealed(data: &[u8]) -> Vec<u8> {
    record(23, &vec![0xe7; data.len() + 17])
}
