//! Two devices of one kind share the work: each measures half, and the tables are united.
//!
//! `cargo run --release --locked --example sharing_merge`
#![expect(clippy::print_stdout, reason = "an example prints")]

use netspec::{ConvSpec, Machine, Measurement, Provenance};
use sharing::{Cached, DiskStore, TableKind, export, merge, open_read_only};
use timing::{LatencySource, Sampling, from_fn};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("locp-merge-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let machine = Machine { engine: "toy".into(), device: "a board".into(), method: 1, ..Machine::default() };
    let specs: Vec<ConvSpec> = (1..=8).map(|i| ConvSpec::new(64, 16 * i, [14, 14], [3, 3])).collect();

    // Each board fills a store of its own: no lock is needed, and no network.
    let shards = [folder.join("board-0.redb"), folder.join("board-1.redb")];
    for (i, path) in shards.iter().enumerate() {
        let engine = from_fn(|spec: &ConvSpec| {
            // A step every 32 channels.
            let treads = spec.c_out.div_ceil(32) as f64;
            Ok(Measurement::exact(100.0 * treads, Provenance::Measured))
        });
        let mut source = Cached::new(engine.on(machine.clone()), DiskStore::open(path, TableKind::Live)?);
        let shard: Vec<ConvSpec> = specs.iter().skip(i).step_by(2).cloned().collect();
        source.latencies(&shard, &Sampling::default()).into_iter().collect::<Result<Vec<_>, _>>()?;
        println!("{}: {:?}", path.display(), source.stats());
    }

    // One table unites them; the order and the number of merges make no difference.
    let mut table = DiskStore::open(folder.join("table.redb"), TableKind::Live)?;
    for path in shards.iter().chain(&shards) {
        println!("{:?}", merge(&mut table, &*open_read_only(path)?.0)?);
    }
    assert_eq!(table.keys()?, specs.len());

    // And for a notebook: pandas.read_json("table.jsonl", lines=True).
    let path = folder.join("table.jsonl");
    export(&table, &mut std::fs::File::create(&path)?, &path)?;
    println!("{}", std::fs::read_to_string(&path)?.lines().next().unwrap_or_default());
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
