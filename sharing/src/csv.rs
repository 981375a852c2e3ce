//! A table as CSV, for people and for pandas. It does not come back: JSON Lines and the portable file do.

use crate::{Entry, Key, Store, StoreError};
use netspec::ConvSpec;
use std::io::{self, Write};
use std::ops::ControlFlow;

/// The columns: the spec taken apart, the machine taken apart, the measurement, and both canonical texts.
const HEADER: &str = "batch,c_in,c_out,height,width,kernel_h,kernel_w,stride_h,stride_w,groups,dtype,layout,bias,residual,activation,\
engine,device,compute,driver,library,policy,threads,method,median_ns,low_ns,high_ns,samples,provenance,cache,stop,algorithm,unix_s,tool,spec,machine";

/// Writes one row for every entry, history included, in the order of the keys; answers how many. Times are nanoseconds.
///
/// Fields with commas, quotes or line ends are quoted as RFC 4180 has it. An entry whose spec this version cannot read
/// has empty columns for it, and its text.
///
/// # Errors
/// What the store answers, and `StoreError::Other` where `out` cannot be written.
pub fn write_csv(store: &dyn Store, out: &mut dyn Write) -> Result<usize, StoreError> {
    let mut written = writeln!(out, "{HEADER}");
    let mut rows = 0;
    store.scan(&mut |key, entry| {
        if written.is_ok() {
            written = row(&key, &entry, out);
            rows += 1;
        }
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    written.map_err(|error| StoreError::Other { reason: format!("cannot write the export: {error}") })?;
    Ok(rows)
}

fn row(key: &Key, entry: &Entry, out: &mut dyn Write) -> io::Result<()> {
    let mut fields: Vec<String> = match key.conv_spec() {
        Ok(spec) => spec_fields(&spec),
        Err(_) => vec![String::new(); 15],
    };
    // A machine's text has eight fields; one of a newer version may have more, which stay in the last one.
    let mut machine: Vec<String> = key.machine.splitn(8, '|').map(str::to_owned).collect();
    machine.resize(8, String::new());
    fields.extend(machine);
    let m = &entry.measurement;
    fields.extend([m.median_ns, m.interval_ns[0], m.interval_ns[1]].map(|ns| ns.to_string()));
    fields.extend([m.samples.to_string(), kebab(&format!("{:?}", m.provenance)), kebab(&format!("{:?}", m.cache))]);
    fields.extend([kebab(&format!("{:?}", m.stop)), m.algorithm.clone().unwrap_or_default()]);
    fields.extend([entry.unix_s.to_string(), entry.tool.clone(), key.spec.clone(), key.machine.clone()]);
    let quoted: Vec<String> = fields.into_iter().map(quoted).collect();
    writeln!(out, "{}", quoted.join(","))
}

fn spec_fields(spec: &ConvSpec) -> Vec<String> {
    let numbers = [
        spec.batch,
        spec.c_in,
        spec.c_out,
        spec.height,
        spec.width,
        spec.kernel[0],
        spec.kernel[1],
        spec.stride[0],
        spec.stride[1],
        spec.groups,
    ];
    let epilogue = spec.epilogue;
    let layout = format!("{:?}", spec.layout).to_lowercase();
    let activation = format!("{:?}", epilogue.activation).to_lowercase();
    let flags = [epilogue.bias, epilogue.residual].map(|flag| u8::from(flag).to_string());
    let words = [spec.dtype.to_string(), layout].into_iter().chain(flags).chain([activation]);
    numbers.iter().map(usize::to_string).chain(words).collect()
}

/// `NotSampled` as `not-sampled`, which is how JSON has it.
fn kebab(name: &str) -> String {
    let parts = name.chars().enumerate().flat_map(|(i, c)| {
        let dash = (i > 0 && c.is_uppercase()).then_some('-');
        dash.into_iter().chain(c.to_lowercase())
    });
    parts.collect()
}

fn quoted(field: String) -> String {
    if field.contains([',', '"', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}
