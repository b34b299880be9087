//! Exchanges that wait for an answer, by packet identifier (3.1.1: 2.3.1 and 4.3; 5: 2.2.1 and 4.3).
//!
//! Each side has identifiers of its own. What is kept is bounded: when more exchanges are open than fit, none is
//! judged until all that were open are over.

use super::super::violation::{Violation, Violations};

/// Exchanges of one side that are kept.
const KEPT: usize = 6;
/// An exchange that goes unanswered this long is noted, in seconds.
const OVERDUE_SECS: u32 = 60;

/// What an exchange waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Awaits {
    /// PUBLISH of QoS 1 was sent.
    PubAck,
    /// PUBLISH of QoS 2 was sent.
    PubRec,
    /// PUBREC came.
    PubRel,
    /// PUBREL was sent.
    PubComp,
    /// SUBSCRIBE was sent.
    SubAck,
    /// UNSUBSCRIBE was sent.
    UnsubAck,
}

#[derive(Clone, Copy, Debug)]
struct Exchange {
    id: u16,
    awaits: Awaits,
    /// Filters of a SUBSCRIBE; the greatest value for more, or if not all were read.
    filters: u8,
    /// PUBLISH: hash of its topic. SUBSCRIBE: QoS asked for, two bits a filter, the first 16.
    detail: u32,
    /// Second of its latest packet.
    since: u32,
}

/// A PUBLISH with a packet identifier.
#[derive(Clone, Copy, Debug)]
pub struct Numbered {
    /// Packet identifier.
    pub id: u16,
    /// 1 or 2.
    pub qos: u8,
    /// DUP.
    pub dup: bool,
    /// Hash of the topic.
    pub topic: u32,
}

/// A SUBSCRIBE or UNSUBSCRIBE.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Packet identifier.
    pub id: u16,
    /// How many filters; `None` if not all were read.
    pub filters: Option<u16>,
    /// QoS asked for, two bits a filter, the first 16.
    pub qos: u32,
}

/// The exchanges that one side has begun.
#[derive(Clone, Debug)]
pub struct Flight {
    open: heapless::Vec<Exchange, KEPT>,
    /// Exchanges that did not fit.
    unkept: u16,
    /// Messages sent and not yet acknowledged in full, kept or not.
    pub outstanding: u16,
    /// Nothing is judged before this second: exchanges from before a gap, or before the capture, may be open.
    judged_from: u32,
}

impl Flight {
    /// None open, and all will be seen.
    pub const NEW: Self = Self { open: heapless::Vec::new(), unkept: 0, outstanding: 0, judged_from: 0 };

    /// Octets were missed: whatever was open may be over, and others may be open.
    pub fn forget(&mut self, second: u32) {
        self.open.clear();
        self.unkept = 0;
        self.outstanding = 0;
        self.judged_from = second.saturating_add(OVERDUE_SECS);
    }

    fn is_judged(&self, second: u32) -> bool {
        self.unkept == 0 && second >= self.judged_from
    }

    fn place(&self, id: u16) -> Option<usize> {
        self.open.iter().position(|exchange| exchange.id == id)
    }

    fn begin(&mut self, exchange: Exchange) {
        if self.open.push(exchange).is_err() {
            self.unkept = self.unkept.saturating_add(1);
        }
    }

    fn end(&mut self, at: usize) {
        self.open.swap_remove(at);
    }

    /// A PUBLISH of QoS 1 or 2. `v5` forbids to send again within a connection.
    pub fn publish(&mut self, sent: Numbered, in_use: Violation, v5: bool, second: u32) -> Violations {
        let mut found = Violations::NONE;
        let judged = self.is_judged(second);
        let awaits = if sent.qos == 1 { Awaits::PubAck } else { Awaits::PubRec };
        let Some(at) = self.place(sent.id) else {
            if sent.dup && (self.unkept > 0 || !judged) {
                // Sent again: it was counted when it was sent first.
                return found;
            }
            let exchange = Exchange { id: sent.id, awaits, filters: 0, detail: sent.topic, since: second };
            self.begin(exchange);
            self.outstanding = self.outstanding.saturating_add(1);
            return found;
        };
        let Some(exchange) = self.open.get_mut(at) else { return found };
        let same_message = exchange.detail == sent.topic;
        let before = exchange.awaits;
        exchange.since = second;
        match before {
            Awaits::PubRel => found.add(Violation::Qos2Repeated),
            Awaits::PubComp => found.add(Violation::Qos2AfterRelease),
            Awaits::PubAck | Awaits::PubRec if sent.dup => {
                found.add_if(v5, Violation::ResentWithinConnection);
            }
            Awaits::PubAck | Awaits::PubRec if same_message => found.add(Violation::RedeliveryWithoutDup),
            _ => {
                found.add(in_use);
                exchange.awaits = awaits;
                exchange.detail = sent.topic;
            }
        }
        if judged { found } else { Violations::NONE }
    }

    /// A PUBREL of the one who sent the PUBLISH. `gives_up` when it says that the identifier is not known.
    pub fn release(&mut self, id: u16, gives_up: bool, second: u32) -> Violations {
        match self.place(id).and_then(|at| self.open.get_mut(at)) {
            Some(exchange) if matches!(exchange.awaits, Awaits::PubRel | Awaits::PubComp) => {
                exchange.awaits = Awaits::PubComp;
                exchange.since = second;
                Violations::NONE
            }
            _ => self.unknown(gives_up, Violation::AckUnknown, second),
        }
    }

    /// A PUBACK of the other side.
    pub fn puback(&mut self, id: u16, second: u32) -> Violations {
        self.answer(id, &[Awaits::PubAck], second)
    }

    /// A PUBREC of the other side; it may refuse.
    pub fn pubrec(&mut self, id: u16, refuses: bool, second: u32) -> Violations {
        if refuses {
            return self.answer(id, &[Awaits::PubRec, Awaits::PubRel], second);
        }
        match self.place(id).and_then(|at| self.open.get_mut(at)) {
            Some(exchange) if matches!(exchange.awaits, Awaits::PubRec | Awaits::PubRel) => {
                exchange.awaits = Awaits::PubRel;
                exchange.since = second;
                Violations::NONE
            }
            _ => self.unknown(false, Violation::AckUnknown, second),
        }
    }

    /// A PUBCOMP of the other side. `gives_up` when it says that the identifier is not known.
    pub fn pubcomp(&mut self, id: u16, gives_up: bool, second: u32) -> Violations {
        match self.place(id) {
            None if gives_up => {
                self.ended_unkept();
                Violations::NONE
            }
            _ => self.answer(id, &[Awaits::PubComp], second),
        }
    }

    fn answer(&mut self, id: u16, to: &[Awaits], second: u32) -> Violations {
        let at = self.place(id);
        match at.and_then(|at| self.open.get(at)) {
            Some(exchange) if to.contains(&exchange.awaits) => {
                at.into_iter().for_each(|at| self.end(at));
                self.outstanding = self.outstanding.saturating_sub(1);
                Violations::NONE
            }
            Some(_) => self.unknown(false, Violation::AckUnknown, second),
            None => {
                let found = self.unknown(false, Violation::AckUnknown, second);
                self.ended_unkept();
                found
            }
        }
    }

    /// An answer that ends an exchange that is not kept.
    fn ended_unkept(&mut self) {
        self.outstanding = self.outstanding.saturating_sub(1);
        self.unkept = self.unkept.saturating_sub(1);
    }

    fn unknown(&self, gives_up: bool, violation: Violation, second: u32) -> Violations {
        let mut found = Violations::NONE;
        found.add_if(self.is_judged(second) && !gives_up, violation);
        found
    }

    /// A SUBSCRIBE or UNSUBSCRIBE.
    pub fn request(&mut self, request: Request, subscribes: bool, second: u32) -> Violations {
        let mut found = Violations::NONE;
        if let Some(at) = self.place(request.id) {
            found.add_if(self.is_judged(second), Violation::PacketIdInUse);
            self.end(at);
        }
        self.begin(Exchange {
            id: request.id,
            awaits: if subscribes { Awaits::SubAck } else { Awaits::UnsubAck },
            filters: request.filters.and_then(|count| u8::try_from(count).ok()).unwrap_or(u8::MAX),
            detail: request.qos,
            since: second,
        });
        found
    }

    /// A SUBACK with `count` codes, of which `codes` were captured.
    pub fn suback(&mut self, id: u16, codes: &[u8], count: u32, second: u32) -> Violations {
        let mut found = Violations::NONE;
        let at = self.place(id);
        let Some((at, exchange)) = at
            .and_then(|at| Some((at, *self.open.get(at)?)))
            .filter(|(_, exchange)| exchange.awaits == Awaits::SubAck)
        else {
            let found = self.unknown(false, Violation::SubAckUnknown, second);
            self.unkept = self.unkept.saturating_sub(1);
            return found;
        };
        self.end(at);
        if exchange.filters != u8::MAX && count != 0 {
            found.add_if(count != u32::from(exchange.filters), Violation::SubAckCount);
        }
        for (place, code) in (0u32..16).zip(codes).take(usize::from(exchange.filters)) {
            let asked = exchange.detail >> (2 * place) & 0x03;
            found.add_if(*code <= 2 && u32::from(*code) > asked, Violation::SubAckOrder);
        }
        found
    }

    /// An UNSUBACK.
    pub fn unsuback(&mut self, id: u16, second: u32) -> Violations {
        match self.place(id) {
            Some(at) if self.open.get(at).is_some_and(|open| open.awaits == Awaits::UnsubAck) => {
                self.end(at);
                Violations::NONE
            }
            _ => {
                let found = self.unknown(false, Violation::SubAckUnknown, second);
                self.unkept = self.unkept.saturating_sub(1);
                found
            }
        }
    }

    /// Takes out what has waited too long: what the other side failed to do, and what the one who began failed to do.
    pub fn overdue(&mut self, second: u32) -> (Violations, Violations) {
        let (mut by_other, mut by_self) = (Violations::NONE, Violations::NONE);
        let judged = second >= self.judged_from;
        let mut ended = 0;
        self.open.retain(|exchange| {
            if second.saturating_sub(exchange.since) <= OVERDUE_SECS {
                return true;
            }
            match exchange.awaits {
                Awaits::PubRec => by_other.add_if(judged, Violation::PubRecMissing),
                Awaits::PubComp => by_other.add_if(judged, Violation::PubCompMissing),
                Awaits::PubRel => by_self.add_if(judged, Violation::PubRelMissing),
                // The standard sets no time for these; clients send again, or give up.
                Awaits::PubAck | Awaits::SubAck | Awaits::UnsubAck => return true,
            }
            ended += 1;
            false
        });
        self.outstanding = self.outstanding.saturating_sub(ended);
        (by_other, by_self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IN_USE: Violation = Violation::PacketIdInUse;

    fn one(violation: Violation) -> Violations {
        [violation].into_iter().collect()
    }

    fn publish(id: u16, qos: u8, dup: bool, topic: u32) -> Numbered {
        Numbered { id, qos, dup, topic }
    }

    #[test]
    fn qos_1_and_2_in_order() {
        let mut flight = Flight::NEW;
        assert!(flight.publish(publish(1, 1, false, 7), IN_USE, true, 0).is_empty());
        assert!(flight.publish(publish(2, 2, false, 7), IN_USE, true, 0).is_empty());
        assert_eq!(flight.outstanding, 2);
        assert!(flight.puback(1, 0).is_empty());
        assert!(flight.pubrec(2, false, 0).is_empty() && flight.pubrec(2, false, 0).is_empty());
        assert!(flight.release(2, false, 0).is_empty() && flight.release(2, false, 0).is_empty());
        assert!(flight.pubcomp(2, false, 0).is_empty());
        assert_eq!((flight.outstanding, flight.open.len()), (0, 0));
    }

    #[test]
    fn what_breaks_the_order() {
        let mut flight = Flight::NEW;
        flight.publish(publish(1, 2, false, 7), IN_USE, false, 0);
        assert_eq!(flight.publish(publish(1, 2, false, 8), IN_USE, false, 0), one(IN_USE));
        assert_eq!(
            flight.publish(publish(1, 2, false, 8), IN_USE, false, 0),
            one(Violation::RedeliveryWithoutDup)
        );
        assert!(flight.publish(publish(1, 2, true, 8), IN_USE, false, 0).is_empty());
        assert_eq!(
            flight.publish(publish(1, 2, true, 8), IN_USE, true, 0),
            one(Violation::ResentWithinConnection)
        );
        assert_eq!(flight.puback(1, 0), one(Violation::AckUnknown));
        assert_eq!(flight.release(1, false, 0), one(Violation::AckUnknown));
        flight.pubrec(1, false, 0);
        assert_eq!(flight.publish(publish(1, 2, true, 8), IN_USE, false, 0), one(Violation::Qos2Repeated));
        flight.release(1, false, 0);
        assert_eq!(
            flight.publish(publish(1, 2, true, 8), IN_USE, false, 0),
            one(Violation::Qos2AfterRelease)
        );
        flight.pubcomp(1, false, 0);
        assert_eq!(flight.pubcomp(1, false, 0), one(Violation::AckUnknown));
        assert!(flight.pubcomp(1, true, 0).is_empty());
    }

    #[test]
    fn subscriptions() {
        let mut flight = Flight::NEW;
        let request = Request { id: 5, filters: Some(2), qos: 0b01_00 };
        assert!(flight.request(request, true, 0).is_empty());
        assert_eq!(flight.request(request, true, 0), one(IN_USE));
        assert_eq!(flight.suback(5, &[0, 1, 0], 3, 0), one(Violation::SubAckCount));
        assert_eq!(flight.suback(5, &[0, 1], 2, 0), one(Violation::SubAckUnknown));
        flight.request(request, true, 0);
        assert_eq!(flight.suback(5, &[1, 0x80], 2, 0), one(Violation::SubAckOrder));
        flight.request(request, false, 0);
        assert!(flight.unsuback(5, 0).is_empty());
        assert_eq!(flight.unsuback(5, 0), one(Violation::SubAckUnknown));
    }

    #[test]
    fn nothing_is_judged_after_a_gap_or_beyond_what_fits() {
        let mut flight = Flight::NEW;
        flight.forget(100);
        assert!(flight.puback(9, 100).is_empty());
        assert_eq!(flight.puback(9, 160), one(Violation::AckUnknown));
        for id in 1..=50 {
            flight.publish(publish(id, 1, false, 0), IN_USE, true, 200);
        }
        assert_eq!(flight.outstanding, 50);
        for id in (1..=50).rev() {
            assert!(flight.puback(id, 200).is_empty());
        }
        assert_eq!((flight.outstanding, flight.open.len(), flight.unkept), (0, 0, 0));
        assert_eq!(flight.puback(9, 200), one(Violation::AckUnknown));
    }

    #[test]
    fn overdue() {
        let mut flight = Flight::NEW;
        for (id, qos) in [(1, 2), (2, 2), (3, 2), (4, 1)] {
            flight.publish(publish(id, qos, false, 0), IN_USE, true, 0);
        }
        flight.pubrec(2, false, 0);
        flight.pubrec(3, false, 0);
        flight.release(3, false, 0);
        assert_eq!(flight.overdue(60), (Violations::NONE, Violations::NONE));
        let (by_other, by_self) = flight.overdue(61);
        assert_eq!(by_other, [Violation::PubRecMissing, Violation::PubCompMissing].into_iter().collect());
        assert_eq!(by_self, one(Violation::PubRelMissing));
        assert_eq!(flight.outstanding, 1);
    }
}
