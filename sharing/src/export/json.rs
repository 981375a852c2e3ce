//! Flat JSON objects of texts and numbers, one per line: what a table needs of JSON.
//!
//! Numbers are kept as their text, so that the digits that were written are the digits that are read.

use super::row::Cell;
use std::io::{self, Write};
use std::str::Chars;

/// Writes one object; what is missing is left out.
pub(super) fn write(out: &mut dyn Write, names: &[&str], cells: &[Cell]) -> io::Result<()> {
    let fields = names.iter().zip(cells).filter_map(|(name, cell)| match cell {
        Cell::Missing => None,
        Cell::Number(number) => Some(format!("\"{name}\":{number}")),
        Cell::Text(text) => Some(format!("\"{name}\":{}", quoted(text))),
    });
    writeln!(out, "{{{}}}", fields.collect::<Vec<_>>().join(","))
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Reads one object of texts, numbers, truth values and `null`, which is what is missing.
pub(super) fn read(line: &str) -> Result<Vec<(String, Cell)>, String> {
    let mut reader = Reader { rest: line.trim().chars() };
    let mut fields = Vec::new();
    reader.expect('{')?;
    if reader.next_is('}') {
        return reader.end().map(|()| fields);
    }
    loop {
        let name = reader.text()?;
        reader.expect(':')?;
        fields.push((name, reader.value()?));
        if reader.next_is('}') {
            return reader.end().map(|()| fields);
        }
        reader.expect(',')?;
    }
}

struct Reader<'a> {
    rest: Chars<'a>,
}

impl Reader<'_> {
    fn skip_space(&mut self) {
        let text = self.rest.as_str();
        self.rest = text.trim_start_matches([' ', '\t', '\r', '\n']).chars();
    }

    /// Goes on behind the next character, if that is `c`.
    fn next_is(&mut self, c: char) -> bool {
        self.skip_space();
        let found = self.rest.as_str().strip_prefix(c);
        self.rest = found.unwrap_or(self.rest.as_str()).chars();
        found.is_some()
    }

    fn expect(&mut self, c: char) -> Result<(), String> {
        if self.next_is(c) { Ok(()) } else { Err(self.wrong(&format!("`{c}`"))) }
    }

    fn end(&mut self) -> Result<(), String> {
        self.skip_space();
        if self.rest.as_str().is_empty() { Ok(()) } else { Err(self.wrong("the end of the line")) }
    }

    fn wrong(&self, expected: &str) -> String {
        let found: String = self.rest.as_str().chars().take(20).collect();
        format!("{expected} was expected before `{found}`; a line is one flat JSON object")
    }

    fn value(&mut self) -> Result<Cell, String> {
        self.skip_space();
        let text = self.rest.as_str();
        if text.starts_with('"') {
            return self.text().map(Cell::Text);
        }
        let end = text.find([',', '}', ' ', '\t']).unwrap_or(text.len());
        let word = &text[..end];
        let cell = match word {
            "null" => Cell::Missing,
            // Not of our making; what needs a text or a number says so when it finds this.
            "true" | "false" => Cell::Text(word.to_owned()),
            _ if word.parse::<f64>().is_ok_and(f64::is_finite) => Cell::Number(word.to_owned()),
            _ => return Err(self.wrong("a text or a number")),
        };
        self.rest = text[end..].chars();
        Ok(cell)
    }

    fn text(&mut self) -> Result<String, String> {
        self.expect('"')?;
        let mut text = String::new();
        loop {
            match self.rest.next() {
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escaped()?),
                Some(c) => text.push(c),
                None => return Err("a text is never closed; close its quote".to_owned()),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, String> {
        Ok(match self.rest.next() {
            Some(c @ ('"' | '\\' | '/')) => c,
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('u') => {
                let high = self.hex()?;
                let is_pair = (0xd800..0xdc00).contains(&high) && self.rest.as_str().starts_with("\\u");
                let code = if is_pair {
                    self.rest = self.rest.as_str()[2..].chars();
                    let low = self.hex()?;
                    0x10000 + ((high - 0xd800) << 10) + (low.wrapping_sub(0xdc00) & 0x3ff)
                } else {
                    high
                };
                char::from_u32(code).ok_or("half a character behind `\\u`; write both halves")?
            }
            _ => return Err(self.wrong("an escaped character")),
        })
    }

    fn hex(&mut self) -> Result<u32, String> {
        let digits = self.rest.as_str().get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let digits = digits.ok_or("four hexadecimal digits are expected behind `\\u`")?;
        let code = u32::from_str_radix(digits, 16).map_err(|error| error.to_string())?;
        self.rest = self.rest.as_str()[4..].chars();
        Ok(code)
    }
}
