#![allow(missing_docs, clippy::all)]
use cpu_bench::Tract;
use netspec::ConvSpec;
use std::collections::BTreeMap;
use std::path::Path;
use timing::*;
struct M(Box<dyn ModelRun>);
impl Prepared for M { fn run(&mut self, c: netspec::CacheState) -> Result<Reading, TimingError> { self.0.run(c) } }
fn main() {
    let mut specs: Vec<String> = vec!["3>64 224x224 k7 s2 p3 bias relu".into()];
    let mut cin = 64;
    let mut hw = 56;
    for (stage, (blocks, w)) in [(3, 64), (4, 128), (6, 256), (3, 512)].into_iter().enumerate() {
        for b in 0..blocks {
            let s = if b == 0 && stage > 0 { 2 } else { 1 };
            specs.push(format!("{cin}>{w} {hw}x{hw} k1 bias relu"));
            specs.push(format!("{w}>{w} {hw}x{hw} k3 s{s} p1 bias relu"));
            if b == 0 { specs.push(format!("{cin}>{} {hw}x{hw} k1 s{s} bias", 4 * w)); }
            hw /= s;
            specs.push(format!("{w}>{} {hw}x{hw} k1 bias add relu", 4 * w));
            cin = 4 * w;
        }
    }
    specs.push("2048>1000 1x1 k1 bias".into());
    let mut count: BTreeMap<ConvSpec, f64> = BTreeMap::new();
    for s in &specs { *count.entry(s.parse().unwrap()).or_default() += 1.0; }
    let distinct: Vec<_> = count.keys().cloned().collect();
    let tract = Tract::new();
    for policy in [Policy::network(), Policy::warm(), Policy::network(), Policy::warm()] {
        let mut p: Vec<Box<dyn Prepared + Send>> = distinct.iter().map(|s| tract.prepare(s).unwrap()).collect();
        let model = tract.load(Path::new("/tmp/tv/resnet50_ts.onnx"), 1).unwrap();
        p.push(Box::new(M(model)));
        let r = interleave(&mut p, &stop::Count::new(20), &policy);
        let med: Vec<f64> = r.iter().map(|s| s.as_ref().unwrap().measurement().median_ns / 1e6).collect();
        let sum: f64 = distinct.iter().zip(&med).map(|(s, m)| count[s] * m).sum();
        println!("{:?}: sum {sum:.2} whole {:.2} ratio {:.3}", policy.cache, med.last().unwrap(), sum / med.last().unwrap());
    }
}
