//! The messages of the coordinator's protocol as JSON Schema, from its descriptors.

use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet};
use serde_json::{Map, Value, json};
use tenfold_proto::DESCRIPTORS;

/// Numbers of `message` and `field` in the places that comments belong to (`descriptor.proto`).
const MESSAGE: i32 = 4;
const FIELD: i32 = 2;

/// A schema for every message, by its name.
pub fn schemas() -> Map<String, Value> {
    // The descriptors are compiled in, and a test reads them.
    let files = FileDescriptorSet::decode(DESCRIPTORS).unwrap_or_default();
    let mut schemas = Map::new();
    for file in files
        .file
        .iter()
        .filter(|file| file.package() == "tenfold.v1")
    {
        for (place, message) in (0..).zip(&file.message_type) {
            schemas.insert(message.name().to_owned(), schema(file, place, message));
        }
    }
    schemas
}

fn schema(file: &FileDescriptorProto, place: i32, message: &DescriptorProto) -> Value {
    let fields = (0..).zip(&message.field);
    let properties: Map<String, Value> = fields
        .map(|(number, field)| {
            let mut schema = of_field(message, field);
            if let Some(comment) = comment(file, &[MESSAGE, place, FIELD, number]) {
                schema["description"] = json!(comment);
            }
            (field.name().to_owned(), schema)
        })
        .collect();
    let mut schema = json!({"type": "object", "properties": properties});
    if message.name().ends_with("Request") {
        schema["additionalProperties"] = json!(false);
    }
    schema
}

fn of_field(message: &DescriptorProto, field: &FieldDescriptorProto) -> Value {
    let one = match field.r#type() {
        Type::Bool => json!({"type": "boolean"}),
        Type::Uint32 | Type::Uint64 => json!({"type": "integer", "minimum": 0}),
        Type::Message => {
            let name = field.type_name().rsplit('.').next().unwrap_or_default();
            if let Some(entry) = message.nested_type.iter().find(|one| one.name() == name) {
                let value = entry.field.last().map(|value| of_field(entry, value));
                return json!({"type": "object", "additionalProperties": value});
            }
            json!({"$ref": format!("#/components/schemas/{name}")})
        }
        _ => json!({"type": "string"}),
    };
    match field.label() {
        Label::Repeated => json!({"type": "array", "items": one}),
        _ => one,
    }
}

/// What is written above a field.
fn comment(file: &FileDescriptorProto, path: &[i32]) -> Option<String> {
    let places = &file.source_code_info.as_ref()?.location;
    let place = places.iter().find(|place| place.path == path)?;
    let lines = place.leading_comments().lines().map(str::trim);
    let text = lines.collect::<Vec<_>>().join(" ").trim().to_owned();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::Call;

    #[test]
    fn messages_are_described_with_what_their_fields_mean() {
        let schemas = schemas();
        let submit = &schemas["SubmitRunRequest"];
        assert_eq!(submit["additionalProperties"], false);
        let properties = &submit["properties"];
        assert_eq!(properties["retry_quarantine"]["type"], "boolean");
        assert_eq!(
            properties["labels"],
            json!({"type": "object", "additionalProperties": {"type": "string"},
                   "description": "Words of the submitter, kept with the run."})
        );
        let steps = &schemas["Run"]["properties"]["steps"];
        assert_eq!(steps["items"]["$ref"], "#/components/schemas/Step");
        for call in Call::ALL {
            let (request, answer) = call.messages();
            assert!(schemas.contains_key(request), "{request}");
            assert!(schemas.contains_key(answer), "{answer}");
        }
    }
}
