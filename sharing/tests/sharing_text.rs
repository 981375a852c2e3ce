//! Tables as text: what is written is read back, by us and by others, and what says no entry is named.
use netspec::{CacheState, ConvSpec, Machine, Measurement, Provenance, StopReason};
use proptest::prelude::*;
use sharing::*;
use std::path::Path;

fn entries() -> impl Strategy<Value = (Key, Entry)> {
    // Texts that break a careless writer: separators, quotes, line ends, spaces at the ends, other alphabets.
    let text = "[a-z,\"\\\\\n\r\t\u{1}é漢😀 ]{0,6}";
    let spec =
        prop::sample::select(vec!["64>128 56x56 k3 s2 p1.0.1.0 bias add hardswish", "n8 4>4 8x8 k3 d2 g4 bf16 nhwc"]);
    let key = (spec, text, 0usize..3).prop_map(|(spec, device, threads)| {
        let machine = Machine { engine: "tract".into(), device, threads, ..Machine::default() };
        Key::new(&spec.parse().expect("a spec"), &machine)
    });
    let stop = prop::sample::select(vec![StopReason::Precise, StopReason::NoiseSettled, StopReason::Decided]);
    let cache = prop::sample::select(vec![CacheState::Warm, CacheState::Cold, CacheState::Network]);
    let numbers = (1e-3f64..1e12, 0.0f64..0.5, any::<u32>());
    let said = (any::<u64>(), text, prop::option::of(text));
    (key, numbers, stop, cache, said).prop_map(|(key, (ns, wide, samples), stop, cache, (unix_s, tool, algorithm))| {
        let interval_ns = [ns / (1.0 + wide), ns * (1.0 + wide)];
        let provenance = Provenance::Measured;
        (
            key,
            Entry {
                measurement: Measurement { median_ns: ns, interval_ns, samples, provenance, cache, stop, algorithm },
                unix_s,
                tool,
            },
        )
    })
}

fn table(entries: &[(Key, Entry)]) -> MemoryStore {
    let mut table = MemoryStore::new(TableKind::Live);
    table.put_all(entries).expect("live entries");
    table
}

fn written(table: &MemoryStore, form: TextForm) -> String {
    let mut text = Vec::new();
    export(table, form, &mut text, Path::new("a text")).expect("memory has room");
    String::from_utf8(text).expect("texts are UTF-8")
}

fn read(form: TextForm, text: &str) -> Result<MemoryStore, StoreError> {
    let mut table = MemoryStore::new(TableKind::Live);
    import(&mut table, form, &mut text.as_bytes(), Path::new("a text")).map(|_| table)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn both_forms_hold_the_same_set(entries in prop::collection::vec(entries(), 0..8)) {
        let table = table(&entries);
        for form in [TextForm::JsonLines, TextForm::Csv] {
            prop_assert_eq!(&read(form, &written(&table, form)).expect("our own text"), &table);
        }
        // As editors on other systems save it, which may not touch what stands in quotes.
        let (text, records) = (written(&table, TextForm::Csv), written(&table, TextForm::JsonLines).lines().count());
        if text.matches('\n').count() == records + 1 && !text.contains('\r') {
            prop_assert_eq!(&read(TextForm::Csv, &text.replace('\n', "\r\n")).expect("our own text"), &table);
        }
    }

    #[test]
    fn another_reader_of_json_reads_the_same(entry in entries()) {
        let text = written(&table(std::slice::from_ref(&entry)), TextForm::JsonLines);
        let value: serde_json::Value = serde_json::from_str(&text).expect("one JSON object");
        prop_assert_eq!(value["spec"].as_str(), Some(entry.0.spec.as_str()));
        prop_assert_eq!(value["machine"].as_str(), Some(entry.0.machine.as_str()));
        prop_assert_eq!(value["tool"].as_str(), Some(entry.1.tool.as_str()));
        prop_assert_eq!(value["algorithm"].as_str(), entry.1.measurement.algorithm.as_deref());
        prop_assert_eq!(value["unix_s"].as_u64(), Some(entry.1.unix_s));
        // And what it writes is read by us: with spaces, escapes and in another order.
        let again = serde_json::to_string_pretty(&value).expect("it was read").replace('\n', " ");
        let again = read(TextForm::JsonLines, &again).expect("one flat object");
        let mut found = None;
        again.scan(&mut |key, entry| { found = Some((key, entry)); std::ops::ControlFlow::Continue(()) }).expect("memory");
        let (key, found) = found.expect("one entry");
        prop_assert_eq!(&key, &entry.0);
        // A reader may be off by one in the last digit; everything else is the same.
        prop_assert!((found.measurement.median_ns / entry.1.measurement.median_ns - 1.0).abs() < 1e-15);
        prop_assert_eq!((&found.tool, &found.measurement.algorithm), (&entry.1.tool, &entry.1.measurement.algorithm));
    }

    #[test]
    fn any_text_is_refused_or_read(text in "[\\PC\n\"{},:]{0,60}") {
        for form in [TextForm::JsonLines, TextForm::Csv] {
            if let Ok(table) = read(form, &text) {
                prop_assert_eq!(table.keys(), 0, "nothing of this says an entry");
            }
        }
    }
}

fn sample() -> (Key, Entry) {
    let spec: ConvSpec = "64>128 56x56 k3 s2 p1.0.1.0 bias relu".parse().expect("a spec");
    let machine = Machine { engine: "tract".into(), device: "EPYC, \"big\"".into(), threads: 2, ..Machine::default() };
    let measurement = Measurement {
        median_ns: 0.1 + 0.2,
        interval_ns: [0.25, 0.5],
        samples: 33,
        provenance: Provenance::Measured,
        cache: CacheState::Network,
        stop: StopReason::Precise,
        algorithm: None,
    };
    (Key::new(&spec, &machine), Entry { measurement, unix_s: 7, tool: String::new() })
}

#[test]
fn csv_has_the_columns_that_people_look_for() {
    let text = written(&table(&[sample()]), TextForm::Csv);
    assert_eq!(
        text,
        "spec,machine,batch,c_in,c_out,height,width,kernel_h,kernel_w,stride_h,stride_w,pad_top,pad_left,pad_bottom,\
         pad_right,dilation_h,dilation_w,groups,dtype,layout,epilogue,engine,device,compute,driver,library,policy,\
         threads,method,median_ns,low_ns,high_ns,samples,provenance,cache,stop,algorithm,unix_s,tool\n\
         64>128 56x56 k3 s2 p1.0.1.0 bias relu,\"tract|EPYC, \"\"big\"\"|||||2|0\",1,64,128,56,56,3,3,2,2,1,0,1,0,1,1,1,\
         f32,nchw,bias relu,tract,\"EPYC, \"\"big\"\"\",\"\",\"\",\"\",\"\",2,0,0.30000000000000004,0.25,0.5,33,measured,\
         network,precise,,7,\"\"\n"
    );
}

#[test]
fn json_lines_leave_out_what_is_missing() {
    let text = written(&table(&[sample()]), TextForm::JsonLines);
    let value: serde_json::Value = serde_json::from_str(&text).expect("one JSON object");
    assert_eq!(value.as_object().expect("an object").len(), 38, "all columns but the algorithm");
    assert_eq!((value["epilogue"].as_str(), value["pad_left"].as_u64()), (Some("bias relu"), Some(0)));
    assert_eq!(value["device"], "EPYC, \"big\"");
}

#[test]
fn texts_that_say_no_entry_are_named_by_line() {
    #[track_caller]
    fn check(form: TextForm, text: &str, line: usize, part: &str) {
        let error = read(form, text).expect_err("it says no entry");
        assert!(matches!(error, StoreError::Text { line: found, .. } if found == line), "{error}");
        assert!(error.to_string().contains(part) && error.to_string().contains("a text, line"), "{error}");
    }
    let json = written(&table(&[sample()]), TextForm::JsonLines);
    let csv = written(&table(&[sample()]), TextForm::Csv);
    check(TextForm::JsonLines, &json.replace("\"samples\":33", "\"samples\":-1"), 1, "`samples` is `-1`; a count");
    check(TextForm::JsonLines, &json.replace("precise", "tired"), 1, "one of precise, noise-settled");
    check(TextForm::JsonLines, &json.replace("\"tool\"", "\"hammer\""), 1, "`tool` is missing");
    check(TextForm::JsonLines, &json.replace("\"unix_s\":7", "\"unix_s\":null"), 1, "`unix_s` is missing");
    check(TextForm::JsonLines, &format!("{json}\n[1, 2]\n"), 3, "`{` was expected before `[1, 2]`");
    check(TextForm::JsonLines, &json.replace("s2 p1.0.1.0", "p1.0.1.0 s2"), 1, "is not in its canonical form; write");
    check(TextForm::JsonLines, &json.replace("k3", "q3"), 1, "cannot read `q3`");
    check(TextForm::JsonLines, "{\"spec\":{}}", 1, "a text or a number was expected");
    check(TextForm::JsonLines, "{\"spec\":\"\\ud800\"}", 1, "half a character");
    check(TextForm::Csv, &csv.replace(",7,", ",7,8,"), 2, "40 fields under 39 names");
    check(TextForm::Csv, &csv.replace(",33,", ",3\"3,"), 2, "a quote");
    check(TextForm::Csv, "spec,\"machine", 1, "a quote is never closed");
    check(TextForm::Csv, "a,b\n1,2\n", 2, "`spec` is missing");
    // What the table's kind does not let in is refused by the table, as always.
    let refused = read(TextForm::Csv, &csv.replace("measured", "simulated"));
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
    let broken = import(
        &mut MemoryStore::new(TableKind::Live),
        TextForm::Csv,
        &mut [0xff_u8, b'\n'].as_slice(),
        Path::new("a text"),
    );
    assert!(broken.expect_err("no UTF-8").to_string().contains("save it as UTF-8"));
}

#[test]
fn a_form_goes_by_the_name() {
    for (name, form) in
        [("a.csv", Some(TextForm::Csv)), ("a.jsonl", Some(TextForm::JsonLines)), ("a.locp", None), ("csv", None)]
    {
        assert_eq!(TextForm::of(Path::new(name)), form, "{name}");
    }
}
