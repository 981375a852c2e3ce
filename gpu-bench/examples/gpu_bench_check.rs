//! Is there a GPU here, and if not, why not?
#![allow(clippy::print_stdout, reason = "an example prints its result")]

fn main() {
    match gpu_bench::check() {
        Ok(machine) => println!("{} ({}), driver for CUDA {}", machine.device, machine.compute, machine.driver),
        Err(unavailable) => println!("{unavailable}"),
    }
}
