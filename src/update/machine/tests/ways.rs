//! How models are fetched: HTTPS first, and the broker where that fails.

use super::*;
use crate::update::compat::Ways;
use crate::update::document::{Policy, Transport};

/// A right message whose manifest names an address.
fn with_address(release: u64, transport: Transport) -> Desired {
    let model = model(release);
    let mut manifest = manifest(release, &model);
    manifest.artifact.urls = vec!["https://updates.example/7.onnx".to_owned()];
    let manifest = sign_manifest(&manifest, &MODEL);
    let timestamp = sign_timestamp(&timestamp(release, &manifest, release), &TIMESTAMP);
    let policy = Policy { transport, ..Policy::default() };
    Desired { manifest, timestamp, policy, ..desired(release, release, &model) }
}

#[test]
fn https_is_refused_where_there_is_none() {
    let mut bench = Bench::new();
    bench.desire(&with_address(7, Transport::Https));
    assert_eq!(bench.state(), (State::Failed, Some(Reason::NoTransport)));
    bench.pass(10);
    // Where it may be fetched in any way, the other one is taken.
    bench.desire(&with_address(8, Transport::Any));
    assert!(bench.asked.is_some() && bench.fetch.is_none());
}

#[test]
fn https_goes_first_and_the_broker_helps_out() {
    for how in ["fails", "is silent"] {
        let mut bench = Bench::new();
        let device = Device { ways: Ways { blocks: true, https: true }, ..device() };
        bench.updater = updater_of(&bench.disk, device);
        bench.desire(&with_address(7, Transport::Any));
        assert!(bench.asked.is_none());
        let fetch = bench.fetch.take().unwrap();
        assert_eq!((fetch.urls.len(), fetch.length), (1, model(7).len() as u64));
        let transfer = fetch.get.transfer;
        bench.run(Event::Block { transfer: &transfer, index: 0, octets: &model(7)[..BLOCK_BYTES as usize] });
        if how == "fails" {
            let refusal = Refusal::new(Reason::NoTransport, "no answer");
            bench.run(Event::NotFetched { transfer: "another", refusal: refusal.clone() });
            assert!(bench.asked.is_none());
            bench.run(Event::NotFetched { transfer: &transfer, refusal });
        } else {
            (0..1000).for_each(|_| {
                if bench.asked.is_none() {
                    bench.pass(1);
                }
            });
        }
        assert_eq!(bench.asked.as_ref().unwrap().blocks, [1, 2], "{how}");
        bench.answer(7);
        assert_eq!(bench.state(), (State::SelfTest, None));
    }
}

#[test]
fn https_alone_is_tried_again_later() {
    let mut bench = Bench::new();
    bench.updater = updater_of(&bench.disk, Device { ways: Ways { blocks: true, https: true }, ..device() });
    bench.desire(&with_address(7, Transport::Https));
    let transfer = bench.fetch.take().unwrap().get.transfer;
    bench.run(Event::NotFetched { transfer: &transfer, refusal: Refusal::new(Reason::NoTransport, "404") });
    assert_eq!(bench.state(), (State::Failed, Some(Reason::DownloadTimeout)));
    bench.pass(3600);
    assert!(bench.fetch.is_some());
}
