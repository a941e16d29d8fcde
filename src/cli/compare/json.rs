//! The comparison as JSON; docs/COMPARE.md says what the fields are.

use distdup::compare::{Losses, Spread};
use distdup_codecs::Geometry;
use serde_json::{Map, Value, json};

use super::rows::Row;
use super::{Compare, Comparison};
use crate::cli::Outcome;
use crate::cli::availability::model::Asked;

pub fn comparison(command: &Compare, comparison: &Comparison) -> Value {
    let rows: Vec<_> = comparison.rows.iter().map(row).collect();
    let advice = comparison.advice.iter();
    let advice = advice.map(|one| json!({ "rule": one.rule, "text": one.text }));
    json!({
        "status": Outcome::Done.status(),
        "parameters": parameters(command, comparison),
        "machine": comparison.machine.json(),
        "rows": rows,
        "advice": advice.collect::<Vec<_>>(),
    })
}

fn parameters(command: &Compare, comparison: &Comparison) -> Map<String, Value> {
    let mut object = Asked::from(comparison.hosts.clone()).json();
    object.extend(command.model.wear_json());
    let geometry = |geometry: &Geometry| json!([geometry.k(), geometry.n()]);
    let data = &comparison.data;
    for (name, value) in [
        ("codecs", json!(command.codec)),
        ("k", json!(command.k)),
        ("n", json!(command.n)),
        (
            "geometries",
            command.geometry.iter().map(geometry).collect(),
        ),
        ("equations", json!(command.equations)),
        ("host_speed", json!(command.host_speed)),
        ("down_minutes", json!(command.down.seconds / 60.0)),
        ("path", json!(data.path)),
        ("bytes", json!(data.bytes.len())),
        ("runs", json!(comparison.runs)),
    ] {
        object.insert(name.into(), value);
    }
    object
}

fn row(row: &Row) -> Value {
    let (judged, speed) = (&row.judged, &row.speed);
    let facts = &judged.facts;
    let mut object = judged.answer.json();
    let mut decode = spread(&speed.decode);
    decode["lost"] = speed.lost.iter().collect();
    decode["lost_count"] = json!(speed.lost.len());
    let mut repair = spread(&speed.repair);
    repair["reads"] = json!(speed.repair_reads);
    repair["least_reads"] = json!(facts.least_reads);
    let operations = facts.operations.map(|operations| {
        let (additions, multiplications) = (operations.additions, operations.multiplications);
        json!({ "additions": additions, "multiplications": multiplications })
    });
    for (name, value) in [
        ("name", json!(judged.name)),
        ("always", json!(facts.always.losses)),
        ("always_exact", json!(facts.always.exact)),
        (
            "losses",
            json!(
                facts
                    .losses
                    .as_ref()
                    .map(|all| all.iter().map(losses).collect::<Vec<_>>())
            ),
        ),
        ("encode", spread(&speed.encode)),
        ("decode", decode),
        ("repair", repair),
        (
            "memory",
            json!({ "encode": facts.encode_memory, "decode": facts.decode_memory }),
        ),
        ("operations", json!(operations)),
    ] {
        object[name] = value;
    }
    if judged.answer.loss.is_none() {
        object["durability"] = Value::Null;
    }
    object
}

fn losses(losses: &Losses) -> Value {
    json!({
        "lost": losses.lost,
        "share": losses.share,
        "recoverable": losses.counts.map(|counts| counts.recoverable),
        "sets": losses.counts.map(|counts| counts.sets),
    })
}

fn spread(spread: &Spread) -> Value {
    json!({ "low": spread.low(), "median": spread.median(), "high": spread.high() })
}
