//! Each line of each schema is strict, with edits too.

use spanline::Output;
use spanline::schema::{Edits, built_in};
use spanline::sink::Memory;

use crate::input::{Scene, ended};
use crate::support::strict;

pub fn schemas(data: &[u8]) {
    let scene = Scene::new(data);
    // What the first field is called goes, the second takes the name of the third.
    let mut names = scene.own.iter().map(|(name, _)| name.as_str());
    let mut edits = names.next().map_or(Edits::new(), |name| Edits::new().remove(name));
    if let (Some(from), Some(to)) = (names.next(), names.next()) {
        edits = edits.rename(from, to).insert(from, "added").rename(format!("fields.{to}"), from);
    }
    let outputs: Vec<_> = built_in().flat_map(|schema| [(schema, false), (schema, true)]).collect();
    let memories: Vec<_> = outputs.iter().map(|_| Memory::new()).collect();
    let mut builder = scene.builder();
    for ((schema, edited), memory) in outputs.iter().zip(&memories) {
        let output = Output::new(memory.clone()).schema(schema.schema()).queue_bytes(1 << 20);
        builder = builder.output(if *edited { output.edits(edits.clone()) } else { output });
    }
    let Some((dispatch, _handle)) = ended(builder) else { return };
    scene.play(&dispatch);

    for ((schema, _), memory) in outputs.iter().zip(&memories) {
        let text = String::from_utf8(memory.take()).unwrap();
        let bad = text.chars().find(|char| *char != '\n' && strict::is_unsafe(*char));
        assert_eq!(bad, None, "{}: {text:?}", schema.name);
        if schema.is_json {
            text.split_terminator('\n').for_each(|line| drop(strict::line(line)));
        }
    }
}
