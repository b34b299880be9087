//! A program with no std, no allocator and its own panic handler, around Picket's core.
//!
//! It is built and linked, never run. If the core or one of its dependencies needs std, the panic handlers
//! collide; if one needs the heap, there is no allocator.
#![no_std]
#![no_main]

use core::hint::black_box;

use picket::detect::class::Class;
use picket::detect::scorer::{NoModel, Scorer, Verdict};
use picket::features::FeatureVector;
use picket::features::schema::HOST;
use picket::time::Timestamp;

#[cfg(feature = "needs-alloc")]
extern crate alloc;
#[cfg(feature = "needs-std")]
extern crate std;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// The precompiled core library of a hosted target names this in its unwind tables. Nothing unwinds here.
#[cfg(target_os = "linux")]
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// Where the linker begins.
#[unsafe(no_mangle)]
pub extern "C" fn _start() -> ! {
    let rows = [FeatureVector::ZERO];
    let mut verdicts = [Verdict::default()];
    black_box(NoModel).score(black_box(&rows), &mut verdicts);
    black_box((verdicts, rows[0].row(HOST.width()), Class::from_name(black_box("anomaly")), Timestamp::ZERO));
    loop {
        core::hint::spin_loop();
    }
}
