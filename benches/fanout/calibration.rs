//! Finds the rate at which the bare loop uses about 40 % of its core, on whatever machine this is.
//!
//! At a fixed rate one machine may be near saturation and another idle, and the same build then shows quite different ratios of p99.

use std::time::Duration;

use rig::{
    bare_loop::BareLoop,
    crowd::{Crowd, Pace, Size, Timing},
};

use super::matrix::Server;

/// The part of a core that the bare loop is to use.
const TARGET_LOAD: f64 = 0.4;
/// Near enough.
const TOLERANCE: f64 = 0.04;
const ROUNDS_MAX: usize = 4;
const TIMING: Timing =
    Timing { warm_up: Duration::from_millis(150), window: Duration::from_millis(700) };
/// Deliveries a second that any machine can do.
const FIRST_GUESS: usize = 50_000;
/// The first measurement changes the rate by at most this factor or its inverse, later ones by less: where other programs take the core
/// away, comments come in batches, which cost less the higher the rate is, and the search would not end.
const FIRST_STEP_MAX: f64 = 4.0;
const STEP_MAX: f64 = 1.25;

/// Comments a second for such a crowd, from a bare loop of its own.
pub fn rate_for(size: Size) -> Result<usize, String> {
    let bare_loop = BareLoop::start();
    let server = Server::new("bare loop", bare_loop.address, bare_loop.process());
    find_rate(&server, &mut server.join(size)?, size.readers.div_ceil(size.pages))
}

/// Comments a second, in all, for so many readers of each page.
pub fn find_rate(
    bare_loop: &Server,
    crowd: &mut Crowd,
    readers_per_page: usize,
) -> Result<usize, String> {
    let mut rate = (FIRST_GUESS / readers_per_page).max(1);
    let mut step_max = FIRST_STEP_MAX;
    for _ in 0..ROUNDS_MAX {
        let outcome = crowd.round(pace(rate), TIMING, &[bare_loop.process])?;
        let load = outcome.cpu.as_secs_f64() / outcome.window.as_secs_f64();
        if (load - TARGET_LOAD).abs() <= TOLERANCE {
            break;
        }
        let step = (TARGET_LOAD / load).clamp(1.0 / step_max, step_max);
        step_max = STEP_MAX;
        rate = ((rate as f64 * step).round() as usize).max(1);
    }
    Ok(rate)
}

/// So many comments a second.
pub fn pace(rate: usize) -> Pace {
    Pace::Every(Duration::from_secs(1) / rate as u32)
}
