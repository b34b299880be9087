//! Values of fields, and how they are written as text and as JSON.

use std::fmt::{self, Write as _};

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::escape::escape;

/// A field: its name and its value.
pub type Field = (&'static str, Value);

/// A value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// Text of the wire, escaped.
    Text(String),
    /// One word of ours.
    Word(&'static str),
    /// A number.
    Number(u64),
    /// Yes or no. In text only a yes is written, by its name.
    Flag(bool),
    /// Several values.
    List(Vec<Self>),
    /// Named values.
    Object(Vec<Field>),
}

impl Value {
    /// Octets of the wire as text.
    #[must_use]
    pub fn text(octets: &[u8]) -> Self {
        Self::Text(escape(octets))
    }
}

/// Fields as text: `name=value`, separated by blanks; strings in double quotes, a double quote in them as `\"`.
pub struct Text<'a>(pub &'a [Field]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = self.0.iter().filter(|(_, value)| *value != Value::Flag(false));
        for (at, (name, value)) in written.enumerate() {
            if at > 0 {
                f.write_char(' ')?;
            }
            f.write_str(name)?;
            if *value != Value::Flag(true) {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write_quoted(f, text),
            Self::Word(word) => f.write_str(word),
            Self::Number(number) => write!(f, "{number}"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::List(values) => {
                f.write_char('[')?;
                for (at, value) in values.iter().enumerate() {
                    if at > 0 {
                        f.write_char(' ')?;
                    }
                    // A list of named values needs no braces around each name.
                    match value {
                        Self::Object(fields) if fields.len() == 1 => write!(f, "{}", Text(fields))?,
                        value => write!(f, "{value}")?,
                    }
                }
                f.write_char(']')
            }
            Self::Object(fields) => write!(f, "{{{}}}", Text(fields)),
        }
    }
}

fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for part in text.split_inclusive('"') {
        match part.strip_suffix('"') {
            Some(before) => write!(f, "{before}\\\"")?,
            None => f.write_str(part)?,
        }
    }
    f.write_char('"')
}

/// Fields as a JSON object.
pub struct Json<'a>(pub &'a [Field]);

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Word(word) => serializer.serialize_str(word),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::List(values) => values.serialize(serializer),
            Self::Object(fields) => Json(fields).serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        let fields = [
            ("topic", Value::text(b"a \"b\"\n")),
            ("retain", Value::Flag(true)),
            ("dup", Value::Flag(false)),
            ("qos", Value::Number(1)),
            ("codes", Value::List(vec![Value::Number(0), Value::Number(128)])),
            ("will", Value::Object(vec![("qos", Value::Number(2)), ("retain", Value::Flag(true))])),
            ("properties", Value::List(vec![Value::Object(vec![("content_type", Value::text(b"x"))])])),
            ("violations", Value::List(vec![Value::Word("mqtt5:1.5.4-2")])),
        ];
        assert_eq!(
            Text(&fields).to_string(),
            r#"topic="a \"b\"\n" retain qos=1 codes=[0 128] will={qos=2 retain} properties=[content_type="x"] violations=[mqtt5:1.5.4-2]"#
        );
        let json = serde_json::to_value(Json(&fields)).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "topic": "a \"b\"\\n", "retain": true, "dup": false, "qos": 1, "codes": [0, 128],
                "will": {"qos": 2, "retain": true}, "properties": [{"content_type": "x"}],
                "violations": ["mqtt5:1.5.4-2"],
            })
        );
    }
}
