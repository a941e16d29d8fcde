//! The table for a spreadsheet: the fields of the JSON that are one number or word.

use serde_json::Value;

/// Each column with where it is in a row of the JSON.
const COLUMNS: &[(&str, &str)] = &[
    ("code", "/name"),
    ("codec", "/codec"),
    ("params", "/params"),
    ("k", "/k"),
    ("n", "/n"),
    ("storage", "/storage"),
    ("always", "/always"),
    ("unavailability", "/readable/unavailability"),
    ("minutes_a_year", "/readable/minutes_a_year"),
    (
        "unavailability_if_acknowledged",
        "/readable_if_acknowledged/unavailability",
    ),
    ("acknowledged", "/acknowledged/probability"),
    ("loss_probability", "/durability/loss_probability"),
    ("encode_low", "/encode/low"),
    ("encode_median", "/encode/median"),
    ("encode_high", "/encode/high"),
    ("decode_lost", "/decode/lost_count"),
    ("decode_low", "/decode/low"),
    ("decode_median", "/decode/median"),
    ("decode_high", "/decode/high"),
    ("repair_low", "/repair/low"),
    ("repair_median", "/repair/median"),
    ("repair_high", "/repair/high"),
    ("repair_reads", "/repair/reads"),
    ("repair_least_reads", "/repair/least_reads"),
    ("encode_memory", "/memory/encode"),
    ("decode_memory", "/memory/decode"),
    ("additions", "/operations/additions"),
    ("multiplications", "/operations/multiplications"),
];

/// After RFC 4180, but for lines that end as they do here. What is not known is empty.
pub fn table(rows: &Value) -> String {
    let head: Vec<_> = COLUMNS.iter().map(|(name, _)| *name).collect();
    let mut lines = vec![head.join(",")];
    for row in rows.as_array().into_iter().flatten() {
        let cells: Vec<_> = COLUMNS
            .iter()
            .map(|(_, at)| cell(row.pointer(at)))
            .collect();
        lines.push(cells.join(","));
    }
    lines.join("\n")
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) if text.contains([',', '"', '\n']) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_commas_is_quoted() {
        assert_eq!(cell(Some(&json!("1^2,1^3"))), "\"1^2,1^3\"");
        assert_eq!(cell(Some(&json!("a \"b\""))), "\"a \"\"b\"\"\"");
        assert_eq!(cell(Some(&json!(7.25e-7))), "7.25e-7");
        assert_eq!(cell(Some(&Value::Null)) + &cell(None), "");
    }
}
