//! Sealed logs in a tool that was built without the feature `sealed`.

use crate::{Dir, failed};

#[test]
fn a_key_is_refused_with_the_reason_and_a_sealed_file_is_a_failure() {
    let dir = Dir::new();
    dir.put("a.log", "spanline-sealed\n");
    let expected = "spanline: --key: this tool was built without the feature `sealed`; build it with that feature\n";
    for command in [&["find"][..], &["stats"], &["hist"], &["doctor"], &["trace", "r-1"], &["cat"]] {
        assert_eq!(dir.run(&[command, &["a.log", "--key", "key"]].concat()), failed(expected), "{command:?}");
        for option in
            ["fd", "env", "command"].iter().flat_map(|from| [format!("--key-{from}"), format!("--passphrase-{from}")])
        {
            let run = dir.run(&[command, &["a.log", &option, "3"]].concat());
            assert_eq!(run, failed(&expected.replace("--key", &option)), "{command:?}");
        }
        let run = dir.run(&[command, &["a.log"]].concat());
        assert!(run.status == 1 && run.stderr.contains("a.log: "), "{command:?}: {}", run.stderr);
    }
}
