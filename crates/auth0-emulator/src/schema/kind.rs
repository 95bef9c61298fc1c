//! The validator's names for JSON types.

use serde_json::Value;

/// The type name of `value`.
pub(super) fn name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) => {
            // JavaScript has one number type, so 1.0 is an integer.
            let whole = number.as_f64().is_none_or(|number| number.fract() == 0.0);
            if whole { "integer" } else { "number" }
        }
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
