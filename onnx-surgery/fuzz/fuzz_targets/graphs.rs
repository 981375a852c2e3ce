//! Bytes that drive a generator of graphs: rules are reached that noise never reaches.
#![no_main]

#[path = "../../tests/support/generated.rs"]
mod generated;
#[path = "../../tests/support/mod.rs"]
mod support;
#[path = "../../tests/support/survive.rs"]
mod survive;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let model = generated::graph(bytes);
    // The same bytes are another model once the generator changes: a finding is kept as a model.
    if let Some(path) = std::env::var_os("LOCP_FUZZ_MODEL") {
        std::fs::write(path, &model).expect("the model can be written");
    }
    survive::survives(&model);
});
